"""Ids that match nothing: the rule that would make them match is told."""

import pandas as pd
import pytest

from confuselt.acquire.cohort import exclude_unmatched
from confuselt.acquire.ids import explained

KNOWN = [f"TCGA-A1-A{i:03d}" for i in range(30)]


@pytest.mark.parametrize(
    ("ids", "known", "said"),
    [
        ([f"{k}-01A" for k in KNOWN], KNOWN, "30 of 30 such ids are a known id + '-01A'"),
        (
            [f"{k}-01A" for k in KNOWN[:28]] + [f"{k}-11A" for k in KNOWN[28:]],
            KNOWN,
            "30 of 30 such ids are a known id + '-01A' (28 times), '-11A', which is normal tissue (2 times)",
        ),
        ([f"{k}-06A-11R-A32" for k in KNOWN], KNOWN, "+ '-06A-11R-A32', which is metastasis"),
        ([f"{k}.DX1" for k in KNOWN], KNOWN, "30 of 30 such ids are a known id + '.DX1'"),
        (KNOWN, [f"{k}-01" for k in KNOWN], "30 of 30 such ids are a known id without its ending '-01'"),
        ([k.lower() for k in KNOWN], KNOWN, "a known id in other upper and lower case"),
        ([k.replace("-", ".") for k in KNOWN], KNOWN, "a known id with other marks"),
        ([f"{i}" for i in range(1, 9)], [f"{i:03d}" for i in range(1, 9)], "with other zeros in front of its number"),
        ([f"{i}.0" for i in range(10, 19)], [f"{i}" for i in range(10, 19)], "+ '.0'"),
        ([f"patient{i}" for i in range(10, 19)], [f"P-{i}" for i in range(10, 19)], "another text around its number"),
        (["A", "B", f"{KNOWN[0]}-01"], KNOWN, None),
        (["x", "y"], ["p", "q"], None),
        ([], KNOWN, None),
        (["1-a", "1-b"], [], None),
    ],
)
def test_the_rule_is_told(ids, known, said):
    found = explained(ids, known)
    assert found is None if said is None else said in found


def test_it_stands_in_the_reason_of_every_such_row():
    frame = pd.DataFrame({"patient_id": [f"{k}-01A" for k in KNOWN] + KNOWN[:1], "status": "ok", "reason": None})
    out = exclude_unmatched(frame, set(KNOWN), "clinical.csv", "rna.parquet")
    assert (out["status"] == "excluded").sum() == 30
    assert out["reason"][0] == (
        "rna.parquet: id 'TCGA-A1-A000-01A' matches nothing in clinical.csv; "
        "30 of 30 such ids are a known id + '-01A': make them equal"
    )
