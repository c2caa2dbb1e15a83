"""The report in a headless Chromium: it is drawn whole, and no request leaves the page."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.full
QUIET = (
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
NOT_THE_PAGE = "not an origin"  # Chromium's own requests (its clock, its updates), whatever it is told


def open_page(page: Path, folder: Path) -> tuple[str, list[str]]:
    """The page's DOM after its scripts ran, and the addresses beyond the page that it asked for."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    # Without a sandbox: in a container root has none.
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        *QUIET,
        f"--user-data-dir={folder / 'profile'}",
        f"--log-net-log={folder / 'net.json'}",
    ]
    done = subprocess.run([*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and done.stdout, done.stderr[-2000:]
    events = json.loads((folder / "net.json").read_text())["events"]
    started = [e["params"] for e in events if "initiator" in e.get("params", {})]
    return done.stdout, [
        p["url"] for p in started if p["initiator"] != NOT_THE_PAGE and not p["url"].startswith(("data:", "file:"))
    ]


@pytest.mark.xdist_group("tiny")
def test_no_request_leaves_the_report(tiny, tmp_path):
    dom, asked = open_page(tiny / "results/experiments/tiny/evaluate/report.html", tmp_path)
    assert asked == []
    assert "What these data cannot answer" in re.sub(r"<[^>]+>", "", dom) and dom.rstrip().endswith("</html>")


@pytest.mark.parametrize(
    "asks",
    [
        '<img src="http://127.0.0.1:9/x.png">',
        "<script>fetch('http://127.0.0.1:9/x.png')</script>",
        "<style>@import url(http://127.0.0.1:9/x.png)</style>",
    ],
)
def test_a_page_that_asks_is_noticed(tmp_path, asks):
    (tmp_path / "page.html").write_text(f"<html><body>{asks}</body></html>")
    assert open_page(tmp_path / "page.html", tmp_path)[1] == ["http://127.0.0.1:9/x.png"]
