"""The page's scripts in a headless Chromium: tables sorted, filtered and taken along, slides moved, layers shown."""

import html
import json
import re
import shutil
import subprocess
from urllib.parse import unquote

import pytest
from markupsafe import Markup

from confuselt.report.layers import VIEWER, Layer, Layered
from confuselt.report.page import PAGE, templates

pytestmark = pytest.mark.full
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
TABLE = """<table class="sortable"><caption>Some arms</caption><thead><tr><th>arm</th><th>os</th></tr></thead><tbody>
<tr><td>b, "quoted"</td><td class="n">0.70</td></tr><tr><td>a</td><td class="n">–</td></tr>
<tr><td>c</td><td class="n">0.09</td></tr>""" + "".join(
    f'<tr><td>more {k}</td><td class="n">0.{k}5</td></tr>' for k in range(1, 6)
)
DRIVE = """<script>
const told = {};
const column = k => [...document.querySelectorAll("tbody tr")].map(r => r.cells[k].textContent);
const heads = document.querySelectorAll("th button");
heads[1].click(); told.up = column(1); told.sorted = heads[1].parentElement.getAttribute("aria-sort");
heads[1].click(); told.down = column(1);
heads[0].click(); told.names = column(0);
const filter = document.querySelector("input[type=search]");
filter.value = "MORE"; filter.dispatchEvent(new Event("input"));
told.left = [...document.querySelectorAll("tbody tr")].filter(r => !r.hidden).length;
const link = document.querySelector(".bar a"); told.csv = link.href; told.file = link.download;
const stage = document.querySelector(".stage"), sheet = document.querySelector(".sheet");
told.first = sheet.style.transform;
document.querySelector("[data-zoom='1.5']").click(); told.zoomed = sheet.style.transform;
stage.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"})); told.moved = sheet.style.transform;
stage.dispatchEvent(new WheelEvent("wheel", {deltaY: -1, clientX: 10, clientY: 10, cancelable: true}));
told.wheeled = sheet.style.transform;
stage.dispatchEvent(new KeyboardEvent("keydown", {key: "0"})); told.whole = sheet.style.transform;
const layers = [...document.querySelectorAll(".layer")];
told.before = layers.map(l => l.hidden);
document.querySelector("[data-shows=immune]").click(); told.after = layers.map(l => l.hidden);
const slider = document.querySelector(".opacity");
slider.value = 20; slider.dispatchEvent(new Event("input")); told.opacity = layers.map(l => l.style.opacity);
const out = document.createElement("pre"); out.id = "told"; out.textContent = JSON.stringify(told);
document.body.append(out);
</script></body>"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the page's scripts made of clicks, keys and turns of the wheel."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    layers = (Layer("attention", "red", PIXEL, shown=True), Layer("immune", "blue", PIXEL))
    slides = [Layered("S1", PIXEL, 400, 300, layers)]
    body = Markup(TABLE + "</tbody></table>" + templates().get_template(VIEWER).render(slides=slides))
    section = {"section": {"name": "all", "title": "All"}, "result": "One sentence.", "body": body}
    page = templates().get_template(PAGE).render(title="a page", lead="", sections=[section])
    folder = tmp_path_factory.mktemp("driven")
    (folder / "page.html").write_text(page.replace("</body>", DRIVE))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    done = subprocess.run(
        [*command, "--dump-dom", (folder / "page.html").as_uri()], capture_output=True, text=True, timeout=300
    )
    found = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.S)
    assert found, done.stderr[-2000:]
    return json.loads(html.unescape(found.group(1)))


def test_tables_are_sorted_by_number_or_by_name(told):
    assert told["sorted"] == "ascending"
    assert told["up"] == ["0.09", "0.15", "0.25", "0.35", "0.45", "0.55", "0.70", "–"]
    assert told["down"] == ["0.70", "0.55", "0.45", "0.35", "0.25", "0.15", "0.09", "–"]
    assert told["names"][:3] == ["a", 'b, "quoted"', "c"]


def test_rows_are_filtered_and_taken_along(told):
    assert told["left"] == 5 and told["file"] == "Some-arms.csv"
    lines = unquote(told["csv"].partition(",")[2]).splitlines()
    assert lines[:2] == ["arm,os", '"b, ""quoted""",0.70'] and len(lines) == 9


def test_slides_are_moved_and_zoomed_within_their_bounds(told):
    numbers = {k: [float(v) for v in re.findall(r"-?[\d.]+", told[k])] for k in ("zoomed", "moved", "wheeled", "whole")}
    assert told["first"] == "" and numbers["zoomed"][2] == 1.5
    assert (
        numbers["moved"][0] == pytest.approx(numbers["zoomed"][0] - 40, abs=1)
        and numbers["moved"][1:] == numbers["zoomed"][1:]
    )
    assert numbers["wheeled"][2] == pytest.approx(1.875) and numbers["whole"] == [0, 0, 1]


def test_layers_are_shown_and_faded(told):
    assert told["before"] == [False, True] and told["after"] == [False, False] and told["opacity"] == ["0.2", "0.2"]
