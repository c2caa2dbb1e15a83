"""What the headers of a cohort's tables say, read while the workflow is parsed.

Found are columns without a name, columns that stand twice, and columns of another table.
"""

import re
from pathlib import Path

from confuselt.sheets.genes import check_genes, genes_in_rows
from confuselt.sheets.read import columns_of, ending_of, header_of, notes_of, repeated
from confuselt.sheets.words import plain_name

IDS = ("slide_id", "sample_id", "x", "y")  # beside the id of the patient
MATRICES = {"tile": "a feature", "cells": "a feature", "rna": "a gene"}
ENDPOINT = r"(os|dss|dfi|dfs|pfi|pfs|rfs|rfi|efs|mfs|dmfs|drfs|bcss|css|ttp|ttr|idfs|ldfs|lrfs)"
# Whole names, without case, punctuation and blanks, that are a time, an event, an age or an index; none is the symbol
# of a gene.
OUTCOME = re.compile(
    rf"({ENDPOINT}(in)?(time|days?|weeks?|months?|years?|event|status|cens(or(ed|ing|ship)?)?|censorship)"
    r"|(overall|diseasefree|diseasespecific|progressionfree|recurrencefree|relapsefree|eventfree"
    r"|metastasisfree)(survival|interval)?"
    r"(in)?(time|days?|months?|years?|status|event)?"
    rf"|(time|days|weeks|months|years|event|status|cens\w*)(of|to|until)?{ENDPOINT}"
    r"|(surv(ival)?|fu|fup|followup|observation)(in)?(time|days?|weeks?|months?|years?|status|event)?"
    r"|time|times|timeto\w+|daysto\w+|monthsto\w+|yearsto\w+|event|events|eventtime|eventstatus|status"
    r"|vitalstatus|vital|lastfollowup"
    r"|dead|death|died|deceased|alive|outcome|cens|censor|censored|censoring|censorship|recurrence"
    r"|recurred|relapse|relapsed|progression|progressed"
    r"|days|weeks|months|years"
    r"|age|ageat\w+|patientage|ageyears|ageinyears|yearofbirth|birthyear"
    r"|os|dss|dfi|dfs|pfi|pfs|rfs"  # TCGA-CDR calls its events so; EFS, TTR and others are genes
    r"|index|idx|row|rows|rowid|rowname|rownames|rownumber|rownum|level0|id|no|nr)"
)
DEAD_CELLS = "dead"  # a type of nucleus, too
# Names of several words that are nothing but these are one, too: is_dead, t.dmfs, event_observed, last_followup_days.
WORDS = frozenset(
    """
    os dss dfi dfs pfi pfs rfs rfi efs mfs dmfs drfs bcss css ttp ttr idfs ldfs lrfs overall free specific time times
    day days week weeks month months year years yr yrs event events status indicator observed duration death dead died
    deceased alive survival surv survived follow up followup fu last contact cens censor censored censoring censorship
    relapse relapsed recurrence recurred progression progressed progress metastasis distant local disease diagnosis
    diagnosed dx age at to of in is was since until the t e d from birth vital
    """.split()  # noqa: SIM905
)
SMALL = frozenset(
    """
    overall free specific follow up last contact distant local at to of in is was since until the t e d from yr
    """.split()  # noqa: SIM905
)
WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
FUSED = re.compile(
    r"fustat|futime|survtime|survstat(us)?|rectime|censrec|dthdt|lstalvdt"
)  # as the examples of R packages call them
# Of an instance, not measured on it. x and y are read as its place.
INSTANCE = re.compile(
    r"(coord|pos|left|top|px|tile|patch)?[xy](px|um|coord|pos)?|(tile|patch|instance|cell|spot)(id|index"
    r"|idx|no|number|name)?|barcode|left|top|row|col|column"
)


def of_outcomes(name: str) -> bool:
    """Whether a name is that of a time, an event, an age or an index."""
    plain = plain_name(name)
    words = [word.lower() for word in WORD.findall(name)]
    told = [word for word in words if not word.isdigit()]
    return bool(
        OUTCOME.fullmatch(plain)
        or FUSED.fullmatch(plain)
        or (len(told) > 1 and set(told) <= WORDS and set(told) - SMALL)
    )


