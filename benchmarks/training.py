"""Training at real size: memory of the learning jobs, what a batch costs, and on a GPU a whole epoch.

Memory is that of a process which does one job on stores of 1.2 and 2.4 million instances of 512 features: it must hang
on the batch and not on the store. A batch's reading is set against numpy's bare gather and cast of the same rows, the
ABMIL step against TANGLE's own code (where TANGLE_DIR names a checkout of it) and against a padded batch of the same
model. Needs torch, numpy, h5py, scipy and pandas alone; prints a table, ``--json FILE`` writes the rows.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import torch

from confuselt.device import pick_device
from confuselt.finetune.arms import parse_arm
from confuselt.finetune.inputs import Inputs
from confuselt.finetune.targets import Targets
from confuselt.finetune.train import train_fold
from confuselt.learn.means import patient_means
from confuselt.learn.scaling import STREAMS, fit_scaler
from confuselt.learn.store import Store
from confuselt.model.abmil import GatedABMIL
from confuselt.model.packed import Packed
from confuselt.pretrain.retrieval import embed_patients
from confuselt.pretrain.train import load_encoders, pretrain
from confuselt.rna.profiles import Profiles

MODEL = {"hidden": 128, "attention": 64, "dim": 128, "dropout": 0.25, "dropout_wsi": 0.2, "dropout_rna": 0.5}
BATCH, TILES, WIDTH, GENES = 32, 2048, 512, 500
BATCH_GB = BATCH * TILES * WIDTH * 4 / 1e9
JOBS = ("pretrain", "finetune", "means", "embed")
GPU = {"patients": 933, "instances": 11_600_000, "width": 1024}


def write_store(path: Path, instances: int, patients: int, width: int) -> None:
    """A store of log-uniform slides, one per patient, float16; the same block of noise again and again."""
    rng = np.random.default_rng(0)
    lengths = np.exp(rng.uniform(np.log(800), np.log(60_000), patients))
    lengths = (lengths / lengths.sum() * instances).astype(int)
    block = rng.standard_normal((50_000, width)).astype(np.float16)
    with h5py.File(path, "w") as file:
        for name, letter in (("slide_id", "S"), ("patient_id", "P")):
            file[name] = np.array([f"{letter}{i:05d}" for i in range(patients)], dtype=h5py.string_dtype())
        for stream, total in (("tile", int(lengths.sum())), ("cells", 0)):
            group = file.create_group(stream)
            rows = group.create_dataset("features", (total, width if total else 0), np.float16)
            group["offsets"] = np.concatenate([[0], np.cumsum(lengths if total else lengths * 0)])
            for start in range(0, total, len(block)):
                rows[start : start + len(block)] = block[: total - start]


def cfg_of(epochs: int, batch: int = BATCH) -> dict:
    """Config of a short training."""
    shared = {"epochs": epochs, "batch_size": batch, "learning_rate": 1e-3, "weight_decay": 0.05, "tiles": TILES}
    cfg = {f"{block}.{key}": value for block in ("pretrain", "finetune") for key, value in shared.items()}
    cfg |= {"finetune.members": 1, "finetune.modality_dropout": 0.3, "finetune.pretrained_rate": 0.1}
    cfg |= {"pretrain.model": MODEL, "pretrain.temperature": 0.07}
    return cfg | {f"pack.scaling_{stream}": "standard" for stream in STREAMS}


def cohort_of(store: Store) -> tuple[Profiles, Targets, dict[str, list[str]]]:
    """RNA, outcomes and roles of the patients of a store."""
    rng, people = np.random.default_rng(1), store.patient_ids
    profiles = {p: rng.standard_normal(GENES).astype(np.float32) for p in people}
    survival = {"os": (rng.exponential(900, len(people)), (rng.random(len(people)) < 0.4).astype(float))}
    labels = {"kind": rng.integers(0, 4, len(people))}
    targets = Targets(people, survival, labels, {"kind": list("abcd")}, {"os": [1095]})
    cut = [int(share * len(people)) for share in (0.64, 0.8)]
    roles = {"train": people[: cut[0]], "inner": people[cut[0] : cut[1]], "test": people[cut[1] :]}
    return Profiles([f"G{i}" for i in range(GENES)], profiles), targets, roles


def do(job: str, path: Path) -> None:
    """One job as a stage does it, on the CPU; prints its peak memory in GB."""
    torch.set_num_threads(1)
    store = Store(path, "tile")
    rna, targets, roles = cohort_of(store)
    roles = {role: some[:64] for role, some in roles.items()}
    inputs = Inputs(store, None, store.of_patients(store.patient_ids), rna.of)
    if job == "pretrain":
        pretrain(store, rna, roles, cfg_of(1), (1, "tile", 0, 0))
    if job == "finetune":
        train_fold(parse_arm("both-scratch-nocells"), inputs, targets, roles, None, cfg_of(1), (1, "arm", 0, 0))
    slides = {p: own for p, own in inputs.slides.items() if p in roles["test"]}
    if job in ("means", "embed"):
        scaler = fit_scaler(store, roles["train"], {"tile": "standard"}, 1)
    if job == "means":
        patient_means(store, slides, scaler)
    if job == "embed":
        checkpoint = {"widths": store.widths, "genes": rna.genes, "model": MODEL, "weights": {}}
        torch.manual_seed(0)
        from confuselt.model.encoders import Encoders

        checkpoint["weights"] = Encoders(WIDTH, GENES, MODEL).state_dict()
        embed_patients(load_encoders(checkpoint), store, scaler, slides)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


def memory(folder: Path) -> list[dict]:
    """Peak of every job on a store and on one twice as large."""
    sizes, peaks = (1_200_000, 2_400_000), {job: [] for job in JOBS}
    for size in sizes:
        path = folder / "memory.h5"
        write_store(path, size, size // 10_000, WIDTH)
        for job in JOBS:
            command = [sys.executable, __file__, "--job", job, str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            peaks[job].append(float(done.stdout.split()[-1]))
        path.unlink()
    limit = 4 * BATCH_GB + 0.6
    rows = []
    for job, (small, large) in peaks.items():
        rows.append(row(f"memory of {job}, 2.4 M instances", large, limit, "4 batches + 0.6 GB", "GB", 1.0, most=True))
        rows.append(row(f"memory of {job}, of twice the store", large, small, "1.2 M instances", "GB", 1.1, most=True))
    return rows


def row(
    name: str, ours: float, peer: float, peer_name: str, unit: str, target: float, most: bool = False
) -> dict[str, object]:
    """A row: ours over the peer's at most `target`, or the peer's over ours at least."""
    ratio = ours / peer if most else peer / ours
    good = ratio <= target if most else ratio >= target
    return {
        "name": name,
        "ours": ours,
        "peer": peer,
        "peer_name": peer_name,
        "unit": unit,
        "ratio": ratio,
        "target": target,
        "ok": bool(good),
    }


def seconds(work: Callable[[], object], times: int = 5) -> float:
    """Best of some runs."""
    best = np.inf
    for _ in range(times):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def reading(folder: Path) -> dict:
    """Drawing, casting and scaling a batch, against numpy's gather and cast of the same rows of an array in memory."""
    path = folder / "reading.h5"
    write_store(path, 200_000, 16, WIDTH)
    store = Store(path, "tile")
    scaler = fit_scaler(store, store.patient_ids, {"tile": "standard"}, 1)
    bags = [[i] for i in range(16)]
    ours = seconds(lambda: store.load(store.draw(bags, TILES, 1, 1), scaler))
    with h5py.File(path) as file:
        values, offsets = file["tile/features"][()], file["tile/offsets"][()]
    at = [store._pick(i, TILES, 1, 1) + offsets[i] for i in range(16)]
    bare = seconds(lambda: values[np.concatenate(at)].astype(np.float32))
    return row(f"draw, cast, scale 16 x {TILES} x {WIDTH}", ours, bare, "numpy gather and cast", "s", 2.5, most=True)


