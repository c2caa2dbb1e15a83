"""What choosing the epoch on the test fold makes of chance.

A small fixed network is trained on permuted outcomes, so that there is nothing to learn, and its test C is read after
every epoch. Who reports each fold at its own best test epoch reports a running maximum of noise; the honest curve
beside it takes the epoch from the inner part, by partial likelihood, as every arm does.
"""

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA

from confuselt.finetune.baselines import standardise
from confuselt.finetune.schema import CURVES
from confuselt.learn.checkpoint import seed_of
from confuselt.learn.optimiser import AdamW
from confuselt.progress import progress
from confuselt.survival.concordance import ratio, survival_pairs
from confuselt.survival.cox import cox_loss
from confuselt.unusable import NotAvailable

COMPONENTS, HIDDEN, RATE = 48, 32, 1e-2


def leaky_curves(
    rows: np.ndarray,
    folds: list[dict[str, np.ndarray]],
    days: np.ndarray,
    event: np.ndarray,
    seeds: int,
    epochs: int,
    seed: int,
) -> pd.DataFrame:
    """C of a chance model by number of epochs, chosen on the test fold and chosen on the inner part.

    Parameters
    ----------
    rows : (n, d) float64
        Mean features of the patients.
    folds : list of dict of str to (k,) int64
        Per fold the rows of ``train``, ``inner`` and ``test`` patients.
    days, event : (n,) float64
        True outcomes; each draw permutes them over all patients, together.
    seeds : int
        Number of draws.
    epochs : int
    seed : int

    Returns
    -------
    DataFrame
        ``arm`` (leaky-chance, honest), ``x`` (epochs), ``draw`` (from 1), ``value``: mean over folds of Harrell's C. A
        fold whose test patients allow no pair under a permutation does not count in it.

    Raises
    ------
    NotAvailable
        Fewer than 10 patients train in a fold, or there is no event.
    """
    if min((len(f["train"]) for f in folds), default=0) < 10:
        raise NotAvailable("fewer than 10 training patients of a fold have a slide and a known outcome")
    if event.sum() == 0:
        raise NotAvailable(f"no events among {len(event)} patients")
    shown = [components(standardise({r: rows[at] for r, at in f.items()})[0]) for f in folds]
    tables = []
    for draw in progress(range(1, seeds + 1), "leaky chance"):
        order = np.random.default_rng([seed, draw, 31]).permutation(len(days))
        best, chosen = [], []
        for k, (fold, x) in enumerate(zip(folds, shown, strict=True)):
            outcomes = {r: (days[order[at]], event[order[at]]) for r, at in fold.items()}
            found = read_epochs(x, outcomes, epochs, (seed, draw, k))
            best.append(by_test(found["test_c"]))
            chosen.append(by_inner(found["test_c"], found["inner_loss"]))
        for arm, values in (("leaky-chance", best), ("honest", chosen)):
            seen = [v for v in values if np.isfinite(v).all()]
            if seen:
                tables.append(
                    pd.DataFrame(
                        {"arm": arm, "x": np.arange(1.0, epochs + 1), "draw": draw, "value": np.mean(seen, axis=0)}
                    )
                )
    if not tables:
        raise NotAvailable("no test fold has a pair of patients whose order is known")
    return pd.concat(tables, ignore_index=True).reindex(columns=list(CURVES.columns))


def components(rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The first principal components of the training patients that vary at all, at unit variance, of every role."""
    pca = PCA(min(COMPONENTS, *rows["train"].shape), random_state=0).fit(rows["train"])
    use = pca.explained_variance_ > 1e-9 * pca.explained_variance_[0]
    return {
        r: (v - pca.mean_) @ pca.components_[use].T / np.sqrt(pca.explained_variance_[use]) for r, v in rows.items()
    }


def read_epochs(
    rows: dict[str, np.ndarray], outcomes: dict[str, tuple[np.ndarray, np.ndarray]], epochs: int, seed: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """Train on the training patients of a fold and look at inner and test patients after every epoch.

    Parameters
    ----------
    rows : dict of str to (n, d) float64
        Per role.
    outcomes : dict of str to ((n,), (n,)) float64
        Days and event per role.
    epochs : int
        Full-batch steps of Adam.
    seed : tuple of int

    Returns
    -------
    dict
        ``test_c`` (epochs,), Harrell's C of the test patients, NaN where no pair is comparable; ``inner_loss``
        (epochs,), partial likelihood per event, NaN where no inner patient has an event.
    """
    torch.manual_seed(seed_of("leaky", *seed))
    x = {r: torch.from_numpy(v).float() for r, v in rows.items()}
    known = {r: tuple(torch.from_numpy(v).float() for v in pair) for r, pair in outcomes.items()}
    network = torch.nn.Sequential(
        torch.nn.Linear(x["train"].shape[1], HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 1)
    )
    optimiser = AdamW(network.parameters(), lr=RATE, weight_decay=0.0)
    informed = outcomes["inner"][1].sum() > 0
    test_c, inner_loss = np.full(epochs, np.nan), np.full(epochs, np.nan)
    for epoch in range(epochs):
        optimiser.zero_grad()
        cox_loss(network(x["train"]).squeeze(1), *known["train"]).backward()
        optimiser.step()
        with torch.no_grad():
            pairs = survival_pairs(network(x["test"]).squeeze(1).numpy().astype(float), *outcomes["test"])
            test_c[epoch] = ratio(pairs.won.sum(), pairs.comparable.sum())
            if informed:
                inner_loss[epoch] = cox_loss(network(x["inner"]).squeeze(1), *known["inner"]).item()
    return {"test_c": test_c, "inner_loss": inner_loss}


def by_test(test_c: np.ndarray) -> np.ndarray:
    """The best test C up to each epoch, (epochs,): what is reported where the epoch is chosen on the test fold."""
    return np.maximum.accumulate(test_c)


def by_inner(test_c: np.ndarray, inner_loss: np.ndarray) -> np.ndarray:
    """Test C at the epoch with the best inner loss up to each epoch, (epochs,).

    Where no inner patient informs it, the last stands.
    """
    if not np.isfinite(inner_loss).all():
        return test_c
    return test_c[[int(inner_loss[: x + 1].argmin()) for x in range(len(inner_loss))]]
