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
    """Train on the pairs of the training patients; test patients and labels are never read."""
    roles = read_roles(read_table(folds, FOLDS), repeat, fold)
    seed = (cfg["seed"], streams, repeat, fold)
    content, rows = pretrain(
        Bags(store, streams), read_profiles(rna), {r: roles[r] for r in ("train", "inner")}, cfg, seed, pick_device(device), cfg.get("mispaired", 0)
    )
    save_checkpoint(content, checkpoint)
    write_table(rows, history, HISTORY)


if __name__ == "__main__":
    run_step(main, globals())