def step(model: torch.nn.Module, packed: Packed) -> Callable[[], None]:
    """Forward and backward of one batch."""

    def once() -> None:
        pooled, direct, _ = model(packed)
        (pooled.sum() + direct.sum()).backward()

    return once


def padded_step(model: GatedABMIL, padded: torch.Tensor, mask: torch.Tensor) -> Callable[[], None]:
    """The same model over a padded batch (bags, longest, width), attention masked."""

    def once() -> None:
        embedded = model.embed(padded)
        gated = torch.tanh(model.tanh(embedded)) * torch.sigmoid(model.gate(embedded))
        scores = model.score(gated).squeeze(-1).masked_fill(~mask, -torch.inf)
        weights = scores.softmax(1)[:, None]
        (torch.bmm(weights, embedded).sum() + torch.bmm(weights, padded).sum()).backward()

    return once


def ragged() -> dict:
    """Bags of 300 to 8,000 instances, end to end and padded."""
    torch.manual_seed(0)
    lengths = [300, 8000, 900, 2500, 600, 1500, 4000, 450]
    rows = torch.randn(sum(lengths), 1024)
    model = GatedABMIL(1024, 256, 128).train()
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    padded = torch.zeros(len(lengths), max(lengths), 1024)
    padded[mask] = rows
    ours, theirs = seconds(step(model, Packed(rows, lengths)), 3), seconds(padded_step(model, padded, mask), 3)
    return row("ragged bags, forward + backward", ours, theirs, "padded batch", "s", 2.5)


