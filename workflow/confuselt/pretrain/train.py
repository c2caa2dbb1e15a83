"""Contrastive pretraining of one stream set on one fold. Sees no label."""

import logging
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from confuselt.device import instances_dtype
from confuselt.learn.batch import Batch
from confuselt.learn.checkpoint import hashed_ids, seed_of
from confuselt.learn.kept import Kept
from confuselt.learn.loop import Loop
from confuselt.learn.optimiser import AdamW
from confuselt.learn.scaling import fit_scaler, scalings
from confuselt.learn.store import Store
from confuselt.model.encoders import Encoders
from confuselt.model.scaling import StreamScaler
from confuselt.pretrain.objective import InfoNCE
from confuselt.pretrain.retrieval import embed_patients, embed_profiles, ranks
from confuselt.rna.profiles import Profiles

log = logging.getLogger(__name__)
NOT_LOOKED = dict.fromkeys(("inner_loss", "inner_recall", "inner_percentile_rank"), float("nan"))
LOOKS = 8  # times that the inner pairs are looked at in a training


def pretrain(
    store: Store,
    rna: Profiles,
    roles: dict[str, list[str]],
    cfg: dict,
    seed: tuple,
    given: dict[str, str] | None = None,
    kept: Kept | None = None,
) -> tuple[dict, list[dict]]:
    """Train the towers on the pairs of the training patients.

    Parameters
    ----------
    store : Store
        On its device the towers are trained.
    rna : Profiles
        Normalised profiles of the fold.
    roles : dict of str to list of str
        ``train`` and ``inner`` patients; test patients are not handed over.
    cfg : dict
        ``pretrain.*`` and ``pack.*`` keys.
    seed : tuple
        What is trained (config seed, stream set, repeat, fold).
    given : dict of str to str, optional
        For a mispaired control: whose RNA each training pair is given; see `controls.mispaired`.
    kept : Kept, optional
        Where an interrupted training is taken up.

    Returns
    -------
    checkpoint : dict
        ``status``, ``reason``, weights, scaler, recipe, genes, config, hashed training ids.
    history : list of dict
        Rows of ``pretrain/history``, one per epoch.
    """
    pairs = pairs_of(store, rna, roles)
    reason = store.missing or (None if rna.of else rna.reason or "no RNA")
    if reason is None and len(pairs["train"]) < 4:
        reason = f"{len(pairs['train'])} training patients have both a slide and RNA, 4 needed"
    if reason:
        log.warning("not available: %s", reason)
        return {"status": "not available", "reason": reason}, []
    number = seed_of("pretrain", *seed)
    torch.manual_seed(number)
    scaler = fit_scaler(store, roles["train"], scalings(cfg), number)
    profiles = rna.of | {p: rna.of[other] for p, other in (given or {}).items()}
    learner = Pairing(store, scaler, profiles, pairs, cfg, number)
    decay = [p for _, p in learner.encoders.named_parameters()]
    optimiser = AdamW(
        [
            {"params": decay, "weight_decay": cfg["pretrain.weight_decay"]},
            {"params": list(learner.objective.parameters()), "weight_decay": 0.0},
        ],
        lr=cfg["pretrain.learning_rate"],
    )
    Loop(learner, optimiser, cfg["pretrain.epochs"], learner.steps, kept).run()
    checkpoint = {
        "status": "ok",
        "reason": "",
        "streams": list(store.streams),
        "recipe": store.recipe,
        "widths": store.widths,
        "genes": rna.genes,
        "model": cfg["pretrain.model"],
        "scaler": scaler.state(),
        "weights": {k: v.cpu() for k, v in learner.encoders.state_dict().items()},
        "trained_on": hashed_ids(pairs["train"]),
    }
    return checkpoint, learner.history


def pairs_of(store: Store, rna: Profiles, roles: dict[str, list[str]]) -> dict[str, list[str]]:
    """Training and inner patients that have a slide and RNA."""
    return {role: [p for p in store.of_patients(roles[role]) if p in rna.of] for role in ("train", "inner")}


