"""Which controls there are, what each changes, and the arm that each repeats.

A file of this room holds what is changed: ``permuted`` the outcomes, dealt out anew over all patients or within their
site, before folds are made; ``mispaired`` the RNA that a slide is paired with in pretraining, over all or within site;
``shuffled_cells`` the cells of an instance, in pretraining and fine-tuning; ``without_pam50`` the genes of the RNA.
"""

PERMUTED = ("permuted", "permuted-within-site")
MISPAIRED = ("mispaired", "mispaired-within-site")
# No negative control but a sensitivity run: the same pairs without what defines the label. Nothing in it is drawn.
WITHOUT = "without-pam50"
SHUFFLED_CELLS = "shuffled-cells"
LEAKY = "leaky-chance"  # no arm either: what choosing the epoch on the test fold makes of chance
CONTROLS = (*PERMUTED, *MISPAIRED, SHUFFLED_CELLS, WITHOUT)


def base_modality(control: str) -> str:
    """Modality of the arm whose chain a control repeats: the one in which what it breaks would show."""
    return "wsi" if control in (SHUFFLED_CELLS, WITHOUT) else "both"


def base_arm(control: str, cells: bool) -> str:
    """The arm whose chain a control repeats, in a cohort with or without a cells stream."""
    return f"{base_modality(control)}-pretrained-{'cells' if cells else 'nocells'}"
