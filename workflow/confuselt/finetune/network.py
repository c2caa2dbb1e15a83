"""The network of every arm: one or two towers, fusion under a modality mask, a head per task."""

import numpy as np
import torch
from torch import nn

from confuselt.finetune.arms import Arm
from confuselt.model.towers import LinearPlus, RnaTower, WsiTower
from confuselt.pack.bags import Packed


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
        self, packed: Packed | None, genes: np.ndarray | None, has_wsi: np.ndarray, has_rna: np.ndarray
    ) -> dict[str, torch.Tensor]:
        """Outputs per task, (patients, outputs).

        Parameters
        ----------
        packed : Packed
            Joined bags of the patients with ``has_wsi``, in order.
        genes : (patients with has_rna, genes) float32
        has_wsi, has_rna : (patients,) bool
        """
        device = next(self.parameters()).device
        parts = []
        if self.wsi is not None:
            vectors = None
            if packed is not None and packed.bags:
                vectors = self.norm_wsi(
                    self.wsi(
                        torch.from_numpy(packed.rows).to(device), torch.from_numpy(packed.bag).to(device), packed.bags
                    )[0]
                )
            parts += self._masked(vectors, has_wsi, device)
        if self.rna is not None:
            vectors = (
                self.norm_rna(self.rna(torch.from_numpy(genes).to(device)))
                if genes is not None and len(genes)
                else None
            )
            parts += self._masked(vectors, has_rna, device)
        values = self.out(self.drop(torch.cat(parts, 1)))
        return dict(zip(self.heads, values.split(list(self.heads.values()), 1), strict=True))

    def _masked(self, vectors: torch.Tensor | None, has: np.ndarray, device: torch.device) -> list[torch.Tensor]:
        mask = torch.from_numpy(np.asarray(has)).to(device)
        whole = torch.zeros(len(has), self.dim, device=device)
        if vectors is not None:
            whole = whole.index_put((mask.nonzero(as_tuple=True)[0],), vectors)
        return [whole, mask[:, None].float()]
