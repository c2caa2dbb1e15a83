"""What a contrast says: Holm's adjustment, the verdict, non-inferiority, events needed."""

import numpy as np

YES, NO, OPEN = "yes", "no", "cannot tell"


def holm(p: list[float]) -> list[float]:
    """Holm's adjusted p-values; NaN (a planned contrast that could not be made) stays NaN and still counts."""
    adjusted, running = [np.nan] * len(p), 0.0
    order = sorted((i for i, v in enumerate(p) if np.isfinite(v)), key=lambda i: p[i])
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = running
    return adjusted


def verdict(low: float, high: float, p_holm: float, delta: float, alpha: float = 0.05) -> str:
    """yes: interval above 0 and p_holm at most alpha; no: interval within ± delta; else cannot tell."""
    if low > 0 and p_holm <= alpha:
        return YES
    if -delta < low and high < delta:
        return NO
    return OPEN


def non_inferior(low: float, high: float, margin: float) -> str:
    """yes: the interval lies above -margin; no: it lies below; else cannot tell."""
    if low > -margin:
        return YES
    return NO if high < -margin else OPEN


def events_needed(events: int, detectable: float, wanted: float) -> float:
    """Events at which `wanted` would be detectable, were the error to fall with their square root."""
    return events * (detectable / wanted) ** 2
