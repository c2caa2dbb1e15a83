"""Names of controls, for the config and for evaluation: jobs import no config module."""

PERMUTED = ("permuted", "permuted-within-site")
MISPAIRED = ("mispaired", "mispaired-within-site")
# No negative control but a sensitivity run: the same pairs without what defines the label. Nothing in it is drawn.
WITHOUT = "without-pam50"
CONTROLS = (*PERMUTED, *MISPAIRED, "shuffled-cells", WITHOUT)
# The arm whose chain a control repeats: the one in which what it breaks would show.
BASE_ARMS = dict.fromkeys(CONTROLS, "both-pretrained-cells") | dict.fromkeys(
    ("shuffled-cells", WITHOUT), "wsi-pretrained-cells"
)