def against_tangle(folder: str) -> dict:
    """8 bags x 2,048 x 1,024, forward and backward, against the slide encoder of a checkout of TANGLE."""
    sys.path.insert(0, folder)
    # Imported by the checkout, and used by none of what is measured.
    sys.modules.setdefault("einops", SimpleNamespace(rearrange=None))
    from core.models.mmssl import ABMILEmbedder

    torch.manual_seed(0)
    rows, bags = torch.randn(8, TILES, 1024), 8
    attention = {"input_dim": 1024, "hidden_dim": 768, "dropout": True, "activation": "softmax", "n_classes": 1}
    before = {"input_dim": 1024, "hidden_dim": 1024}
    theirs = ABMILEmbedder(before, {"model": "ABMIL", "params": attention})

    def peer() -> None:
        theirs(rows).sum().backward()

    ours = seconds(step(GatedABMIL(1024, 256, 128).train(), Packed(rows.reshape(-1, 1024), [TILES] * bags)), 3)
    return row(f"8 x {TILES} x 1,024, forward + backward", ours, seconds(peer, 2), "TANGLE", "s", 8.0)


def on_a_gpu(folder: Path) -> list[dict]:
    """Filling the device, epochs of drawn and of all instances, and a fold of everything, at TCGA-BRCA's size."""
    device, path = pick_device("cuda"), folder / "gpu.h5"
    write_store(path, GPU["instances"], GPU["patients"], GPU["width"])
    with path.open("rb") as file:  # into the page cache
        while file.read(1 << 26):
            pass
    start = time.perf_counter()
    store = Store(path, "tile", device, "device")
    torch.cuda.synchronize()
    size = path.stat().st_size / 1e9
    rate = size / (time.perf_counter() - start)
    rna, targets, roles = cohort_of(store)
    inputs = Inputs(store, None, store.of_patients(store.patient_ids), rna.of, device)
    everyone = {"train": store.patient_ids, "inner": []}
    rows = [row("filling the device", 1 / rate, 1 / 5, "5 GB/s", "s/GB", 1.0)]
    for name, tiles, batch, most in ((f"epoch of 933 x {TILES}", TILES, 64, 0.2), ("epoch of all", 10**6, 32, 1.2)):
        cfg = cfg_of(6, batch) | {"pretrain.tiles": tiles}
        one, six = (
            seconds(lambda cfg=cfg, n=n: pretrain(store, rna, everyone, {**cfg, "pretrain.epochs": n}, (1,)), 1)
            for n in (1, 6)
        )
        rows.append(row(name, (six - one) / 5, most, f"{most} s", "s", 1.0))
    start = time.perf_counter()
    for _ in range(2):
        pretrain(store, rna, roles, cfg_of(40, 128), (1, "tile", 0, 0))
    for arm in ("wsi-scratch-nocells",) * 4 + ("both-scratch-nocells",) * 4 + ("rna-scratch",) * 2:
        train_fold(parse_arm(arm), inputs, targets, roles, None, cfg_of(40, 128), (1, arm, 0, 0))
    rows.append(row("a fold of everything", time.perf_counter() - start, 180, "3 min", "s", 1.0))
    peak = torch.cuda.max_memory_allocated() / 1e9
    rows.append(row("peak of the GPU", peak, size + 5, "store + 5 GB", "GB", 1.0, most=True))
    return [{**r, "name": f"{r['name']} ({torch.cuda.get_device_name()})"} for r in rows]


def main() -> None:
    """Measure all that this machine can, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--job", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        do(given.job[0], Path(given.job[1]))
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        rows = [*memory(Path(name)), reading(Path(name)), ragged()]
        if tangle := os.environ.get("TANGLE_DIR"):
            rows.append(against_tangle(tangle))
        if torch.cuda.is_available():
            rows += on_a_gpu(Path(name))
    for r in rows:
        print(
            f"{r['name']}: {r['ours']:.3f} {r['unit']}; {r['peer_name']}: {r['peer']:.3f} {r['unit']}, "
            f"ratio {r['ratio']:.2f} (target {r['target']}){'' if r['ok'] else '  MISSED'}"
        )
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
