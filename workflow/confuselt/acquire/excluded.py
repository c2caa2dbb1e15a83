"""What is left out: each row logged with its reason, and an error where it is too much."""

import logging

import pandas as pd

log = logging.getLogger(__name__)
OK, EXCLUDED = "ok", "excluded"


def check_excluded(frame: pd.DataFrame, share: float, what: str, key: str) -> None:
    """Raise ValueError that lists the excluded rows where more than `share` of them are excluded."""
    check_all_excluded([(frame, what, key)], share)


def check_all_excluded(tables: list[tuple[pd.DataFrame, str, str]], share: float) -> None:
    """`check_excluded` for several (frame, what, key): one error names every table with too many excluded rows."""
    faults = []
    for frame, what, key in tables:
        out = frame[frame["status"] == EXCLUDED]
        if len(frame) and len(out) / len(frame) > share:
            lines = "\n".join(f"  {r[key]}: {r['reason']}" for r in out.head(50).to_dict("records"))
            more = f"\n  and {len(out) - 50} more" if len(out) > 50 else ""
            faults.append(
                f"{len(out)} of {len(frame)} {what} are excluded, more than max_excluded ({share:.0%}):\n{lines}{more}"
            )
    if faults:
        raise ValueError("\n".join(faults))


def log_excluded(frame: pd.DataFrame, what: str, key: str) -> None:
    """Log every excluded row with its reason."""
    for row in frame[frame["status"] == EXCLUDED].to_dict("records"):
        log.warning("%s %s excluded: %s", what, row[key], row["reason"])
