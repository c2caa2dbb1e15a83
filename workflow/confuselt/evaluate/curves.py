"""Rows of ``evaluate/curves`` that come from predictions alone: reliability."""

import numpy as np
import pandas as pd

from confuselt.evaluate.calibration import cumulative_incidence, followed, reliability
from confuselt.evaluate.comparisons import natural_inputs
from confuselt.evaluate.metrics import Train, competing_events, crude, rival_curves
from confuselt.evaluate.scores import Scorer
from confuselt.finetune.schema import CURVES
from confuselt.tables import empty_table

BINS = 5


def reliability_curves(scorer: Scorer, arms: list[str], competing: dict[str, str], train: Train) -> list[dict]:
    """Predicted against observed shares over the test patients of the first repeat, in five bins of equal size.

    For labels per class (``metric`` p_<class>), for endpoints per horizon (surv_<days>: share of events by
    Kaplan-Meier, or Aalen-Johansen where events compete, beside predictions of the same). A horizon that nobody of a
    bin is followed to has no point.
    """
    rows = []
    for task in (*scorer.targets.survival, *scorer.targets.labels):
        rivals = rival_curves(scorer.targets, task, competing.get(task), train)
        for arm in arms:
            inputs = natural_inputs(arm)
            tables = [t for (r, _), t in crude(scorer.tables(arm, 0, inputs, task), rivals).items() if r == 0]
            if not tables:
                continue
            table, key = (
                pd.concat(tables),
                {
                    "curve": "reliability",
                    "arm": arm,
                    "inputs": inputs,
                    "task": task,
                    "draw": 0,
                    "repeat": 0,
                    "fold": -1,
                },
            )
            known = scorer.targets.take(list(table.index))
            if task in scorer.targets.labels:
                for k, name in enumerate(scorer.targets.classes[task]):
                    use = known.labels[task] >= 0
                    found = reliability(table[f"p_{name}"].to_numpy()[use], known.labels[task][use] == k, BINS)
                    rows += [
                        {**key, "metric": f"p_{name}", "x": x, "value": v, "low": low, "high": high}
                        for x, v, low, high, _ in found
                    ]
                continue
            days, event = known.survival[task]
            use = np.isfinite(days)
            rival = competing_events(known, task, competing[task]) if competing.get(task) else np.zeros(len(days), bool)
            for horizon in (h for h in scorer.targets.horizons[task] if f"surv_{h}" in table):
                happens = 1 - table[f"surv_{horizon}"].to_numpy()
                for part in np.array_split(np.flatnonzero(use)[np.argsort(happens[use], kind="stable")], BINS):
                    if followed(days[part], event[part], horizon):
                        share, error = cumulative_incidence(days[part], event[part], rival[part], horizon)
                        limits = {"low": max(share - 1.96 * error, 0.0), "high": min(share + 1.96 * error, 1.0)}
                        rows.append(
                            {
                                **key,
                                "metric": f"surv_{horizon}",
                                "x": float(happens[part].mean()),
                                "value": share,
                                **limits,
                            }
                        )
    return rows


def curves_table(rows: list[dict], *tables: pd.DataFrame) -> pd.DataFrame:
    """Columns of ``evaluate/curves``: rows made here, and tables of earlier stages."""
    made = [pd.DataFrame(rows).reindex(columns=list(CURVES.columns))] if rows else []
    filled = made + [t for t in tables if len(t)]
    return pd.concat(filled, ignore_index=True) if filled else empty_table(CURVES)
