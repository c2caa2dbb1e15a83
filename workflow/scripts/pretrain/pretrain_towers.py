"""Contrastive pretraining of one stream set, one repeat, one fold."""

from pathlib import Path

from confuselt.model.checkpoint import save_checkpoint
from confuselt.model.device import pick_device
from confuselt.pack.bags import Bags
from confuselt.pretrain.schema import HISTORY
from confuselt.pretrain.train import pretrain
from confuselt.rna.profiles import read_profiles
from confuselt.run_step import Output, run_step
from confuselt.split.roles import read_roles
from confuselt.split.schema import FOLDS
from confuselt.tables import read_table, write_table

READS = ("pretrain.*", "pack.scaling_tile", "pack.scaling_cells", "seed")


def main(
    store: Path, rna: Path, folds: Path, checkpoint: Output, history: Output, streams: str, repeat: int, fold: int, cfg: dict, device: str = "auto"
) -> None:
    """Train on the pairs of the training patients; test patients and labels are never read.

    A control's draw comes with `cfg`: ``mispaired``, ``mispaired_within_site``, ``shuffled_cells``.
    """
    table = read_table(folds, FOLDS)
    roles = {r: patients for r, patients in read_roles(table, repeat, fold).items() if r in ("train", "inner")}
    bags = Bags(store, streams)
    if draw := cfg.get("shuffled_cells"):
        bags.deal(roles, draw)
    within = cfg.get("mispaired_within_site", 0)
    site = dict(zip(table["patient_id"], table["site"].fillna("no site"), strict=True)) if within else None
    seed = (cfg["seed"], streams, repeat, fold)
    content, rows = pretrain(bags, read_profiles(rna), roles, cfg, seed, pick_device(device), within or cfg.get("mispaired", 0), site)
    save_checkpoint(content, checkpoint)
    write_table(rows, history, HISTORY)


if __name__ == "__main__":
    run_step(main, globals())
