"""Tables of genes: which way they lie, and names that a spreadsheet has spoilt."""

import re
from pathlib import Path

from confuselt.sheets.read import Matrix, header_of, read_turned
from confuselt.sheets.words import plain_name

# First column of a table with a gene in every row, as Xena, cBioPortal, GDC, TCGA's hub, GEO, recount and R have it.
GENES = frozenset(
    """
    sample gene genes geneid genename genesymbol genesymbols symbol symbols hugosymbol hgncsymbol hgncid ensembl
    ensemblid ensemblgeneid ensembleid ensg entrezgeneid entrez entrezid compositeelementref hybridizationref idref
    probe probeid probeset probesetid feature featureid name id transcript
    """.split()  # noqa: SIM905
)
# Columns beside it that are no samples.
FACTS = frozenset(
    """
    entrezgeneid entrezid entrez genetype genename genesymbol genedescription description chromosome chr chrom start end
    strand length genelength efflength biotype genebiotype hugosymbol hgncsymbol ensemblgeneid locus cytoband band
    """.split()  # noqa: SIM905
)
# What a spreadsheet makes of MARCH1, SEPT2 and DEC1 (Ziemann et al., Genome Biol 2016).
MONTH = "(mar|mär|märz|sep|sept|dec|dez|oct|okt|apr|feb|nov|jan|jun|jul|aug|may|mai)"
DATE = re.compile(rf"\d{{1,2}}[-./ ]{MONTH}|{MONTH}[-./ ]\d{{1,2}}|\d{{4}}-\d{{2}}-\d{{2}}( 00:00:00)?", re.I)


def genes_in_rows(path: Path, key: str) -> bool:
    """Whether a table without an id column has a gene in every row and a sample in every column."""
    header = header_of(path)
    return bool(header) and not {key, "file"} & set(header) and (plain_name(header[0]) in GENES or not header[0])


def samples_of(path: Path) -> dict[int, str]:
    """Place and name of the columns of such a table that are samples."""
    return {i: name for i, name in enumerate(header_of(path)) if i and name and plain_name(name) not in FACTS}


def read_gene_rows(path: Path, key: str) -> Matrix:
    """Read such a table as if it lay the other way; its header names the samples (column `key` of the ids)."""
    return read_turned(path, list(samples_of(path)), key)


def check_genes(names: list[str], path: Path) -> None:
    """Raise ValueError for names of genes that a spreadsheet has turned into dates."""
    if dates := [name for name in names if DATE.fullmatch(name)]:
        raise ValueError(
            f"{path}: {', '.join(map(repr, dates[:5]))} are dates: a spreadsheet has turned names of genes (MARCHF1, "
            "SEPTIN2, DEC1) into them; take the matrix as it was before, or write today's symbols"
        )
