"""Every fold of one arm or baseline: trained, saved, and resumed after a killed job."""

import logging
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from confuselt.finetune.schema import PREDICTIONS
from confuselt.learn.checkpoint import load_checkpoint, save_checkpoint
from confuselt.learn.kept import Kept
from confuselt.resume import fold_key, resumed
from confuselt.tables import empty_table
from confuselt.unusable import NotAvailable
from confuselt.written import written

log = logging.getLogger(__name__)


def run_folds(
    train: Callable[[int, Kept], tuple[dict, pd.DataFrame]],
    count: int,
    inputs_of: Callable[[int], list[Path]],
    cfg: dict,
    parts: Path,
) -> tuple[list[dict], list[pd.DataFrame], str | None]:
    """Run `train` for every fold, keeping each finished fold in `parts` until all are done.

    Parameters
    ----------
    train : callable
        Fold, and where its state is kept, to (weights and facts, predictions); may raise NotAvailable.
    count : int
        Number of folds.
    inputs_of : callable
        Fold to the files that it reads: a part is reused only while their content, the config and the code are the
        same.
    cfg : dict
    parts : Path
        Folder of the parts; `run_step` removes it once the outputs are in place.

    Returns
    -------
    folds, predictions : list
    reason : str or None
        Why the arm is not available (no fold then).
    """
    folds, predictions = [], []
    for fold in range(count):
        key = fold_key(inputs_of(fold), cfg)
        part = parts / f"f{fold}.pt"
        kept = load_checkpoint(part) if part.exists() else {}
        if kept.get("key") != key:
            try:
                facts, table = train(fold, Kept(parts, f"f{fold}", key))
            except NotAvailable as reason:
                log.warning("not available: %s", reason)
                return [], [], str(reason)
            kept = {"key": key, "facts": facts, "predictions": {c: table[c].tolist() for c in table}}
            with written(part) as partial:
                save_checkpoint(kept, partial)
        else:
            resumed(fold)
        folds.append(kept["facts"])
        predictions.append(pd.DataFrame(kept["predictions"]).assign(fold=fold))
    return folds, predictions, None


def prediction_table(predictions: list[pd.DataFrame], arm: str, repeat: int) -> pd.DataFrame:
    """Columns of ``finetune/predictions`` from the tables of the folds.

    ``draw`` is 0: `evaluate` numbers the controls.
    """
    filled = [p for p in predictions if len(p)]
    if not filled:
        return empty_table(PREDICTIONS)
    table = pd.concat(filled, ignore_index=True)
    return table.assign(arm=arm, draw=0, missing=None, missing_rate=0.0, repeat=repeat)[list(PREDICTIONS.columns)]
