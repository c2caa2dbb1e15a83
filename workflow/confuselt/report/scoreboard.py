"""The best of every kind on one task, side by side: what a newcomer looks for first."""

import pandas as pd

from confuselt.controls.names import CONTROLS, LEAKY, PERMUTED
from confuselt.finetune.arms import ARMS, PLUS
from confuselt.report.found import CHANCE

KINDS = {"wsi": "slides alone", "rna": "RNA alone", "both": "slides and RNA"}


def scoreboard(metrics: pd.DataFrame, task: str, metric: str) -> list[dict]:
    """Rows ``kind, arm, value, low, high, of``: the highest arm per input, of so many; baselines; permuted; chance.

    Parameters
    ----------
    metrics : DataFrame
        ``evaluate/metrics``.
    task, metric : str
    """
    rows = metrics[
        (metrics["fold"] == -1)
        & (metrics["status"] == "ok")
        & (metrics["task"] == task)
        & (metrics["metric"] == metric)
        & metrics["value"].notna()
    ]
    controls = rows["arm"].isin((*CONTROLS, LEAKY))
    ours = rows[~controls & rows["arm"].isin(ARMS)]
    plain = rows[~controls & ~rows["arm"].isin(ARMS) & ~rows["arm"].str.startswith(PLUS)]
    found = [_best(name, ours[ours["inputs"] == inputs]) for inputs, name in KINDS.items()]
    found.append(_best("clinical covariates", plain[plain["arm"] == "clinical"]))
    found.append(_best("best other baseline", plain[plain["arm"] != "clinical"]))
    permuted = rows[rows["arm"].isin(PERMUTED) & (rows["inputs"] == "both")]
    if len(permuted):
        bounds = {"value": permuted["value"].mean(), "low": permuted["low"].min(), "high": permuted["high"].max()}
        found.append({"kind": "outcomes permuted", "arm": permuted.iloc[0]["arm"], **bounds, "of": len(permuted)})
    found.append({"kind": "chance", "arm": "", "value": CHANCE, "low": None, "high": None, "of": 0})
    return [row for row in found if row]


def _best(kind: str, rows: pd.DataFrame) -> dict | None:
    if rows.empty:
        return None
    best = rows.sort_values(["value", "arm"], ascending=[False, True]).iloc[0]
    return {"kind": kind, "of": len(rows), **best[["arm", "value", "low", "high"]].to_dict()}
