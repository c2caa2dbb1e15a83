"""Names of baselines and negative controls, for the config and for evaluation: jobs import no config module."""

BASELINES = ("clinical", "pca-cox", "mean-pool", "cca")
PERMUTED = ("permuted", "permuted-within-site")
MISPAIRED = ("mispaired", "mispaired-within-site")
CONTROLS = (*PERMUTED, *MISPAIRED, "shuffled-cells")
# The arm whose chain a control repeats: the one in which what it breaks would show.
BASE_ARMS = dict.fromkeys(CONTROLS, "both-pretrained-cells") | {"shuffled-cells": "wsi-pretrained-cells"}
