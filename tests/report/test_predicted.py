"""The page of predictions counts who was served, says why others were not, and names who lies far out."""

import numpy as np
import pandas as pd

from confuselt.predict.schema import PREDICTIONS
from confuselt.report.predicted import _called, build_predicted
from confuselt.tables import write_table

CFG = {"experiment": "first", "predict.arm": "both-pretrained-cells"}


def rows(tmp_path, **changes):
    table = pd.DataFrame(
        {
            "patient_id": ["A", "A", "B", "C"],
            "inputs": ["wsi", "rna", "wsi", "none"],
            "status": ["ok", "ok", "ok", "unavailable"],
            "reason": [None, None, None, "neither <slide> nor RNA"],
            "out_of_fold": [True, True, False, False],
            "out_of_distribution": [0.2, 0.3, 0.99, np.nan],
            "beyond_training": [0.0, 0.0, 0.4, np.nan],
            "rna_reference": [None, "training", None, None],
            "missing_genes": [np.nan, 0.0, np.nan, np.nan],
            "risk_os": [0.5, 0.1, 0.83, np.nan],
            "p_pam50_LumA": [0.7, 0.6, 0.2, np.nan],
            "p_pam50_Basal": [0.3, 0.4, 0.8, np.nan],
            "z_0": [1.0, 1.0, 1.0, np.nan],
        }
    ).assign(**changes)
    write_table(table, tmp_path / "p.parquet", PREDICTIONS, {"classes": {"pam50": ["LumA", "Basal"]}})
    return build_predicted(tmp_path / "p.parquet", "unseen", CFG)


def test_the_page_says_who_what_and_how_far(tmp_path):
    page = rows(tmp_path)
    assert (
        "2 of 3 patients are served: 2 with wsi, 1 with rna." in page
        and "1 of them are training patients, known by their id, slides or RNA" in page
    )
    assert "neither &lt;slide&gt; nor RNA" in page and "z_0" not in page
    assert "1 of 3 rows lie farther out than 95% of the training patients." in page
    assert '<td class="n">0.83</td>' in page and page.count("<svg") == 3
    far = page.split('id="far"')[1]
    assert "<td>B</td>" in far and "<td>A</td>" not in far


def test_labels_and_classes_may_hold_what_parts_names():
    """p_er_ihc_pos is of er_ihc, not of er; a class may be not_known."""
    classes = {"er": ["pos", "neg"], "er_ihc": ["pos", "neg"], "her2": ["pos", "not_known"]}
    columns = [f"p_{label}_{name}" for label, names in classes.items() for name in names]
    values = pd.DataFrame([[0.9, 0.1, 0.2, 0.8, 0.4, 0.6]], columns=columns).assign(inputs="wsi")
    panels = {axis.get_title(loc="left"): axis for axis in _called(values, classes).axes}
    ticks = {name: [t.get_text() for t in axis.get_xticklabels()] for name, axis in panels.items()}
    assert ticks == classes
    heights = {name: [bar.get_height() for bar in axis.patches] for name, axis in panels.items()}
    assert heights == {"er": [1, 0], "er_ihc": [0, 1], "her2": [0, 1]}


def test_a_missing_reason_is_no_number(tmp_path):
    page = rows(tmp_path, reason=[None, None, None, None])
    assert "<td>none was given</td>" in page and "nan" not in page.split('id="values"')[0].split("</header>")[1]


def test_a_cohort_of_which_nobody_is_served_has_a_page(tmp_path):
    page = rows(tmp_path, status="unavailable", reason="another recipe")
    assert "0 of 3 patients are served." in page and "Nothing could be predicted." in page and "<svg" not in page
