"""Names of baselines and negative controls, for the config and for evaluation: jobs import no config module."""

BASELINES = ("clinical", "pca-cox", "mean-pool", "cca", "late-fusion")
# Before an arm's name: the arm's score and the clinical one in one model.
PLUS = "clinical+"
# What late fusion is made of.
SINGLES = ("wsi-scratch-cells", "rna-scratch")
PERMUTED = ("permuted", "permuted-within-site")
MISPAIRED = ("mispaired", "mispaired-within-site")
CONTROLS = (*PERMUTED, *MISPAIRED, "shuffled-cells")
# The arm whose chain a control repeats: the one in which what it breaks would show.
BASE_ARMS = dict.fromkeys(CONTROLS, "both-pretrained-cells") | {"shuffled-cells": "wsi-pretrained-cells"}
