"""What a model says of the inner patients of its fold, under hashed ids.

By it arms are compared, and scores combined.
"""

import numpy as np
import torch

from confuselt.learn.checkpoint import hashed_ids


def inner_predictions(patients: list[str], values: dict[str, np.ndarray]) -> dict:
    """Plain values for a checkpoint.

    Parameters
    ----------
    patients : list of str
    values : dict of str to (n, outputs) float64
        Per task the risk (one column) or the probability of each class.
    """
    return {
        "patients": [hashed_ids([p])[0] for p in patients],
        "values": {t: torch.from_numpy(v) for t, v in values.items()},
    }
