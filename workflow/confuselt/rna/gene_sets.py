"""Gene sets of a GMT file, as MSigDB, Reactome and others give them: a set per line, its fields apart by tabs."""

import gzip
import zlib
from pathlib import Path

from confuselt.sheets.read import closest

GZIP = b"\x1f\x8b"  # how such a file begins, whatever it is called
LEAST_FIELDS = 3  # name, description, a gene


def read_gene_sets(path: Path) -> dict[str, list[str]]:
    """Genes of every set, each once, in the order of the file.

    Parameters
    ----------
    path : Path
        A GMT file, as it is or packed by gzip.

    Returns
    -------
    dict of str to list of str
        Name of a set to its genes as written.

    Raises
    ------
    ValueError
        The file is absent, a folder, damaged, empty, no text, has a line without three fields, or names a set twice.
    """
    found: dict[str, list[str]] = {}
    for number, line in enumerate(_text(path).split("\n"), 1):
        if not line.strip():
            continue
        name, *rest = (field.strip() for field in line.split("\t"))
        genes = list(dict.fromkeys(filter(None, rest[1:])))
        if not name or not genes:
            raise ValueError(
                f"{path} line {number}: fewer than {LEAST_FIELDS} fields apart by tabs; a GMT file has a name, a "
                "description and the genes of a set on each line"
            )
        if name in found:
            raise ValueError(f"{path} line {number}: the set '{name}' stands twice; give each a name of its own")
        found[name] = genes
    if not found:
        raise ValueError(f"{path}: the file is empty; a GMT file has a set of genes on each line")
    return found


def _text(path: Path) -> str:
    """What a file says, its lines apart by a newline alone."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name the GMT file")
    if not path.is_file():
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise ValueError(f"{path} is absent{closest(path.name, beside)}")
    content = path.read_bytes()
    try:
        content = gzip.decompress(content) if content.startswith(GZIP) else content
        text = content.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: cannot be unpacked, the file is damaged ({error}); fetch it again") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is no text in UTF-8 ({error.reason} at byte {error.start})") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
