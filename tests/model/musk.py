"""The ABMIL module alone on MUSK1: 10-fold cross-validation, repeated (protocol of Ilse et al. 2018)."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import StratifiedKFold
from torch.nn import functional as F

from confuselt.model.abmil import GatedABMIL
from confuselt.model.packed import Packed

EPOCHS, RATE, DECAY = 100, 2e-3, 5e-2


def read_bags(path: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """Instances of each bag, and bag labels."""
    table = pd.read_csv(path, header=None)
    groups = list(table.groupby(1))
    return [g.iloc[:, 2:].to_numpy(np.float32) for _, g in groups], np.array([int(g.iloc[0, 0] > 0) for _, g in groups])


def packed(bags: list[np.ndarray]) -> Packed:
    """What `GatedABMIL.forward` takes."""
    return Packed(torch.from_numpy(np.concatenate(bags)), [len(b) for b in bags])


def fold_accuracy(
    train: list[np.ndarray], labels: np.ndarray, test: list[np.ndarray], truth: np.ndarray, seed: int
) -> float:
    """Train on the bags of nine folds, accuracy on the tenth; standardised on the training folds."""
    torch.manual_seed(seed)
    rows = np.concatenate(train)
    centre, scale = rows.mean(0), rows.std(0) + 1e-6
    train, test = ([(b - centre) / scale for b in bags] for bags in (train, test))
    pool, head = GatedABMIL(rows.shape[1], 64, 32, dropout=0.25), torch.nn.Linear(64, 1)
    parameters = [*pool.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=RATE, weight_decay=DECAY)
    rng = np.random.default_rng(seed)
    pool.train()
    for _ in range(EPOCHS):
        for chosen in np.array_split(rng.permutation(len(train)), 8):
            logit = head(pool(packed([train[i] for i in chosen]))[0]).squeeze(1)
            loss = F.binary_cross_entropy_with_logits(logit, torch.from_numpy(labels[chosen]).float())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    pool.eval()
    with torch.no_grad():
        called = head(pool(packed(test))[0]).squeeze(1).numpy() > 0
    return float((called == truth.astype(bool)).mean())


def accuracies(path: Path, repeats: int = 5, folds: int = 10) -> np.ndarray:
    """Accuracy of every fold, (repeats, folds)."""
    bags, labels = read_bags(path)
    out = np.zeros((repeats, folds))
    for repeat in range(repeats):
        split = StratifiedKFold(folds, shuffle=True, random_state=repeat).split(labels, labels)
        for fold, (train, test) in enumerate(split):
            out[repeat, fold] = fold_accuracy(
                [bags[i] for i in train], labels[train], [bags[i] for i in test], labels[test], seed=100 * repeat + fold
            )
    return out
