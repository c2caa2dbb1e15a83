"""How much of a result may be the site.

C within sites, without the largest, of the sites' event rates alone; sites read off the embedding.
"""

import warnings

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from confuselt.evaluate.comparisons import natural_inputs
from confuselt.evaluate.retrieval import Gallery
from confuselt.evaluate.scores import Block, Scorer, score_folds
from confuselt.finetune.targets import Targets

LEAST_PROBED = 6  # test pairs of a site under which it is left out of the probe
PARTS = 3  # parts of the probe's cross-validation


def site_curves(scorer: Scorer, site: dict[str, str], arms: list[str]) -> list[dict]:
    """C of every arm within sites and without the largest site, and of the event rate of a patient's own site.

    Parameters
    ----------
    scorer : Scorer
    site : dict of str to str
        Site of each patient that has one; empty: nothing can be said.
    arms : list of str

    Returns
    -------
    list of dict
        Rows of ``evaluate/curves``: ``within-site``, ``without-largest-site``, ``site-event-rate``.
    """
    if len(set(site.values())) < 2:
        return []
    largest = pd.Series(site).value_counts().index[0]
    rest = frozenset(p for p, s in site.items() if s != largest)
    group = {p: str(site.get(p, f"none {p}")) for p in scorer.targets.patients}
    rows = []
    for task in scorer.targets.survival:
        for arm in arms:
            inputs = natural_inputs(arm)
            if not scorer.tables(arm, 0, inputs, task):
                continue
            key = {"arm": arm, "inputs": inputs, "task": task}
            rows.append(_row("within-site", key, scorer.block(arm, 0, inputs, task, group=group)))
            rows.append(
                _row(
                    "without-largest-site",
                    key,
                    scorer.block(arm, 0, inputs, task, only=dict.fromkeys(scorer.tables(arm, 0, inputs, task), rest)),
                )
            )
        rows += _own_rate(scorer, site, task)
    return rows


def _row(curve: str, key: dict, block: Block) -> dict:
    low, high = block.interval().bounded
    reason = None if np.isfinite(block.value) else "no comparable pair of patients"
    over = {"metric": "harrell_c", "draw": 0, "repeat": -1, "fold": -1}
    return {"curve": curve, **key, **over, "value": block.value, "low": low, "high": high, "reason": reason}


def event_rates(targets: Targets, site: dict[str, str], task: str) -> dict[str, float]:
    """Share of a site's patients with an event, for each patient.

    It is what a score would be that knew the site and nothing else.
    """
    days, event = targets.survival[task]
    frame = pd.DataFrame(
        {"site": [site.get(p) for p in targets.patients], "event": np.where(np.isfinite(days), event, np.nan)}
    )
    return dict(zip(targets.patients, frame.groupby("site")["event"].transform("mean"), strict=True))


def _own_rate(scorer: Scorer, site: dict[str, str], task: str) -> list[dict]:
    """C of `event_rates` on the folds of any arm that covers most patients; pairs of one site are ties."""
    made = [k for k in scorer.made() if k[3] == task and k[1] == 0]
    if not made:
        return []
    widest = max(made, key=lambda k: len(scorer.patients(*k)))
    rate = event_rates(scorer.targets, site, task)
    tables = {
        key: pd.DataFrame({"risk": [rate[p] for p in table.index]}, index=table.index).dropna()
        for key, table in scorer.tables(*widest).items()
    }
    block = score_folds(tables, scorer.survival_fold(task), scorer.resampling, {}, ())
    return [_row("site-event-rate", {"arm": "site-event-rate", "inputs": "site", "task": task}, block)]


def site_probe(galleries: list[Gallery], site: dict[str, str]) -> list[dict]:
    """How well sites can be read off the embeddings of test patients.

    By logistic regression, cross-validated over the patients of a test fold.

    Returns
    -------
    list of dict
        Rows of ``evaluate/curves``, ``site-probe``: balanced accuracy per model, modality and fold; ``x`` is chance
        (1 / sites).
    """
    rows = []
    for gallery in galleries:
        names = pd.Series([site.get(p) for p in gallery.patients], dtype=object)
        counts = names.value_counts()
        use = names.isin(counts.index[counts >= LEAST_PROBED]).to_numpy()
        if names[use].nunique() < 2:
            continue
        key = {
            "curve": "site-probe",
            "arm": gallery.model,
            "metric": "balanced_accuracy",
            "draw": gallery.draw,
            "repeat": gallery.repeat,
            "fold": gallery.fold,
        }
        for modality, vectors in (("wsi", gallery.wsi), ("rna", gallery.rna)):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000, class_weight="balanced"))
            parts = StratifiedKFold(PARTS, shuffle=True, random_state=0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                called = cross_val_predict(model, vectors[use], names[use].astype(str), cv=parts)
            value = balanced_accuracy_score(names[use].astype(str), called)
            rows.append(key | {"inputs": modality, "x": 1 / names[use].nunique(), "value": float(value)})
    return rows


def missing_outcomes(outcomes: pd.DataFrame, endpoints: list[str]) -> list[dict]:
    """Who lacks an endpoint: overall, among those with and without an event of another one, and at which sites most do.

    Parameters
    ----------
    outcomes : DataFrame
        Usable patients of ``acquire/outcomes``.
    endpoints : list of str
    """
    rows = []
    for name in endpoints:
        lost = outcomes[f"{name}_event"].isna() | outcomes[f"{name}_days"].isna()
        others = [f"{o}_event" for o in endpoints if o != name]
        event = (outcomes[others] == 1).any(axis=1) if others else pd.Series(False, index=outcomes.index)
        by_site = lost.groupby(outcomes["site"]).agg(["sum", "mean"])
        rows.append(
            {
                "task": name,
                "missing": int(lost.sum()),
                "patients": len(outcomes),
                "with_event": f"{int(lost[event].sum())} of {int(event.sum())}",
                "without_event": f"{int(lost[~event].sum())} of {int((~event).sum())}",
                "sites": ", ".join(f"{s} ({int(r['sum'])})" for s, r in by_site[by_site["mean"] > 0.5].iterrows())
                or "none",
            }
        )
    return rows
