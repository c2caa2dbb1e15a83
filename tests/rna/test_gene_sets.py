"""GMT files: what they hold, and what is said of those that cannot be read."""

import gzip

import pytest

from confuselt.acquire.sources import check_sources
from confuselt.config.root import Config
from confuselt.rna.gene_sets import read_gene_sets

SETS = {"A": ["ESR1", "PGR"], "B": ["MKI67"]}
TEXT = "A\tof hormones\tESR1\tPGR\nB\t\tMKI67\n"
PACKED = gzip.compress(TEXT.encode(), mtime=0)  # without the hour: the workers of a run name a case by its bytes


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("\n", "\r"),
        "\ufeff" + TEXT.rstrip("\n"),
        TEXT.replace("\n", "\t\t\n") + "\n\n",
        TEXT.replace("PGR", " PGR\tESR1 "),
        TEXT.replace("hormones", "hormones\u2028and\x85more"),
    ],
    ids=["plain", "Windows", "old Mac", "byte order mark", "blank ends", "blanks and repeats", "odd line breaks"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_sets_are_the_same_however_they_are_written(tmp_path, text, packed):
    path = tmp_path / ("sets.gmt.gz" if packed else "sets.gmt")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert read_gene_sets(path) == SETS


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"A\tno genes\n", "line 1: fewer than 3 fields"),
        (TEXT.encode() + b"C\tnone\t\t\n", "line 3: fewer than 3 fields"),
        (b"\tno name\tESR1\n", "line 1: fewer than 3 fields"),
        (b"A ESR1 PGR\n", "line 1: fewer than 3 fields apart by tabs"),
        (TEXT.encode() + b"\nA\t\tERBB2\n", "line 4: the set 'A' stands twice"),
        (PACKED[:-9], "damaged"),
        (PACKED[:20] + b"\0\0\0" + PACKED[23:], "damaged"),
        ("A\té\tESR1\n".encode("latin-1"), "no text in UTF-8 .*at byte 2"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, content, words):
    path = tmp_path / "sets.gmt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"sets.gmt.*{words}"):
        read_gene_sets(path)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ValueError, match="is a folder; name the GMT file"):
        read_gene_sets(tmp_path)


def test_what_is_wrong_is_told_before_the_run(tmp_path):
    """As faults of every other table are: while the workflow is parsed, and by `check`."""
    (tmp_path / "hallmark.gmt").write_text("A\tno genes\n")
    simulated = {"acquire": {"source": "simulate"}, "simulate": {"level": "features"}}
    for name, words in (
        ("halmark.gmt", "evaluate.pathways: .*halmark.gmt is absent; closest: 'hallmark.gmt'"),
        ("hallmark.gmt", "evaluate.pathways: .*hallmark.gmt line 1: fewer than 3"),
    ):
        config = Config.model_validate({**simulated, "evaluate": {"pathways": str(tmp_path / name)}})
        with pytest.raises(ValueError, match=words):
            check_sources(config, config.cohort)
    (tmp_path / "hallmark.gmt").write_text(TEXT)
    check_sources(config, config.cohort)
