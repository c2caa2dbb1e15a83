"""Who does what in a fold."""

import pandas as pd


def read_roles(folds: pd.DataFrame, repeat: int, fold: int) -> dict[str, list[str]]:
    """Patients of each role of one fold."""
    rows = folds[(folds["repeat"] == repeat) & (folds["fold"] == fold)]
    if rows.empty:
        raise ValueError(f"split/folds.parquet has no repeat {repeat}, fold {fold}")
    return {role: list(rows.loc[rows["role"] == role, "patient_id"]) for role in ("train", "inner", "test")}
