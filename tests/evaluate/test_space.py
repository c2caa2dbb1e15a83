"""The map of the joint space: ranks and neighbours by definition, clusters stay together, few pairs give none."""

import numpy as np
import pandas as pd
import pytest

from confuselt.evaluate import space
from confuselt.evaluate.schema import SPACE
from confuselt.report.space_figure import neighbours_agree, space_figure
from confuselt.tables import check_table

PEOPLE = [f"patient {i}" for i in range(40)]
KIND = pd.Series(np.where(np.arange(40) < 20, "a", "b"), PEOPLE)


def unit(values):
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def vectors():
    """Two clusters of patients; RNA lies near its own slide."""
    rng = np.random.default_rng(0)
    centre = np.where(np.arange(40)[:, None] < 20, 1.0, -1.0) * np.eye(8)[0] * 3
    wsi = unit(centre + rng.standard_normal((40, 8)))
    return wsi, unit(wsi + 0.15 * rng.standard_normal((40, 8)))


@pytest.fixture(scope="module")
def mapped(vectors):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(space, "embed_pairs", lambda *_: (PEOPLE, *vectors))
        return [space.joint_map({"status": "ok"}, None, None, PEOPLE, 3) for _ in range(2)]


def test_ranks_and_neighbours_are_those_of_the_definition(mapped, vectors):
    table, again = mapped
    check_table(table, SPACE)
    pd.testing.assert_frame_equal(table, again)
    for side, (own, other) in {"wsi": vectors, "rna": vectors[::-1]}.items():
        rows = table[table["modality"] == side].set_index("patient_id")
        for i, patient in enumerate(PEOPLE):
            order = np.argsort(-(other @ own[i]))
            assert rows.loc[patient, "rank"] == 1 + list(order).index(i)
            others = [PEOPLE[k] for k in order if k != i][:3]
            assert rows.loc[patient, ["nearest_1", "nearest_2", "nearest_3"]].tolist() == others


def test_in_a_collapsed_space_a_partner_stands_in_the_middle():
    alike = np.ones((41, 8), np.float32)
    assert set(space._side([str(i) for i in range(41)], "wsi", alike, alike)["rank"]) == {21}


def test_clusters_stay_together_on_the_map(mapped):
    points = mapped[0].set_index("patient_id")[["x", "y"]]
    a, b = (points[KIND.reindex(points.index) == kind] for kind in "ab")
    apart = np.linalg.norm(a.mean() - b.mean())
    assert apart > 2 * max(np.linalg.norm(part - part.mean(), axis=1).mean() for part in (a, b))


def test_neighbours_agree_by_more_than_chance_only_where_the_space_knows(mapped):
    told = neighbours_agree(mapped[0], KIND)
    assert told["share"] > 0.9 and told["chance"] == pytest.approx(2 * 20 * 19 / (40 * 39)) and told["n"] == 40
    shuffled = pd.Series(np.random.default_rng(1).permutation(KIND), PEOPLE)
    assert neighbours_agree(mapped[0], shuffled)["share"] < 0.7
    assert neighbours_agree(mapped[0], pd.Series([None] * 40, PEOPLE, dtype=object)) is None


def test_few_pairs_and_models_that_could_not_be_trained_have_no_map(vectors, monkeypatch):
    for status, count in (("ok", 7), ("not available", 40)):
        some = (PEOPLE[:count], *(side[:count] for side in vectors))
        monkeypatch.setattr(space, "embed_pairs", lambda *_, some=some: some)
        table = space.joint_map({"status": status}, None, None, PEOPLE, 3)
        check_table(table, SPACE)
        assert table.empty and space_figure(table, {"kind": KIND}) is None


def test_the_figure_has_a_panel_for_what_is_known(mapped):
    unknown = pd.Series([None] * 40, PEOPLE, dtype=object)
    sites = pd.Series([f"S{i % 10}" for i in range(40)], PEOPLE)
    figure = space_figure(mapped[0], {"kind": KIND, "nobody's": unknown, "site": sites})
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["kind", "site"]
    assert "others" in [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
