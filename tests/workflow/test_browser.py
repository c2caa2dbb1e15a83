"""The report in a real browser: it is drawn whole, and no request leaves the page."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.full
# No name is resolved; most of what the browser asks for itself, page or no page, is off.
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--net-log-capture-mode=Everything",
]


def opened(page: Path, folder: Path) -> tuple[str, set[str]]:
    """The page as the browser made it of the file, and every address that the page asked the network for."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no browser is installed: apt-get install chromium")
    log = folder / "net.json"
    command = [browser, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", "--virtual-time-budget=8000", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    requests = [e["params"] for e in json.loads(log.read_text())["events"] if {"url", "initiator"} <= set(e.get("params", {}))]
    # What the browser asks for itself (updates, the time) has no origin; a file's has one, if an opaque one.
    return done.stdout, {r["url"] for r in requests if r["initiator"] != "not an origin"}


@pytest.mark.xdist_group("tiny")
def test_no_request_leaves_the_report(tiny, tmp_path):
    page, asked = opened(tiny / "results/experiments/tiny/evaluate/report.html", tmp_path)
    assert not asked
    assert page.rstrip().endswith("</html>") and page.count("data:image/png;base64,") >= 4 and "The three answers" in page


def test_a_page_that_asks_would_be_caught(tmp_path):
    page = tmp_path / "asks.html"
    page.write_text(
        '<html><head><link rel="stylesheet" href="https://example.org/style"></head><body><img src="https://example.org/image">'
        '<iframe src="https://example.org/frame"></iframe><script>fetch("https://example.org/data")</script></body></html>'
    )
    assert opened(page, tmp_path)[1] == {f"https://example.org/{what}" for what in ("style", "image", "frame", "data")}
