"""Contrastive pretraining of one stream set on every fold of one repeat."""

from pathlib import Path

from confuselt.model.checkpoint import save_checkpoint
from confuselt.model.device import pick_device
from confuselt.pack.bags import Bags
from confuselt.pretrain.schema import HISTORY
from confuselt.pretrain.train import pretrain
from confuselt.resume import make_folds
from confuselt.rna.profiles import read_profiles
from confuselt.run_step import Output, Parts, run_step
from confuselt.split.roles import read_roles
from confuselt.split.schema import FOLDS
from confuselt.tables import read_table, write_table

READS = ("pretrain.*", "pack.scaling_tile", "pack.scaling_cells", "seed")


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
) -> None:
    """Train on the pairs of the training patients of each fold; test patients and labels are never read.

    A killed job goes on after its last finished fold. A control's draw comes with `cfg`: ``mispaired``,
    ``mispaired_within_site``, ``shuffled_cells``.
    """
    table, place = read_table(folds, FOLDS), pick_device(device)
    within = cfg.get("mispaired_within_site", 0)
    site = dict(zip(table["patient_id"], table["site"].fillna("no site"), strict=True)) if within else None

    def train(fold: int, checkpoint: Path, history: Path) -> None:
        roles = {r: patients for r, patients in read_roles(table, repeat, fold).items() if r in ("train", "inner")}
        bags = Bags(store, streams)
        if draw := cfg.get("shuffled_cells"):
            bags.deal(roles, draw)
        seed = (cfg["seed"], streams, repeat, fold)
        content, rows = pretrain(
            bags, read_profiles(rna[fold]), roles, cfg, seed, place, within or cfg.get("mispaired", 0), site
        )
        save_checkpoint(content, checkpoint)
        write_table(rows, history, HISTORY)

    make_folds(train, [checkpoints, histories], lambda fold: [store, rna[fold], folds], cfg, parts)


if __name__ == "__main__":
    run_step(main, globals())
