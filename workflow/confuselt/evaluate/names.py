"""Names of baselines and negative controls, for the config and for evaluation: jobs import no config module."""

BASELINES = ("clinical", "pca-cox", "mean-pool", "cca")
CONTROLS = ("permuted", "permuted-within-site", "mispaired")
