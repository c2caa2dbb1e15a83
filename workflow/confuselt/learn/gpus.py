"""GPUs of this machine, as its driver lists them; asked while the workflow is planned, without torch."""

from pathlib import Path


def gpus_here() -> int:
    """Their number."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))