def foreign_columns(stream: str, path: Path, key: str, clinical: list[str]) -> dict[str, str]:
    """Columns of a table of features or genes that are something else.

    Parameters
    ----------
    stream : {"tile", "cells", "rna"}
    path : Path
    key : str
        ``acquire.id_column``.
    clinical : list of str
        Columns of the clinical table.

    Returns
    -------
    dict of str to str
        Column to what it is.
    """
    known = {plain_name(name): name for name in clinical}
    found = {}
    for name in columns_of(path):
        plain = plain_name(name)
        if name in (key, *IDS, "file", "reason"):
            continue
        if plain and plain in known:
            found[name] = "a column of the clinical table" + (f" ('{known[plain]}')" if known[plain] != name else "")
        elif of_outcomes(name) and not (stream == "cells" and plain == DEAD_CELLS):
            found[name] = "the name of a time, an event, an age or an index"
        elif stream != "rna" and INSTANCE.fullmatch(plain):
            found[name] = "the name of a place or a number of an instance (places are read from columns x and y)"
    return found


def check_matrices(files: dict[str, Path], key: str, counts: bool) -> None:
    """Raise ValueError for what would be learnt from and is no feature.

    So too for names that stand twice where they cannot be summed.

    Parameters
    ----------
    files : dict of str to Path
        Existing files by key of `acquire`.
    key : str
        ``acquire.id_column``.
    counts : bool
        Whether RNA is counts: those of a gene that stands twice are summed.
    """
    clinical = columns_of(files["clinical"]) if "clinical" in files else []
    for stream, what in MATRICES.items():
        if stream not in files or "file" in columns_of(files[stream]):
            continue
        path = files[stream]
        if stream == "rna":
            if genes_in_rows(path, key):
                continue  # its columns are samples; `gather_rna` looks at the genes
            check_genes(columns_of(path), path)
        if found := foreign_columns(stream, path, key, clinical):
            lines = "\n".join(f"  - '{name}' is {why}" for name, why in list(found.items())[:20])
            more = f"\n  and {len(found) - 20} more" if len(found) > 20 else ""
            raise ValueError(
                f"acquire.{stream}: {path} has columns that would be learnt from as {what}; take them out of it; "
                f"where one really is {what}, rename it, or the column of the clinical table that has its name:"
                f"\n{lines}{more}"
            )
        twice = repeated(columns_of(path))
        if twice and not (stream == "rna" and counts):
            raise ValueError(
                f"acquire.{stream}: {path}: {', '.join(map(repr, twice[:5]))} stand in several columns; "
                "keep one of each, or rename the others"
            )


def header_notes(key: str, path: Path, id_column: str) -> list[str]:
    """A line for every oddity of a table that is read all the same: columns without a name, genes that stand twice.

    Parameters
    ----------
    key : str
        Of `acquire`.
    path : Path
    id_column : str
    """
    header, turned = header_of(path), key == "rna" and genes_in_rows(path, id_column)
    nameless = [str(i + 1) for i, name in enumerate(header) if not name]
    notes = [f"{path.name}: {note}" for note in notes_of(path)]
    if turned and ending_of(path) == ".h5ad":
        return notes
    if turned:
        return [
            *notes,
            f"{path.name}: genes stand in rows (column '{header[0]}'), its columns are samples: it is turned",
        ]
    if nameless:
        shown = ", ".join(nameless[:5]) + (f" and {len(nameless) - 5} more" if len(nameless) > 5 else "")
        notes.append(
            f"{path.name}: column{'s' * (len(nameless) > 1)} {shown} without a name "
            f"{'are' if len(nameless) > 1 else 'is'} left out"
        )
    twice = repeated([name for name in header if name])
    if twice and key == "rna":
        notes.append(
            f"{path.name}: counts of {len(twice)} genes that stand in several columns "
            f"are summed ({', '.join(twice[:5])})"
        )
    return notes
