"""The first patients of a cohort, to try the chain on a few."""

from collections.abc import Iterable


def first_patients(clinical: Iterable[str | None], others: Iterable[str | None], limit: int | None) -> set[str] | None:
    """Patients that ``acquire.limit`` leaves.

    They are the first by id of the clinical table, or, without one, of all other tables.

    Returns
    -------
    set of str or None
        None: no limit.
    """
    if limit is None:
        return None
    known = {p for p in clinical if p} or {p for p in others if p}
    return set(sorted(known)[:limit])
