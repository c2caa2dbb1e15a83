"""Classes called from RNA, for patients to whom the clinical table gives none: a written class wins."""

import pandas as pd


def by_calls(written: pd.Series, blank: pd.Series, calls: pd.DataFrame, task: dict) -> tuple[list[str | None], dict]:
    """Fill what is blank, and compare the rest.

    Parameters
    ----------
    written : Series of (str or None)
        Class of each row of the clinical table, by patient.
    blank : Series of bool
        Rows in which nothing is written; a class that cannot be read, or is left out on purpose, is none of them.
    calls : DataFrame
        ``rna/calls``.
    task : dict
        Of ``tasks.labels``.

    Returns
    -------
    classes : list of (str or None)
    agreement : dict
        ``filled`` and ``both`` count patients; ``kappa`` (Cohen 1960) and ``table`` (written class to called class to
        count) are about those with both.
    """
    called = calls.dropna(subset=["call"]).drop_duplicates("patient_id").set_index("patient_id")["call"]
    found = called.reindex(written.index).map(lambda c: task["aliases"].get(c, c), na_action="ignore")
    usable = found.isin(task["classes"]).to_numpy()
    filled = usable & blank.to_numpy() & ~written.index.duplicated()
    classes = [call if fill else own for own, call, fill in zip(written, found, filled, strict=True)]
    both = usable & written.notna().to_numpy() & ~written.index.duplicated()
    table = pd.crosstab(written[both].to_numpy(), found[both].to_numpy()) if both.any() else pd.DataFrame()
    agreement = {
        "filled": int(filled.sum()),
        "both": int(both.sum()),
        "kappa": _kappa(written[both], found[both]),
        "table": {str(row): {str(c): int(n) for c, n in cells.items()} for row, cells in table.iterrows()},
    }
    return classes, agreement


def _kappa(written: pd.Series, called: pd.Series) -> float | None:
    """Agreement beyond chance; None where one class is all that there is."""
    if pd.concat([written, called]).nunique() < 2:
        return None
    from sklearn.metrics import cohen_kappa_score  # only here: no other cohort needs it

    return float(cohen_kappa_score(written.to_numpy(str), called.to_numpy(str)))
