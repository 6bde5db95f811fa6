"""Opens a report in a headless browser: python3 tests/report_page.py DIR [SHOTS]

Needs Chromium (Debian: apt-get install chromium) and nothing else. Fails on an error of the
page's script, on a link or source outside the page, and on a chart that is missing or has no size;
with SHOTS, a directory, it leaves pictures there to look at: light, dark, and as narrow as a phone.
"""

import html.parser
import pathlib
import shutil
import subprocess
import sys
import tempfile

CHARTS_MIN = 4
WIDTHS = {"light": (1360, False), "dark": (1360, True), "narrow": (390, False)}

# What the browser is asked beside showing the page: sizes of all charts, hints of all columns, and
# whether anything sticks out to the right. Errors of the page's script end up in the same place.
PROBE = """<script>
const problems = [];
addEventListener('error', event => problems.push(event.message));
addEventListener('load', () => {
  const charts = [...document.querySelectorAll('svg.chart')];
  const flat = charts.filter(c => c.getBoundingClientRect().height < 100).length;
  const hints = document.querySelectorAll('[data-tip]').length;
  const first = document.querySelector('.hit');
  const box = first.getBoundingClientRect();
  first.dispatchEvent(new PointerEvent('pointermove',
    {bubbles: true, clientX: box.x, clientY: box.y}));
  const tip = document.getElementById('tip');
  const shown = tip.style.display === 'block' && tip.textContent.length > 3;
  const wide = document.documentElement.scrollWidth > innerWidth;
  document.body.dataset.probe = JSON.stringify(
    {charts: charts.length, flat, hints, shown, wide, problems});
});
</script>"""


class Links(html.parser.HTMLParser):
    """Everything that a page refers to."""

    def __init__(self):
        super().__init__()
        self.found = []
        self.probe = None

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.found += [value for name, value in attributes.items() if name in ("href", "src")]
        if "data-probe" in attributes:
            self.probe = attributes["data-probe"]


def browse(page, width, dark, *asked):
    """What Chromium says when it opens a page."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        sys.exit("no chromium here: apt-get install chromium")
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
               "--force-prefers-reduced-motion", f"--window-size={width},4200",
               "--virtual-time-budget=4000", *asked]
    if dark:
        command.append("--blink-settings=preferredColorScheme=0")
    with tempfile.TemporaryDirectory() as profile:
        command += [f"--user-data-dir={profile}", page.resolve().as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout


def check(report):
    source = (report / "index.html").read_text()
    links = Links()
    links.feed(source)
    assert not links.found, f"the page refers to {links.found}"
    assert "http:" not in source and "https:" not in source, "the page names an address"
    assert source.count("<svg") >= CHARTS_MIN, "too few charts in the source"
    with tempfile.TemporaryDirectory() as scratch:
        probed = pathlib.Path(scratch) / "probed.html"
        probed.write_text(source.replace("<head>", "<head>" + PROBE, 1))
        for name, (width, dark) in WIDTHS.items():
            seen = Links()
            seen.feed(browse(probed, width, dark, "--dump-dom"))
            assert seen.probe, f"{name}: the page's script did not come to its end"
            print(f"{name:7} {seen.probe}")
            expected = (f'"charts":{source.count("<svg")},"flat":0', '"shown":true',
                        '"wide":false', '"problems":[]')
            missing = [part for part in expected if part not in seen.probe]
            assert not missing, f"{name}: not {missing}"
    drawings = list(report.glob("*.svg"))
    assert len(drawings) == source.count("<svg"), f"{len(drawings)} drawings beside the page"


def main():
    report = pathlib.Path(sys.argv[1])
    check(report)
    for directory in map(pathlib.Path, sys.argv[2:]):
        directory.mkdir(parents=True, exist_ok=True)
        for name, (width, dark) in WIDTHS.items():
            shot = directory / f"{name}.png"
            browse(report / "index.html", width, dark, f"--screenshot={shot}")
            print(f"{shot}")


main()
