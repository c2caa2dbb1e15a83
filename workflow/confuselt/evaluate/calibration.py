"""Are predicted probabilities right: observed over expected, slope, reliability, net benefit."""

import numpy as np
from scipy.stats import norm

from confuselt.survival.ipcw import Steps, kaplan_meier


def cumulative_incidence(
    days: np.ndarray, event: np.ndarray, competing: np.ndarray | None, horizon: float
) -> tuple[float, float]:
    """Share with an event by a horizon, and its standard error.

    Parameters
    ----------
    days, event : (n,) float64
    competing : (n,) bool, optional
        Patients whose follow-up ended by a competing event: the Aalen-Johansen estimate; else 1 - Kaplan-Meier.
    horizon : float

    Returns
    -------
    share, error : float
        Error by Greenwood's formula (Kaplan-Meier) or by the delta method (Aalen-Johansen).
    """
    other = np.zeros(len(days), bool) if competing is None else np.asarray(competing, bool)
    any_event = ((event == 1) | other).astype(float)
    curve = kaplan_meier(days, any_event)
    times = np.unique(days[(any_event == 1) & (days <= horizon)])
    if not len(times):
        return 0.0, 0.0
    risk = np.array([(days >= t).sum() for t in times], float)
    own = np.array([((days == t) & (event == 1)).sum() for t in times], float)
    every = np.array([((days == t) & (any_event == 1)).sum() for t in times], float)
    before = np.concatenate([[1.0], curve.at(times)[:-1]])
    steps = before * own / risk
    share = steps.sum()
    # Delta method (Marubini & Valsecchi 1995); without competing events it is Greenwood's formula.
    left = share - np.cumsum(steps)
    safe = np.where(risk > every, risk - every, np.inf)
    variance = (
        left**2 * every / (risk * safe) + before**2 * own * (risk - own) / risk**3 - 2 * left * before * own / risk**2
    ).sum()
    return float(share), float(np.sqrt(max(variance, 0.0)))


def followed(days: np.ndarray, event: np.ndarray, horizon: float) -> bool:
    """Whether the share with an event by a horizon can be seen.

    It can where somebody is followed beyond it, or the last to leave had an event.
    """
    return bool(len(days)) and bool((days > horizon).any() or (event[days == days.max()] == 1).all())


def crude_survival(survival: np.ndarray, at: np.ndarray, rival: Steps) -> np.ndarray:
    """Probability of no event so far where competing events take patients away: 1 - cumulative incidence.

    A cause-specific model predicts what would happen if nothing competed; what is observed (Aalen-Johansen) is less.
    The predicted hazard is met by those whom no competing event has taken, at the rate of the training patients.

    Parameters
    ----------
    survival : (n, t) float64
        Predicted cause-specific curves.
    at : (t,) float64
        Days, rising.
    rival : Steps
        Kaplan-Meier's estimate for the competing event.

    Returns
    -------
    (n, t) float64
    """
    left = np.concatenate([[1.0], rival.at(at)])
    steps = -np.diff(np.column_stack([np.ones(len(survival)), survival]), axis=1)
    return 1 - np.cumsum(steps * (left[1:] + left[:-1]) / 2, axis=1)


def observed_expected(
    survival: np.ndarray, days: np.ndarray, event: np.ndarray, horizon: float, competing: np.ndarray | None = None
) -> tuple[float, float, float]:
    """Observed over expected share of events by a horizon, with its 95 % interval on the log scale.

    Parameters
    ----------
    survival : (n,) float64
        Predicted probability of no event by the horizon (where events compete: see `crude_survival`); probabilities,
        unlike risks, share a scale over folds.
    days, event : (n,) float64
    horizon : float
    competing : (n,) bool, optional

    Returns
    -------
    ratio, low, high : float
        NaN where nothing was observed or expected, or all of it for sure (one patient, or an event of everyone: no
        spread to tell an error by).
    """
    observed, error = cumulative_incidence(days, event, competing, horizon)
    expected = float(np.mean(1 - survival))
    if observed <= 0 or expected <= 0 or error <= 0:
        return np.nan, np.nan, np.nan
    half = norm.ppf(0.975) * error / observed
    ratio = observed / expected
    return ratio, float(ratio * np.exp(-half)), float(ratio * np.exp(half))


