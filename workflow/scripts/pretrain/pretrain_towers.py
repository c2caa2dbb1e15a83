"""Contrastive pretraining of one stream set on every fold of one repeat."""

from pathlib import Path

import pandas as pd

from confuselt.controls.mispaired import shuffle_pairs
from confuselt.device import pick_device
from confuselt.learn.checkpoint import save_checkpoint
from confuselt.learn.kept import Kept
from confuselt.learn.store import Store
from confuselt.pretrain.schema import HISTORY
from confuselt.pretrain.train import pairs_of, pretrain
from confuselt.resume import fold_key, make_folds
from confuselt.rna.profiles import read_profiles
from confuselt.run_step import Output, Parts, run_step
from confuselt.split.roles import read_roles
from confuselt.split.schema import FOLDS
from confuselt.tables import read_table, write_table

READS = ("pretrain.*", "pack.scaling_tile", "pack.scaling_cells", "pack.scaling_deep", "seed")


def main(
    store: Path,
    rna: list[Path],
    folds: Path,
    checkpoints: list[Output],
    histories: list[Output],
    parts: Parts,
    streams: str,
    repeat: int,
    cfg: dict,
    device: str = "auto",
    place: str = "auto",
) -> None:
    """Train on the pairs of the training patients of each fold; test patients and labels are never read.

    A killed job goes on where it stood. A control's draw comes with `cfg`: ``mispaired``,
    ``mispaired_within_site``, ``shuffled_cells``.
    """
    table, bags = read_table(folds, FOLDS), Store(store, streams, pick_device(device), place)
    within = cfg.get("mispaired_within_site", 0)
    mispaired = within or cfg.get("mispaired", 0)
    site = dict(zip(table["patient_id"], table["site"].fillna("no site"), strict=True)) if within else None

    def read(fold: int) -> list[Path]:
        return [store, rna[fold], folds]

    def train(fold: int, checkpoint: Path, history: Path) -> None:
        roles = {r: patients for r, patients in read_roles(table, repeat, fold).items() if r in ("train", "inner")}
        draw, profiles = cfg.get("shuffled_cells"), read_profiles(rna[fold])
        seen = bags.deal(roles, draw) if draw else bags
        pairs = pairs_of(seen, profiles, roles)["train"]
        given = shuffle_pairs(pairs, mispaired, site) if mispaired else None
        kept = Kept(parts, f"f{fold}", fold_key(read(fold), cfg))
        content, rows = pretrain(seen, profiles, roles, cfg, (cfg["seed"], streams, repeat, fold), given, kept)
        save_checkpoint(content, checkpoint)
        write_table(pd.DataFrame(rows, columns=list(HISTORY.columns)), history, HISTORY)

    make_folds(train, [checkpoints, histories], read, cfg, parts)


if __name__ == "__main__":
    run_step(main, globals())
