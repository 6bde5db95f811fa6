"""Reads a report's histograms with the Python package `hdrhistogram`, which is not ours:
python3 tests/hdr_reader.py DIR

Fails when the package cannot read `latency.hlog`, and when a line of a `.hgrm` file is not what the
package finds in the histogram of the log with the same name.
"""

import pathlib
import sys

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

LONGEST_NS = 3_600_000_000_000


def main():
    report = pathlib.Path(sys.argv[1])
    reader = HistogramLogReader(str(report / "latency.hlog"), HdrHistogram(1, LONGEST_NS, 3))
    logged = {}
    while (histogram := reader.get_next_interval_histogram()) is not None:
        logged[histogram.get_tag()] = histogram
    texts = {path.stem: path.read_text() for path in report.glob("*.hgrm")}
    assert logged.keys() == texts.keys() and len(texts) >= 2, (logged.keys(), texts.keys())
    lines = 0
    for name, text in texts.items():
        histogram = logged[name]
        for line in text.splitlines()[2:]:
            if line.startswith("#"):
                continue
            value, quantile, total = (float(cell) for cell in line.split()[:3])
            assert histogram.get_count_at_value(int(value)) > 0, (name, line)
            found = histogram.get_value_at_percentile(quantile * 100)
            same = histogram.get_highest_equivalent_value(int(value))
            near = histogram.get_highest_equivalent_value(found)
            assert same >= near or quantile == 1.0, (name, line, found)
            lines += 1
        assert int(total) == histogram.get_total_count(), (name, total)
        print(f"{name:16} {histogram.get_total_count():>10} samples, p50"
              f" {histogram.get_value_at_percentile(50):>9} ns, max {histogram.get_max_value()} ns")
    print(f"{lines} lines agree")


main()
