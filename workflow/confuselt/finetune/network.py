"""The network of every arm: one or two towers, fusion under a modality mask, a head per task."""

import torch
from torch import nn

from confuselt.finetune.arms import Arm
from confuselt.model.packed import Packed
from confuselt.model.towers import LinearPlus, RnaTower, WsiTower


class ArmNetwork(nn.Module):
    """Multi-task network of an arm.

    A missing modality is a vector of zeros with its mask at 0; single-modality arms have one tower.

    Parameters
    ----------
    arm : Arm
    width : int or None
        Features of an instance (None: no WSI tower).
    genes : int or None
        None: no RNA tower.
    heads : dict of str to int
        Task to number of outputs (1 for survival).
    model : dict
        Block ``pretrain.model``.
    """

    def __init__(self, arm: Arm, width: int | None, genes: int | None, heads: dict[str, int], model: dict) -> None:
        super().__init__()
        self.dim, self.heads = model["dim"], heads
        self.wsi = WsiTower(width, model, arm.uniform) if arm.modality in ("wsi", "both") else None
        self.rna = RnaTower(genes, model) if arm.modality in ("rna", "both") else None
        towers = (self.wsi is not None) + (self.rna is not None)
        self.norm_wsi, self.norm_rna = nn.LayerNorm(self.dim), nn.LayerNorm(self.dim)
        self.drop = nn.Dropout(model["dropout"])
        self.out = LinearPlus(towers * (self.dim + 1), model["hidden"], sum(heads.values()), model["dropout"])

    def forward(
        self, patients: int, packed: Packed | None, owner: list[int], genes: torch.Tensor | None, profiled: list[int]
    ) -> dict[str, torch.Tensor]:
        """Outputs per task, (patients, outputs).

        Parameters
        ----------
        patients : int
        packed : Packed or None
            Joined bags of the patients `owner`, in order.
        owner : list of int
            Patient of each bag.
        genes : (profiles, genes) float32 or None
        profiled : list of int
            Patient of each profile.
        """
        parts = []
        if self.wsi is not None:
            vectors = self.norm_wsi(self.wsi(packed)[0]) if owner else None
            parts += self._masked(patients, vectors, owner)
        if self.rna is not None:
            vectors = self.norm_rna(self.rna(genes)) if profiled else None
            parts += self._masked(patients, vectors, profiled)
        values = self.out(self.drop(torch.cat(parts, 1)))
        return dict(zip(self.heads, values.split(list(self.heads.values()), 1), strict=True))

    def _masked(self, patients: int, vectors: torch.Tensor | None, rows: list[int]) -> list[torch.Tensor]:
        """Vectors in the rows of their patients and zeros elsewhere, and the mask."""
        device = next(self.parameters()).device
        whole, mask = torch.zeros(patients, self.dim, device=device), torch.zeros(patients, 1, device=device)
        if vectors is not None:
            at = torch.tensor(rows, device=device)
            whole, mask = whole.index_put((at,), vectors.float()), mask.index_fill(0, at, 1.0)
        return [whole, mask]
