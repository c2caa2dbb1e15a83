"""Everything that is said of an experiment and its controls, as tables."""

from dataclasses import dataclass

import pandas as pd

from confuselt.evaluate.added_value import added_value_curves, compare_brier
from confuselt.evaluate.comparisons import compare, compare_retrieval, comparisons_table
from confuselt.evaluate.curves import curves_table, reliability_curves
from confuselt.evaluate.experiment import Experiment
from confuselt.evaluate.metrics import leaky_rows, metric_rows, metrics_table, unavailable_rows
from confuselt.evaluate.retrieval import Gallery, retrieval_rows, retrieval_table
from confuselt.evaluate.schema import STRATA
from confuselt.evaluate.sites import site_curves, site_probe
from confuselt.evaluate.strata import strata_rows
from confuselt.survival.ipcw import Censoring


@dataclass(frozen=True)
class Scored:
    """Tables of ``evaluate``.

    Attributes
    ----------
    predictions, metrics, comparisons, retrieval : DataFrame
    rows : list of dict
        Rows of curves.
    strata : DataFrame
        Table of `evaluate`.
    """

    predictions: pd.DataFrame
    metrics: pd.DataFrame
    comparisons: pd.DataFrame
    retrieval: pd.DataFrame
    rows: list[dict]
    strata: pd.DataFrame

    def curves(self, *more: pd.DataFrame) -> pd.DataFrame:
        """Curves made here and by earlier stages."""
        return curves_table(self.rows, *more)


def score(
    ours: Experiment,
    controls: list[Experiment],
    found: list[Gallery],
    lost: list[dict],
    outcomes: pd.DataFrame,
    covariates: pd.DataFrame,
    leaky: list[pd.DataFrame],
    cells: bool,
    cfg: dict,
) -> Scored:
    """Score the main run, then each control against its own folds and outcomes.

    Parameters
    ----------
    ours : Experiment
    controls : list of Experiment
        Those that share folds and outcomes with the main run are compared with its arms.
    found, lost : list
        Galleries of the models of pretraining, and which of them were not available.
    outcomes, covariates : DataFrame
        ``acquire/outcomes``, ``acquire/covariates``.
    leaky : list of DataFrame
        ``finetune/leaky-chance``; empty where it was not asked for.
    cells : bool
        Whether the cohort has a cells stream.
    cfg : dict
        ``evaluate.*`` keys of the script, ``tasks.*``.
    """
    reasons, not_learnable, apart, beside = dict(ours.reasons), list(ours.not_learnable), [], {}
    for control in controls:
        reasons |= control.reasons
        not_learnable += control.not_learnable
        if control.shares(ours):
            ours.join(control)
            beside |= {arm: reason for (arm, _), reason in control.reasons.items()}
        else:
            apart.append(control)
    competing = {t["name"]: t["competing"] for t in cfg["tasks.survival"] if t.get("competing")}
    censoring: dict[tuple, Censoring | None] = {}
    rows = metric_rows(ours.scorer, ours.train, competing, censoring, cfg)
    for control in apart:
        rows += metric_rows(control.scorer, control.train, competing, {}, cfg)
    predictions = pd.concat([e.predictions for e in (ours, *apart)], ignore_index=True)
    known = [*ours.targets.survival, *ours.targets.labels]
    rows += unavailable_rows(reasons, not_learnable, predictions, known)
    rows += [r for table in leaky for r in leaky_rows(table)]
    scored = set(ours.predictions["arm"])
    main_reasons = {arm: reason for (arm, _), reason in ours.reasons.items()} | {
        arm: reason for arm, reason in beside.items() if arm not in scored
    }
    arms = sorted(scored | set(main_reasons))
    compared = compare(ours.scorer, ours.inner, main_reasons, arms, cells, cfg)
    compared += compare_brier(ours.scorer, arms, censoring, cfg)
    compared += compare_retrieval(found, lost, ours.scorer, cells, cfg)
    facts = outcomes.set_index("patient_id")
    label = facts[f"label_{cfg['tasks.labels'][0]['name']}"].to_dict() if cfg["tasks.labels"] else {}
    single = [a for a in arms if any(k[0] == a and k[1] == 0 for k in ours.scorer.made())]
    curves = site_curves(ours.scorer, ours.site, single)
    curves += site_probe([g for g in found if g.repeat == 0], ours.site)
    curves += added_value_curves(ours.scorer, single, competing, ours.train)
    curves += reliability_curves(ours.scorer, single, competing, ours.train)
    table = retrieval_table(
        retrieval_rows(found, facts["site"].to_dict(), label, cfg["evaluate.k"], ours.resampling), lost
    )
    first = [cfg["evaluate.primary"], *(t["name"] for t in cfg["tasks.labels"][:1])]
    parts = strata_rows(ours.scorer, outcomes, covariates, list(dict.fromkeys(t for t in first if t in known)))
    strata = pd.DataFrame(parts, columns=list(STRATA.columns))
    return Scored(predictions, metrics_table(rows), comparisons_table(compared), table, curves, strata)
