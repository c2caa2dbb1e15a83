"""A fold's matrix where there can be none: no patients, and the reason."""

import anndata as ad
import pandas as pd


def no_patients(adata: ad.AnnData, reason: str) -> ad.AnnData:
    """Matrix without rows and genes; ``uns["reason"]`` is what `read_profiles` hands on."""
    return ad.AnnData(obs=pd.DataFrame(index=adata.obs_names[:0]), uns={"reason": reason})
