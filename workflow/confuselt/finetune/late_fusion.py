"""Late fusion: the mean of what a slides-only and an RNA-only model say."""

import pandas as pd


def fuse(singles: dict[str, tuple[pd.DataFrame, dict]]) -> pd.DataFrame:
    """Mean standardised risk and mean class probabilities of one fold.

    Parameters
    ----------
    singles : dict of str to (DataFrame, dict)
        Modality (its input pattern) to the predictions of the fold's test patients and the facts of the fold, whose
        ``spread`` holds mean and SD of the training patients' risk: Cox risks of two models share no scale.

    Returns
    -------
    DataFrame
        ``patient_id, inputs, task, output, value`` of the patients and tasks that every model predicts.
    """
    parts = [
        _on_one_scale(table[table["inputs"] == modality], facts["spread"].get(modality, {}))
        for modality, (table, facts) in singles.items()
    ]
    mean = pd.concat(parts, axis=1, join="inner").mean(axis=1).rename("value")
    return mean.reset_index().assign(inputs="both")[["patient_id", "inputs", "task", "output", "value"]]


def _on_one_scale(table: pd.DataFrame, spread: dict[str, list[float]]) -> pd.Series:
    """Risks in SDs of the training patients, class probabilities as they are; curves are left out."""
    risk = table["output"] == "risk"
    rows = table[risk | table["output"].str.startswith("p_")]
    centre, scale = (rows["task"].map({t: s[k] for t, s in spread.items()}).astype(float) for k in (0, 1))
    values = rows["value"].where(rows["output"] != "risk", (rows["value"] - centre) / scale.replace(0.0, 1.0))
    return pd.Series(values.to_numpy(), index=pd.MultiIndex.from_frame(rows[["patient_id", "task", "output"]]))