class Pairing:
    """The learner of pretraining: slides and RNA of a patient are to lie together in the shared space.

    Parameters
    ----------
    store : Store
    scaler : StreamScaler
    profiles : dict of str to (genes,) float32
        The profile that each patient is given.
    pairs : dict of str to list of str
        ``train`` and ``inner``.
    cfg : dict
    seed : int

    Attributes
    ----------
    history : list of dict
        Rows of ``pretrain/history`` so far.
    """

    rate_key = "pretrain.learning_rate"

    def __init__(
        self,
        store: Store,
        scaler: StreamScaler,
        profiles: dict[str, np.ndarray],
        pairs: dict[str, list[str]],
        cfg: dict,
        seed: int,
    ) -> None:
        self.store, self.scaler, self.profiles, self.cfg, self.seed = store, scaler, profiles, cfg, seed
        self.pairs, self.slides = pairs, {role: store.of_patients(patients) for role, patients in pairs.items()}
        genes = len(profiles[pairs["train"][0]])
        self.encoders = Encoders(sum(store.widths.values()), genes, cfg["pretrain.model"])
        self.objective = InfoNCE(cfg["pretrain.temperature"])
        self.module = nn.ModuleList([self.encoders, self.objective]).to(store.device)
        self.size = min(cfg["pretrain.batch_size"], len(pairs["train"]))
        self.steps = len(pairs["train"]) // self.size
        self.name = f"pretraining {'-'.join(store.streams)}"
        self.history: list[dict] = []

    def batches(self, epoch: int, first: int) -> Iterator[Batch]:
        """Whole batches of training pairs; a slide is a bag of its own."""
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.pairs["train"]))
        for step in range(first, self.steps):
            chosen = [self.pairs["train"][i] for i in order[step * self.size : (step + 1) * self.size]]
            owner = [k for k, p in enumerate(chosen) for _ in self.slides["train"][p]]
            bags = [[i] for p in chosen for i in self.slides["train"][p]]
            drawn = self.store.draw(bags, self.cfg["pretrain.tiles"], self.seed, epoch)
            genes = torch.from_numpy(np.stack([self.profiles[p] for p in chosen]))
            yield Batch(chosen, drawn, owner, genes, list(range(len(chosen))))

    def outputs(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Unit vectors of slides and of RNA."""
        packed = self.store.load(batch.drawn, self.scaler, instances_dtype(self.store.device))
        genes = batch.genes.to(self.store.device)
        return {"wsi": self.encoders.embed_wsi(packed), "rna": self.encoders.embed_rna(genes)}

    def loss(self, outputs: dict[str, torch.Tensor], batch: Batch) -> torch.Tensor:
        """The contrast over the batch."""
        return self.objective(outputs, torch.tensor(batch.owner, device=self.store.device))

    @torch.no_grad()
    def watch(self, epoch: int, loss: float) -> None:
        """Loss, and now and then retrieval of the inner pairs; watched, never used to choose."""
        row = {"epoch": epoch, "loss": loss, "temperature": 1 / self.objective.scale.item()}
        epochs = self.cfg["pretrain.epochs"]
        looked = epoch % max(1, epochs // LOOKS) == 0 or epoch == epochs
        self.history.append(row | (self._inner() if looked and len(self.pairs["inner"]) > 1 else dict(NOT_LOOKED)))

    def _inner(self) -> dict[str, float]:
        slides, patients = self.slides["inner"], self.pairs["inner"]
        wsi = embed_patients(self.encoders, self.store, self.scaler, slides, self.cfg["pretrain.tiles"])
        rna = embed_profiles(self.encoders, np.stack([self.profiles[p] for p in patients]))
        views = {
            name: torch.from_numpy(vectors).to(self.store.device) for name, vectors in (("wsi", wsi), ("rna", rna))
        }
        loss = self.objective(views, torch.arange(len(patients), device=self.store.device))
        at = ranks(wsi, rna)
        rank = 1 - at.mean() / (len(at) - 1)
        return {
            "inner_loss": loss.item(),
            "inner_recall": float((at < 10).mean()),
            "inner_percentile_rank": float(rank),
        }

    def state(self) -> dict:
        """The history so far."""
        return {"history": self.history}

    def restore(self, state: dict) -> None:
        """What `state` gave."""
        self.history = list(state["history"])


def load_encoders(checkpoint: dict) -> Encoders:
    """Towers of a checkpoint, in evaluation mode."""
    model = Encoders(sum(checkpoint["widths"].values()), len(checkpoint["genes"]), checkpoint["model"])
    model.load_state_dict(checkpoint["weights"])
    return model.eval()
