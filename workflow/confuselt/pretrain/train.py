"""Contrastive pretraining of one stream set on one fold. Sees no label."""

import logging

import numpy as np
import pandas as pd
import torch

from confuselt.model.checkpoint import hashed_ids, seed_of
from confuselt.model.encoders import Encoders, fit_scaler
from confuselt.model.optimiser import AdamW
from confuselt.model.schedule import one_cycle
from confuselt.pack.bags import Bags
from confuselt.pretrain.loss import contrastive_loss
from confuselt.pretrain.retrieval import embed_patients, embed_profiles, ranks
from confuselt.pretrain.schema import HISTORY
from confuselt.progress import progress
from confuselt.rna.profiles import Profiles
from confuselt.tables import empty_table

log = logging.getLogger(__name__)


def shuffle_pairs(patients: list[str], draw: int, site: dict[str, str] | None = None) -> dict[str, str]:
    """For the mispaired controls: whose RNA each patient is given (a random permutation).

    Parameters
    ----------
    patients : list of str
    draw : int
    site : dict of str to str, optional
        Patient to site: RNA is swapped within a site only, and a patient alone on its site keeps its own.
    """
    rng, place = np.random.default_rng([draw, 7]), np.array([site[p] if site else "" for p in patients])
    order = np.arange(len(patients))
    for group in np.unique(place):
        members = np.flatnonzero(place == group)
        order[members] = rng.permutation(members)
    return {p: patients[j] for p, j in zip(patients, order, strict=True)}


def pretrain(
    bags: Bags,
    rna: Profiles,
    roles: dict[str, list[str]],
    cfg: dict,
    seed: tuple,
    device: torch.device,
    mispaired: int = 0,
    site: dict[str, str] | None = None,
) -> tuple[dict, pd.DataFrame]:
    """Train the towers on the pairs of the training patients.

    Parameters
    ----------
    bags : Bags
    rna : Profiles
        Normalised profiles of the fold.
    roles : dict of str to list of str
        ``train`` and ``inner`` patients; test patients are not handed over.
    cfg : dict
        ``pretrain.*`` and ``pack.*`` keys.
    seed : tuple
        What is trained (config seed, stream set, repeat, fold).
    device : torch.device
    mispaired : int
        Draw of a mispaired control; 0: true pairs.
    site : dict of str to str, optional
        Pairs are shuffled within site.

    Returns
    -------
    checkpoint : dict
        ``status``, ``reason``, weights, scaler, recipe, genes, config, hashed training ids.
    history : DataFrame
        Columns of ``pretrain/history``.
    """
    pairs = {role: [p for p in bags.of_patients(roles[role]) if p in rna.of] for role in ("train", "inner")}
    reason = bags.missing or (None if rna.of else rna.reason or "no RNA")
    if reason is None and len(pairs["train"]) < 4:
        reason = f"{len(pairs['train'])} training patients have both a slide and RNA, 4 needed"
    if reason:
        log.warning("not available: %s", reason)
        return {"status": "not available", "reason": reason}, empty_table(HISTORY)
    torch.manual_seed(seed_of("pretrain", *seed))
    rng = np.random.default_rng([seed_of("pretrain", *seed)])
    scaler = fit_scaler(bags, roles["train"], {s: cfg[f"pack.scaling_{s}"] for s in bags.streams}, rng)
    bags.scale(scaler)
    given = shuffle_pairs(pairs["train"], mispaired, site) if mispaired else {p: p for p in pairs["train"]}
    model = Encoders(sum(bags.widths.values()), len(rna.genes), cfg["pretrain.model"], cfg["pretrain.temperature"]).to(
        device
    )
    slides = bags.of_patients(pairs["train"])
    history = _fit(
        model,
        bags,
        slides,
        {p: rna.of[q] for p, q in given.items()},
        (bags.of_patients(pairs["inner"]), rna.rows(pairs["inner"])),
        cfg,
        rng,
    )
    checkpoint = {
        "status": "ok",
        "reason": "",
        "streams": list(bags.streams),
        "recipe": bags.recipe,
        "widths": bags.widths,
        "genes": rna.genes,
        "model": cfg["pretrain.model"],
        "scaler": scaler.state(),
        "weights": {k: v.cpu() for k, v in model.state_dict().items()},
        "trained_on": hashed_ids(pairs["train"]),
    }
    return checkpoint, history


def _fit(
    model: Encoders,
    bags: Bags,
    slides: dict[str, list[int]],
    profiles: dict[str, np.ndarray],
    inner: tuple[dict[str, list[int]], np.ndarray],
    cfg: dict,
    rng: np.random.Generator,
) -> pd.DataFrame:
    patients, device = list(slides), model.log_scale.device
    size = min(cfg["pretrain.batch_size"], len(patients))
    steps = len(patients) // size
    weights = [p for n, p in model.named_parameters() if n != "log_scale"]
    optimiser = AdamW(
        [
            {"params": weights, "weight_decay": cfg["pretrain.weight_decay"]},
            {"params": [model.log_scale], "weight_decay": 0.0},
        ],
        lr=cfg["pretrain.learning_rate"],
    )
    schedule = one_cycle(optimiser, [cfg["pretrain.learning_rate"]] * 2, cfg["pretrain.epochs"] * steps)
    rows = []
    for epoch in progress(range(1, cfg["pretrain.epochs"] + 1), "pretraining"):
        model.train()
        order, total = rng.permutation(len(patients)), 0.0
        for step in range(steps):
            chosen = [patients[i] for i in order[step * size : (step + 1) * size]]
            owner = torch.tensor([k for k, p in enumerate(chosen) for _ in slides[p]], device=device)
            packed = bags.pack([[i] for p in chosen for i in slides[p]], cfg["pretrain.tiles"], rng)
            loss = contrastive_loss(
                model.embed_wsi(packed), model.embed_rna(np.stack([profiles[p] for p in chosen])), owner, model.scale
            )
            if not torch.isfinite(loss):
                raise FloatingPointError(
                    f"the contrastive loss is {loss.item()} in epoch {epoch}: lower pretrain.learning_rate"
                )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        rows.append(
            {
                "epoch": epoch,
                "loss": total / steps,
                "temperature": 1 / model.scale.item(),
                **_watch(model, bags, *inner),
            }
        )
    return pd.DataFrame(rows)


def _watch(model: Encoders, bags: Bags, slides: dict[str, list[int]], genes: np.ndarray) -> dict[str, float]:
    """Loss and retrieval on the inner pairs; watched, never used to choose."""
    if len(slides) < 2:
        return {"inner_loss": np.nan, "inner_recall": np.nan, "inner_percentile_rank": np.nan}
    wsi, rna = embed_patients(model, bags, slides), embed_profiles(model, genes)
    at = ranks(wsi, rna)
    loss = contrastive_loss(
        torch.from_numpy(wsi), torch.from_numpy(rna), torch.arange(len(wsi)), model.scale.detach().cpu()
    )
    return {
        "inner_loss": loss.item(),
        "inner_recall": float((at < 10).mean()),
        "inner_percentile_rank": float(1 - at.mean() / (len(at) - 1)),
    }


def load_encoders(checkpoint: dict, temperature: float = 1.0) -> Encoders:
    """Towers of a checkpoint, in evaluation mode."""
    model = Encoders(sum(checkpoint["widths"].values()), len(checkpoint["genes"]), checkpoint["model"], temperature)
    model.load_state_dict(checkpoint["weights"])
    return model.eval()
