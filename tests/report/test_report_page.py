"""Figures within the page, the scoreboard, the picture of the answers, slides in layers."""

import base64
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import cv2
import h5py
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from confuselt.cells.columns import NAMES
from confuselt.report.answers_figure import answers_figure, contrasts
from confuselt.report.figures import retrieval_figure
from confuselt.report.layers import layered
from confuselt.report.scoreboard import scoreboard
from confuselt.report.svg import inline
from confuselt.run_step import Output, grouped
from confuselt.tables import Table, write_table

PLAN = {"delta_c": 0.02, "margin_c": 0.03, "delta_auc": 0.01, "margin_auc": 0.02}


def drawn():
    figure, axis = plt.subplots()
    axis.plot([0, 1], [0, 1], "o-", color="#228833", label="a < b & µm²")
    axis.legend()
    return figure


def test_figures_are_vectors_in_the_colours_of_the_page():
    first, again, other = inline(drawn(), "one"), inline(drawn(), "one"), inline(drawn(), "two")
    plt.close("all")
    ET.fromstring(first)  # well formed
    assert first == again and "#228833" in first and "currentColor" in first and "#000000" not in first
    assert "http" not in first and "<style" not in first and "font-family" not in first
    ids = [set(re.findall(r'id="([^"]+)"', text)) for text in (first, other)]
    assert ids[0] and not ids[0] & ids[1]
    pointed = set(re.findall(r'(?:href="|url\()#([^")]+)', first))
    assert pointed and pointed <= ids[0]


def test_the_name_of_a_figure_is_no_markup():
    text = inline(drawn(), '"><b>\\1')
    plt.close("all")
    ET.fromstring(text)
    assert "<b>" not in text


def test_dollars_in_a_name_are_no_formula():
    figure, axis = plt.subplots()
    axis.set_title("$x_1$ of $y$")
    assert "$x_1$ of $y$" in inline(figure, "one")
    table = pd.DataFrame({"k": [5, 10], "recall": [0.1, 0.2], "low": 0.0, "high": 0.3, "chance": 0.1, "model": "tile"})
    table = table.assign(fold=-1, stratum="all", status="ok", draw=0)
    both = pd.concat([table.assign(direction=direction) for direction in ("wsi-to-rna", "rna-to-wsi")])
    assert "mathdefault" not in inline(retrieval_figure(both), "two")
    plt.close("all")


def metric(arm, inputs, value, **more):
    row = {"arm": arm, "inputs": inputs, "task": "os", "metric": "harrell_c", "value": value, "fold": -1, "draw": 0}
    return row | {"low": value - 0.1, "high": value + 0.1, "status": "ok"} | more


def test_the_scoreboard_has_the_best_of_every_kind_and_no_control_among_them():
    metrics = pd.DataFrame(
        [
            metric("wsi-scratch-cells", "wsi", 0.61),
            metric("both-pretrained-cells", "wsi", 0.64),
            metric("rna-scratch", "rna", 0.66),
            metric("both-pretrained-cells", "both", 0.7),
            metric("both-scratch-cells", "both", 0.9, fold=0),
            metric("mispaired", "both", 0.95),
            metric("clinical", "both", 0.58),
            metric("clinical+both-pretrained-cells", "both", 0.99),
            metric("late-fusion", "both", 0.6),
            metric("permuted", "both", 0.52, draw=1),
            metric("permuted", "both", 0.46, draw=2),
        ]
    )
    rows = {row["kind"]: row for row in scoreboard(metrics, "os", "harrell_c")}
    assert [row["arm"] for row in rows.values()] == [
        "both-pretrained-cells",
        "rna-scratch",
        "both-pretrained-cells",
        "clinical",
        "late-fusion",
        "permuted",
        "",
    ]
    assert rows["slides alone"]["of"] == 2 and rows["slides and RNA"]["value"] == 0.7
    permuted = rows["outcomes permuted"]
    assert (permuted["value"], permuted["low"], permuted["high"]) == pytest.approx((0.49, 0.36, 0.62))
    assert not scoreboard(metrics, "pfi", "harrell_c")[:-1]


