"""What a cell says: text without the blanks around it, and the words that stand for nothing."""

import re

# One list for every table that a user brings: spreadsheets, cBioPortal, GDC, TCGA-CDR, R, pandas. In lower case.
MISSING = frozenset(
    {
        *(
            "",
            "-",
            "--",
            "---",
            "'--",
            "—",
            "–",
            ".",
            "..",
            "?",
            "#n/a",
            "#n/a n/a",
            "#na",
            "#value!",
            "#ref!",
            "#div/0!",
            "#null!",
            "#name?",
            "#num!",
        ),
        *(
            "na",
            "n/a",
            "n.a.",
            "n.a",
            "<na>",
            "nan",
            "-nan",
            "nat",
            "null",
            "none",
            "(null)",
            "missing",
            "unk",
            "unknown",
            "(blank)",
        ),
        *(
            "not available",
            "not applicable",
            "not evaluated",
            "not reported",
            "not recorded",
            "not collected",
            "not known",
            "not stated",
            "not determined",
        ),
        *(
            "[na]",
            "[null]",
            "[not available]",
            "[not applicable]",
            "[not evaluated]",
            "[not reported]",
            "[not recorded]",
            "[unknown]",
            "[discrepancy]",
        ),
        *("[completed]", "[pending]", "[redacted]", "not allowed to collect", "no data"),
    }
)
NONE = "none"  # of an event it may be that there was none
INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060"  # byte order mark, characters of no width


def said(text: str) -> str | None:
    """What a cell says, without blanks around it; None where that is nothing."""
    plain = stripped(text)
    return None if plain.lower() in MISSING else plain


def stripped(text: str) -> str:
    """Text without blanks and invisible characters around it."""
    return text.strip().strip(INVISIBLE).strip()


def plain_name(name: str) -> str:
    """A name without case, punctuation and blanks."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def written(value: object) -> str | None:
    """A typed value as a person would have written it; None where there is none."""
    if value is None or value != value:  # NaN
        return None
    # A column of whole numbers with a gap is stored as floats: nobody wrote the '.0'.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def number(text: str | None) -> float:
    """The number that a cell states; NaN where it states none."""
    try:
        return float(text) if text is not None else float("nan")
    except ValueError:
        return float("nan")
