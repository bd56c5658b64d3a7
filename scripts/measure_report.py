"""Measure `report.html` with 1,000 and 100,000 findings in Chromium: `python scripts/measure_report.py`.

Prints bytes a finding, the time to render, to the first row and per filter, and the ratio of the large report to the
small one. Times are those of this machine; the ratios are what to watch.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from auditor.report import render_html  # noqa: E402
from tests.report import factory  # noqa: E402

SIZES = (1_000, 100_000)
FACET = """() => {
  const started = performance.now();
  document.querySelector('input[value=fail]').click();
  return performance.now() - started;
}"""
SEARCH = """(query) => new Promise((done) => {
  const started = performance.now(), list = document.querySelector('.list'), before = list.firstChild;
  const search = document.querySelector('input[type=search]');
  search.value = query;
  search.dispatchEvent(new Event('input'));
  const drawn = () => done(performance.now() - started);
  const look = () => (list.firstChild === before ? setTimeout(look, 1) : requestAnimationFrame(drawn));
  look();
})"""


def measure(browser: Browser, folder: Path, count: int) -> dict[str, float]:
    """The figures of one report."""
    report = factory.many(count)
    started = time.perf_counter()
    text = render_html(report)
    figures = {"render s": time.perf_counter() - started, "bytes a finding": len(text.encode()) / count}
    file = folder / f"{count}.html"
    file.write_text(text, encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    page.wait_for_selector("#app article")
    figures["first row ms"] = page.evaluate("performance.now()")
    for name, query in (("first search ms", "aks-00042"), ("search ms", "rule 13 decides"), ("clear ms", "")):
        figures[name] = page.evaluate(SEARCH, query)
    figures["facet ms"] = page.evaluate(FACET)
    page.close()
    return figures


def main() -> None:
    """A line a figure: small report, large report, ratio."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("error: no chromium on the PATH")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        small, large = (measure(browser, Path(folder), count) for count in SIZES)
        browser.close()
    print(f"{'':18}{SIZES[0]:>12,}{SIZES[1]:>12,}{'ratio':>9}")
    for name, value in small.items():
        print(f"{name:18}{value:12,.1f}{large[name]:12,.1f}{large[name] / value:9.2f}")


if __name__ == "__main__":
    main()
