"""The data behind a figure without a table of its own are what is drawn."""

import matplotlib.pyplot as plt

from confuselt.report.drawn import drawn
from confuselt.report.section import Picture


def test_lines_points_and_bars_are_told_by_panel_and_name():
    figure, (left, right) = plt.subplots(1, 2)
    left.set_title("survival")
    left.plot([0, 1, 2], [1, 0.8, 0.5], label="high risk")
    left.axhline(0.5, color="grey")
    left.scatter([1, 2], [3, 4])
    right.set_title("counts", loc="left")
    right.bar(["a", "b"], [5, 7], label="patients")
    table = Picture(figure, "alt").data
    assert table[table["series"] == "high risk"][["panel", "x", "y"]].to_numpy().tolist() == [
        ["survival", 0, 1],
        ["survival", 1, 0.8],
        ["survival", 2, 0.5],
    ]
    assert table[table["series"] == "points 1"][["x", "y"]].to_numpy().tolist() == [[1, 3], [2, 4]]
    assert table[table["panel"] == "counts"][["series", "y"]].to_numpy().tolist() == [["patients", 5], ["patients", 7]]
    assert table.loc[table["panel"] == "counts", "x"].tolist() == ["a", "b"]
    assert set(table["series"]) == {"high risk", "points 1", "patients"}, "a line across the panel is no data"
    plt.close("all")


def test_bars_have_the_names_below_them_and_of_what_they_measure():
    figure, (beside, lying, numbers) = plt.subplots(1, 3)
    for k, name in enumerate(("wsi", "rna")):
        beside.bar([0.4 * k - 0.2, 0.4 * k + 0.8], [k, 2], 0.4, label=name)
    beside.set_xticks(range(2), ["LumA", "Basal"])
    lying.barh(["first", "second"], [3, 4])
    lying.set_xlabel("patients")
    numbers.bar([10, 20], [5, 6])
    table = drawn(figure)[["series", "x", "y"]].to_numpy().tolist()
    assert table[:4] == [["wsi", "LumA", 0], ["wsi", "Basal", 2], ["rna", "LumA", 1], ["rna", "Basal", 2]]
    assert table[4:] == [["patients", "first", 3], ["patients", "second", 4], ["bars 1", 10, 5], ["bars 1", 20, 6]]
    plt.close("all")


def test_of_an_empty_figure_there_are_none():
    figure, _ = plt.subplots()
    assert drawn(figure) is None
    plt.close("all")
