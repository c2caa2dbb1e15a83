"""Gene sets against attributions: a planted one is found, random ones are not, names of another kind are said."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

from confuselt.report.pathways import FEWEST, SHOWN, matched, pathways, ranked_sets

GENES = [f"GENE{k:04d}" for k in range(600)]
PLANTED = GENES[:30]
FOLDS = 3


def attributions(genes, strengths, task="os", output="risk", direction=1.0):
    """Rows of ``evaluate/attributions`` in which every fold has chosen every gene."""
    rows = {"arm": "rna-scratch", "task": task, "output": output, "stream": "rna", "feature": genes, "n": 40}
    folds = [pd.DataFrame({**rows, "fold": f, "strength": strengths, "error": 0.0}) for f in range(FOLDS)]
    return pd.concat(folds, ignore_index=True).assign(direction=direction)


def planted(rng):
    """Strengths of `GENES`: those of `PLANTED` are larger."""
    return rng.gamma(2, size=len(GENES)) * np.where(np.isin(GENES, PLANTED), 5, 1)


def members(**sets):
    return {name: (set(genes), len(genes)) for name, genes in sets.items()}


def written(path, sets):
    path.write_text("".join("\t".join([name, "", *genes]) + "\n" for name, genes in sets.items()))
    return path


def test_a_planted_set_is_found_and_random_ones_are_not():
    rng = np.random.default_rng(0)
    random = {f"R{k}": set(rng.choice(GENES[30:], 30, replace=False)) for k in range(200)}
    table = attributions(GENES, planted(rng), direction=-1.0)
    ranked = ranked_sets(table, members(planted=PLANTED, **random)).set_index("pathway")
    first = ranked.iloc[0]
    assert first.name == "planted" and first["auc"] > 0.9 and first["q"] < 1e-6 and first["direction"] == -1
    # They hold none of the strong genes, so that they rank, if anything, low.
    assert (ranked["q"].drop("planted") > 0.05).all()


def test_under_no_effect_p_is_as_often_small_as_it_should_be():
    rng = np.random.default_rng(1)
    random = {f"R{k}": set(rng.choice(GENES, 30, replace=False)) for k in range(1000)}
    ranked = ranked_sets(attributions(GENES, rng.gamma(2, size=len(GENES))), members(**random))
    assert 0.03 < (ranked["p"] < 0.05).mean() < 0.07 and ranked["q"].min() > 0.05
    assert abs(ranked["auc"].mean() - 0.5) < 0.01


def test_auc_p_and_q_are_those_of_other_libraries():
    rng = np.random.default_rng(2)
    strengths = np.round(planted(rng), 1)  # ties
    sets = {f"S{k}": list(rng.choice(GENES, int(rng.integers(5, 80)), replace=False)) for k in range(30)}
    ranked = ranked_sets(attributions(GENES, strengths), members(**sets)).set_index("pathway")
    for name, genes in sets.items():
        inside = np.isin(GENES, genes)
        assert ranked.at[name, "auc"] == pytest.approx(roc_auc_score(inside, strengths))
        test = mannwhitneyu(strengths[inside], strengths[~inside], alternative="greater", method="asymptotic")
        assert ranked.at[name, "p"] == pytest.approx(test.pvalue)
    np.testing.assert_allclose(ranked["q"], multipletests(ranked["p"], method="fdr_bh")[1])


def test_q_is_over_the_sets_of_one_output_and_a_gene_that_a_fold_has_not_chosen_counts_as_0_there():
    rng = np.random.default_rng(3)
    weak = attributions(GENES, np.full(len(GENES), 1.0), output="Basal", task="pam50")
    both = pd.concat([attributions(GENES, planted(rng)), weak])
    ranked = ranked_sets(both, members(planted=PLANTED, other=GENES[100:140]))
    assert ranked.groupby("task").size().to_dict() == {"os": 2, "pam50": 2}
    assert (ranked.loc[ranked["task"] == "pam50", ["auc", "q"]] == [0.5, 1.0]).all(axis=None)
    # Chosen by one fold of three: a third of its strength, and of its direction.
    once = both[(both["task"] == "pam50") & (~both["feature"].isin(PLANTED) | (both["fold"] == 0))]
    row = ranked_sets(once, members(planted=PLANTED)).iloc[0]
    assert row["auc"] == 0 and row["direction"] == pytest.approx(1 / 3)


def test_sets_with_few_genes_in_the_model_or_few_beside_them_are_not_tested():
    table = attributions(GENES, np.arange(len(GENES), dtype=float))
    sets = members(few=GENES[: FEWEST - 1], enough=GENES[:FEWEST], nearly=GENES[FEWEST - 1 :], all=GENES)
    assert list(ranked_sets(table, sets)["pathway"]) == ["enough"]


def test_names_meet_without_versions_and_entrez_ids_and_no_symbol_becomes_an_id():
    sets = {"A": ["ENSG00000091831.23", "ENSG00000082175", "ESR1"], "B": ["MKI67", "7157", "esr1"]}
    seen = ["ENSG00000091831", "ENSG00000082175.4", "MKI67|4288", "x"]
    assert matched(sets, seen) == {"A": {"ENSG00000091831", "ENSG00000082175.4"}, "B": {"MKI67|4288"}}


def test_the_page_is_told_what_was_tested_and_the_first_of_each_output(tmp_path):
    rng = np.random.default_rng(4)
    sets = {"planted": [*PLANTED, "ELSEWHERE"]} | {f"R{k}": list(rng.choice(GENES, 20)) for k in range(25)}
    sets |= {"few": [*GENES[:2], "ELSEWHERE"], "none": ["A", "B"]}
    table = pd.concat([attributions(GENES, planted(rng), output=o, task="pam50") for o in ("LumA", "Basal")])
    cells = table.assign(stream="cells", feature="density")
    told = pathways(pd.concat([table, cells]), written(tmp_path / "sets.gmt", sets), ["os", "pam50"])
    assert "sets.gmt has 28 gene sets" in told.said and "of the 600 genes" in told.said
    assert told.said.endswith("5 of these genes or more: 26.")
    every = pathways(table, written(tmp_path / "all.gmt", {"all": GENES, "planted": PLANTED}), ["pam50"])
    assert every.said.endswith("or more: 1. Left out, for fewer than 5 genes of the model stand beside theirs: 1.")
    assert list(told.tables) == ["pam50"]
    rows = told.tables["pam50"]
    assert [r["output"] for r in rows] == ["Basal"] * SHOWN + ["LumA"] * SHOWN
    assert [(r["pathway"], r["found"], r["genes"]) for r in rows[::SHOWN]] == [("planted", 30, 31)] * 2


@pytest.mark.parametrize("theirs", [["2099", "5241"], ["ENSG00000091831", "ENSG00000082175"]])
def test_names_of_another_kind_are_said_with_the_first_of_both(tmp_path, theirs):
    told = pathways(attributions(GENES, np.ones(len(GENES))), written(tmp_path / "s.gmt", {"A": theirs}), ["os"])
    assert not told.tables and "GENE0000, GENE0001, GENE0002" in told.said and ", ".join(theirs) in told.said


def test_without_an_arm_of_rna_nothing_is_tested_and_that_is_said(tmp_path):
    path = written(tmp_path / "s.gmt", {"A": GENES[:9]})
    cells = attributions(GENES, np.ones(len(GENES))).assign(stream="cells")
    for table in (None, cells, cells[:0]):
        assert "no arm of RNA alone" in pathways(table, path, ["os"]).said
