"""Runs the README's numpy reader on a journal while it is written and afterwards.

Would catch a format that changed under readers in other languages, and a README whose reader skips
or repeats records where a segment or an epoch ends. Arguments: the program `ringtape`; or `--follow`, a
journal that another process writes, and the number of records until which to follow it.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

root = pathlib.Path(__file__).resolve().parent.parent
readme = (root / "README.md").read_text()
reader = re.search(r"```python\n(.*?)```", readme, re.S).group(1)
names = {}
exec(reader, names)
np, segments = names["np"], names["segments"]
feed = str(root / "feeds" / "sample.itch.gz")


def check(events):
    """Records in order: each once, as the commit words say."""
    low = events["low"].astype(np.int64)
    assert (low == np.arange(len(low))).all(), "a record is missing, repeated or out of order"


def follow(journal, count):
    """Looks at a journal until all records are there; tells how many segments those fill."""
    seen = 0
    while seen < count:
        parts = list(segments(journal))
        if parts:
            events = np.concatenate(parts)
            check(events)
            assert seen <= len(events) <= count, (seen, len(events), count)
            seen = len(events)
        time.sleep(0.02)
    print(f"numpy {np.__version__}: followed to {seen} through {len(parts)} segments")


if sys.argv[1] == "--follow":
    follow(sys.argv[2], int(sys.argv[3]))
    sys.exit()
program = sys.argv[1]

with tempfile.TemporaryDirectory() as scratch:
    run = f"{scratch}/run"
    replay = [program, "replay", feed, "--journal", run, "--resume"]
    # Killed once and resumed, so that there are two epochs; read while it is written.
    for is_killed in (True, False):
        writer = subprocess.Popen(replay + ["--rate", "50k"], stderr=subprocess.DEVNULL)
        seen, looks = 0, 0
        while writer.poll() is None:
            try:
                parts = list(segments(f"{run}/market"))
            except FileNotFoundError:
                # A writer that closes removes the segment that it had only prepared.
                continue
            if parts:
                events = np.concatenate(parts)
                check(events)
                assert len(events) >= seen, "records went away"
                seen, looks = len(events), looks + 1
            if is_killed and seen > 0:
                writer.kill()
                writer.wait()
        print(f"{seen} records seen in {looks} looks")

    verified = subprocess.run(
        [program, "journal", "verify", run, "--json"], capture_output=True, check=True
    )
    market = json.loads(verified.stdout)["journals"]["market"]
    events = np.concatenate(list(segments(f"{run}/market")))
    check(events)
    assert len(events) == market["records"], (len(events), market["records"])
    assert (events["kind"] > 0).all()
    assert market["epoch"] >= 1
    tail = subprocess.run(
        [program, "journal", "tail", f"{run}/market", "--json"], capture_output=True, check=True
    )
    lines = tail.stdout.splitlines()
    assert len(lines) == len(events)
    for sequence in range(0, len(events), 997):
        shown = json.loads(lines[sequence])
        event = events[sequence]
        assert shown["sequence"] == sequence
        assert shown["ts_ns"] == event["ts_event"] and shown["instrument"] == event["instrument"]
    print(f"numpy {np.__version__}: {len(events)} records, the same as ringtape's own reader")
