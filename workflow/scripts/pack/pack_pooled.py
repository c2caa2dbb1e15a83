"""The training store of deep cell-type features."""

from pathlib import Path

from confuselt.pack.store import pack
from confuselt.run_step import Output, run_step

READS = ()


def main(index: Path, store: Output) -> None:
    """Join the slides' bags of roles."""
    pack({"deep": (index, None)}, store)


if __name__ == "__main__":
    run_step(main, globals())
