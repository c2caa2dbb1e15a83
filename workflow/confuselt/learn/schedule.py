"""The learning rate over a run: one cycle."""

import torch
from torch.optim.lr_scheduler import OneCycleLR


def one_cycle(optimiser: torch.optim.Optimizer, rates: list[float], steps: int) -> OneCycleLR:
    """Up to the peak `rates` in a tenth of `steps` (at least two of them), then down by a cosine (Smith & Topin 2019).

    A warm-up of exactly one step makes PyTorch divide by zero, which short runs on small cohorts would meet.

    Parameters
    ----------
    optimiser : Optimizer
    rates : list of float
        Peak per parameter group; 0 is allowed and stays next to nothing.
    steps : int
    """
    total = steps + 1
    return OneCycleLR(
        optimiser, [rate or 1e-12 for rate in rates], total_steps=total, pct_start=min(1.0, max(0.1, 2 / total))
    )