def contrast(question, task, verdict, family="primary", **more):
    row = {"question": question, "task": task, "verdict": verdict, "family": family, "status": "ok"}
    row |= {"metric": "harrell_c" if task == "os" else "auc_macro", "difference": 0.03, "low": -0.01, "high": 0.07}
    return row | {"arm_a": "a", "inputs_a": "wsi", "arm_b": "b", "inputs_b": "wsi", "n": 90, "events": 30} | more


def test_answers_stand_in_the_order_of_questions_with_their_margins():
    table = pd.DataFrame(
        [
            contrast("single-input", "os", "cannot tell", family="exploratory"),
            contrast("cells", "os", "no"),
            contrast("modality", "pam50", "yes"),
            contrast("modality", "os", "yes"),
            contrast("modality", "pfi", "yes"),
            contrast("cells", "os", "no", family="exploratory"),
            contrast("pretraining", "os", "yes", status="unavailable"),
        ]
    )
    rows = contrasts(table, ["os", "pam50"], PLAN)
    assert list(zip(rows["question"], rows["task"], rows["margin"], strict=True)) == [
        ("modality", "os", 0.02),
        ("modality", "pam50", 0.01),
        ("cells", "os", 0.02),
        ("single-input", "os", 0.03),
    ]
    figure = answers_figure(rows)
    said = [text.get_text() for text in figure.axes[0].texts]
    assert said == ["yes", "yes", "no", "cannot tell"]
    assert figure.axes[0].get_xlabel().endswith("right of 0: better"), "a yes needs more than that"
    assert answers_figure(rows[:0]) is None
    plt.close("all")


@pytest.fixture
def slide(tmp_path):
    """A slide of 4 x 3 tiles of 100 px, overview at a tenth; cells denser to the right."""
    x, y = np.meshgrid(np.arange(4) * 100, np.arange(3) * 100)
    coords = np.stack([x.ravel(), y.ravel()], 1).astype(np.int32)
    cv2.imwrite(str(tmp_path / "s.png"), np.full((30, 40, 3), 230, np.uint8))
    grid, meta = pd.DataFrame(coords, columns=["x", "y"]), {"width": 400, "tile_px": 100}
    write_table(grid, tmp_path / "s.parquet", Table("t", {"x": "int32", "y": "int32"}, key=("x", "y")), meta)
    features = np.full((12, len(NAMES)), np.nan, np.float16)
    features[:, NAMES.index("log_density_immune")] = coords[:, 0] / 100
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["features"], file["coords"] = features, coords
    return tmp_path, coords


def pixels(address):
    return cv2.imdecode(np.frombuffer(base64.b64decode(address.split(",")[1]), np.uint8), cv2.IMREAD_UNCHANGED)


def test_layers_lie_where_their_tiles_are(slide):
    folder, coords = slide
    weights = np.where((coords == (300, 200)).all(1), 4.0, 0.5)
    shown = layered("s", folder, (coords, weights), folder / "s.h5")
    assert (shown.width, shown.height) == (40, 30) and [layer.name for layer in shown.layers] == ["attention", "immune"]
    heat, immune = (pixels(layer.picture) for layer in shown.layers)
    assert heat.shape == immune.shape == (30, 40, 4)
    assert heat[25, 35].tolist() == [17, 51, 204, 255] and heat[5, 5, 0] > heat[5, 5, 2] and heat[5, 5, 3] in (127, 128)
    assert immune[0, [5, 15, 25, 35], 3].tolist() == sorted(immune[0, [5, 15, 25, 35], 3].tolist())
    assert immune[15, 5, 3] == 0 and immune[15, 35, 3] == 255
    alone = layered("s", folder, (coords, weights), None)
    assert [layer.name for layer in alone.layers] == ["attention"]


@dataclass(frozen=True)
class Files:
    """As a script's `main` may take them."""

    one: Path
    more: list[Path]
    other: Path | None = None


def test_arguments_of_a_dataclass_are_filled_field_by_field():
    def main(files: Files, out: Output, cfg: dict) -> None:
        """Of a script."""

    values = {"one": Path("a"), "more": [], "out": Path("o"), "cfg": {}}
    assert grouped(main, values) == {"files": Files(Path("a"), []), "out": Path("o"), "cfg": {}}