def calibration_slope(
    risk: np.ndarray, days: np.ndarray, event: np.ndarray, strata: np.ndarray, steps: int = 50
) -> tuple[float, float, float]:
    """Cox regression of the outcome on the predicted log hazard, stratified by fold: 1 is right, under 1 overfitted.

    Parameters
    ----------
    risk : (n,) float64
        Log hazard ratio.
    days, event : (n,) float64
    strata : (n,) int64
        Fold: baselines differ, the slope is shared.
    steps : int
        Newton steps at most.

    Returns
    -------
    slope, low, high : float
        95 % Wald interval; NaN where no slope can be estimated.
    """
    risk = risk - risk.mean()
    sets = []
    for s in np.unique(strata):
        mine = strata == s
        order = np.argsort(-days[mine], kind="stable")
        x, d, e = (v[mine][order] for v in (risk, days, event))
        sets.append((x, e == 1, np.searchsorted(-d, -d, side="right") - 1))
    slope = 0.0
    for _ in range(steps):
        score = information = 0.0
        for x, died, last in sets:
            weight = np.exp(np.clip(slope * x, -50, 50))
            total, first, second = (np.cumsum(weight * x**k)[last[died]] for k in (0, 1, 2))
            score += (x[died] - first / total).sum()
            information += (second / total - (first / total) ** 2).sum()
        if information <= 1e-12:
            return np.nan, np.nan, np.nan
        step = np.clip(score / information, -5, 5)
        slope += step
        if abs(step) < 1e-9:
            break
    else:
        return np.nan, np.nan, np.nan
    half = norm.ppf(0.975) / np.sqrt(information)
    return float(slope), float(slope - half), float(slope + half)


def reliability(
    probability: np.ndarray, happened: np.ndarray, bins: int = 5
) -> list[tuple[float, float, float, float, int]]:
    """Predicted against observed shares in bins of equal size.

    Parameters
    ----------
    probability : (n,) float64
    happened : (n,) bool
    bins : int

    Returns
    -------
    list of (mean predicted, observed share, low, high, n)
        Wilson's 95 % interval.
    """
    found, z = [], norm.ppf(0.975)
    for part in np.array_split(np.argsort(probability, kind="stable"), bins):
        if not len(part):
            continue
        n, share = len(part), float(happened[part].mean())
        centre, half = (
            (share + z**2 / (2 * n)) / (1 + z**2 / n),
            z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n),
        )
        found.append((float(probability[part].mean()), share, float(centre - half), float(centre + half), n))
    return found


def net_benefit(
    survival: np.ndarray,
    days: np.ndarray,
    event: np.ndarray,
    horizon: float,
    thresholds: np.ndarray,
    competing: np.ndarray | None = None,
) -> np.ndarray:
    """Net benefit of treating those whose predicted risk reaches a threshold.

    It is that of Vickers & Elkin (2006), for censored data that of Vickers (2008).

    Parameters
    ----------
    survival : (n,) float64
        Predicted survival probability at the horizon; 0 for everyone: treat all.
    days, event : (n,) float64
    horizon : float
    thresholds : (t,) float64
        Between 0 and 1.
    competing : (n,) bool, optional

    Returns
    -------
    (t,) float64
    """
    found = []
    for threshold in thresholds:
        high = 1 - survival >= threshold
        share = high.mean()
        happens = (
            cumulative_incidence(days[high], event[high], None if competing is None else competing[high], horizon)[0]
            if high.any()
            else 0.0
        )
        found.append(share * happens - share * (1 - happens) * threshold / (1 - threshold))
    return np.array(found)
