"""The loop of all training: epochs, schedule, guard against NaN, exact resume, batches that do not fit a GPU."""

import logging
import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Protocol

import torch
from torch import nn

from confuselt.learn.batch import Batch, ahead
from confuselt.learn.kept import Kept
from confuselt.learn.schedule import one_cycle
from confuselt.progress import progress

log = logging.getLogger(__name__)


class Learner(Protocol):
    """What is trained, on what, by which objective.

    Attributes
    ----------
    name : str
        Of what is trained, for progress and messages.
    module : Module
        Everything that has weights, the objective included.
    rate_key : str
        Config key of the learning rate, for the message of a diverging run.
    """

    name: str
    module: nn.Module
    rate_key: str

    def batches(self, epoch: int, first: int) -> Iterator[Batch]:
        """Batches of an epoch (from 1) from the step `first` on; a function of seed and epoch alone."""

    def outputs(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Views of a batch, in its order; nothing here may depend on who else is in the batch."""

    def loss(self, outputs: dict[str, torch.Tensor], batch: Batch) -> torch.Tensor | None:
        """Objective over the views of a whole batch; None where it informs of nothing."""

    def watch(self, epoch: int, loss: float) -> None:
        """Look at the module after an epoch, given the mean loss of its steps."""

    def state(self) -> dict:
        """What `watch` has gathered: tensors and plain values."""

    def restore(self, state: dict) -> None:
        """What `state` gave."""


class Loop:
    """Train a learner.

    Parameters
    ----------
    learner : Learner
    optimiser : Optimizer
    epochs, steps : int
        Steps of every epoch.
    kept : Kept, optional
        Where the state is kept; None: nowhere.
    """

    def __init__(
        self, learner: Learner, optimiser: torch.optim.Optimizer, epochs: int, steps: int, kept: Kept | None = None
    ) -> None:
        self.learner, self.optimiser, self.epochs, self.kept = learner, optimiser, epochs, kept
        self.schedule = one_cycle(optimiser, [group["lr"] for group in optimiser.param_groups], epochs * steps)
        self.device = next(learner.module.parameters()).device
        self.steps, self.pieces = steps, 1

    def run(self) -> None:
        """Train to the last epoch, from where an interrupted job stood.

        Raises
        ------
        FloatingPointError
            A loss is not finite; names the epoch and the patients of the batch.
        """
        state = self.kept.load() if self.kept else None
        epoch, step, total = self._restore(state) if state else (1, 0, 0.0)
        start, rows = time.monotonic(), 0
        for now in progress(range(epoch, self.epochs + 1), self.learner.name):
            self.learner.module.train()
            for batch in ahead(self.learner.batches(now, step), self.device):
                total += self._step(batch, now)
                step += 1
                rows += sum(batch.drawn.lengths) if batch.drawn else 0
                if self.kept and step < self.steps and self.kept.due():
                    self._keep(now, step, total)
            self.learner.watch(now, total / self.steps)
            step, total = 0, 0.0
            if self.kept and self.kept.due():
                self._keep(now + 1, step, total)
        seconds = max(time.monotonic() - start, 1e-9)
        speed = {"training": self.learner.name, "seconds": seconds, "instances_per_second": rows / seconds}
        speed["gpu_gb"] = torch.cuda.max_memory_allocated() / 1e9 if self.device.type == "cuda" else None
        peak = "" if speed["gpu_gb"] is None else f", peak of the GPU {speed['gpu_gb']:.1f} GB"
        said = f"{seconds:.1f} s, {rows / seconds:.0f} instances/s{peak}"
        log.info("%s: %s", self.learner.name, said, extra={"speed": speed})

    def _step(self, batch: Batch, epoch: int) -> float:
        """One step of the optimiser and of the schedule; the loss."""
        while True:
            generators = _generators(self.device)
            try:
                loss = self._descend(batch)
                break
            except torch.cuda.OutOfMemoryError:
                if self.pieces >= len(batch.patients):
                    raise
                self.pieces *= 2
                log.warning("the GPU has no room for a batch: from here on it is learnt in %d pieces", self.pieces)
                self.optimiser.zero_grad(set_to_none=True)
                torch.cuda.empty_cache()
                _set_generators(generators, self.device)
        if loss is not None:
            value = loss.item()
            if not torch.isfinite(loss):
                who = ", ".join(batch.patients[:8]) + (", …" if len(batch.patients) > 8 else "")
                raise FloatingPointError(
                    f"{self.learner.name}: the loss is {value} in epoch {epoch} over {len(batch.patients)} patients "
                    f"({who}); lower {self.learner.rate_key}, or look for odd values of these patients"
                )
            self.optimiser.step()
        self.schedule.step()
        return value if loss is not None else 0.0

    def _descend(self, batch: Batch) -> torch.Tensor | None:
        """Gradients of a batch, whole or in pieces; its loss.

        In pieces: views of all pieces without gradients, the objective over all of them, then each piece once more with
        the gradient of its views (cached gradients: Gao et al. 2021, arXiv 2101.06983). The objective sees the batch
        whole.
        """
        self.optimiser.zero_grad(set_to_none=True)
        if self.pieces == 1:
            loss = self.learner.loss(self._outputs(batch), batch)
            if loss is not None:
                loss.backward()
            return loss
        parts, before, views = batch.split(self.pieces), [], []
        with torch.no_grad():
            for part in parts:
                before.append(_generators(self.device))
                views.append(self._outputs(part))
        joined = {name: torch.cat([view[name] for view in views]).requires_grad_() for name in views[0]}
        loss = self.learner.loss(joined, batch)
        if loss is None:
            return None
        loss.backward()
        gradients = {
            name: (torch.zeros_like(value) if value.grad is None else value.grad).split([len(v[name]) for v in views])
            for name, value in joined.items()
        }
        for k, part in enumerate(parts):
            _set_generators(before[k], self.device)
            again = self._outputs(part)
            torch.autograd.backward(list(again.values()), [gradients[name][k] for name in again])
        return loss

    def _outputs(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Views in float32; on a GPU the towers compute in bfloat16."""
        half = torch.autocast("cuda", torch.bfloat16) if self.device.type == "cuda" else nullcontext()
        with half:
            outputs = self.learner.outputs(batch)
        return {name: value.float() for name, value in outputs.items()}

    def _keep(self, epoch: int, step: int, total: float) -> None:
        parts = {name: getattr(self, name).state_dict() for name in ("optimiser", "schedule")}
        facts = {"epoch": epoch, "step": step, "total": total, "pieces": self.pieces}
        facts |= {"generators": _generators(self.device), "learner": self.learner.state()}
        self.kept.save({**parts, **facts, "module": self.learner.module.state_dict()})

    def _restore(self, state: dict) -> tuple[int, int, float]:
        self.learner.module.load_state_dict(state["module"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.learner.restore(state["learner"])
        self.pieces = state["pieces"]
        _set_generators(state["generators"], self.device)
        return state["epoch"], state["step"], state["total"]


def _generators(device: torch.device) -> list[torch.Tensor]:
    """States of the generators that dropout draws from."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def _set_generators(states: list[torch.Tensor], device: torch.device) -> None:
    torch.set_rng_state(states[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)
