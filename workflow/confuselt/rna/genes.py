"""Names of genes, and the fifty of PAM50 (Parker et al., J Clin Oncol 2009) under all that they are called.

Today's symbols of HGNC, those before them, and the ids of Ensembl.
"""

import re
from collections import Counter
from collections.abc import Sequence

PAM50_GENES = tuple(
    """
    ACTR3B ANLN BAG1 BCL2 BIRC5 BLVRA CCNB1 CCNE1 CDC20 CDC6 CDH3 CENPF CEP55 CXXC5 EGFR ERBB2 ESR1 EXO1 FGFR4 FOXA1
    FOXC1 GPR160 GRB7 KIF2C KRT14 KRT17 KRT5 MAPT MDM2 MELK MIA MKI67 MLPH MMP11 MYBL2 MYC NAT1 NDC80 NUF2 ORC6 PGR
    PHGDH PTTG1 RRM2 SFRP1 SLC39A6 TMEM45B TYMS UBE2C UBE2T
    """.split()  # noqa: SIM905
)
# The same fifty in order: their ids in Ensembl are ENSG and these digits.
ENSEMBL = dict(
    zip(
        (
            f"ENSG00000{digits}"
            for digits in """
            133627 011426 107262 171791 089685 106605 134057 105173 117399 094804 062038 117724 138180 171604 146648
            141736 091831 174371 160867 129514 054598 173890 141738 142945 186847 128422 186081 186868 135679 165304
            261857 148773 115648 099953 101057 136997 171428 080986 143228 091651 082175 092621 164611 171848 104332
            141424 151715 176890 175063 077152
            """.split()  # noqa: SIM905
        ),
        PAM50_GENES,
        strict=True,
    )
)
# Those of them whose mean tells how fast a tumour grows.
PROLIFERATION = ("BIRC5", "CCNB1", "CDC20", "CEP55", "MKI67", "NDC80", "NUF2", "PTTG1", "RRM2", "TYMS", "UBE2C")
VERSIONED = re.compile(r"(ENS[A-Z]*[GT]\d{11})\.\d+(_PAR_Y)?")
WITH_ENTREZ = re.compile(r"([^|?]+)\|\d+")  # ESR1|2099, as the first matrices of TCGA have it


# HGNC's previous symbols of these genes, to today's: matrices and tables of centroids from before 2012 have them.
PREVIOUS = {
    "C10orf3": "CEP55",
    "CDC18L": "CDC6",
    "CDCA1": "NUF2",
    "ERBB": "EGFR",
    "FKHL7": "FOXC1",
    "HNF3A": "FOXA1",
    "KNSL6": "KIF2C",
    "KNTC2": "NDC80",
    "NGL": "ERBB2",
    "ORC6L": "ORC6",
    "STMY3": "MMP11",
}
CALLED = PREVIOUS | ENSEMBL


def plain_genes(names: Sequence[str]) -> list[str]:
    """Names without the version of an Ensembl id or the Entrez id behind a symbol; where two would be one, as written.

    A new release of Ensembl counts versions up without changing what a gene is called.
    """
    plain = [plain_gene(name) for name in names]
    often = Counter(plain)
    return [short if often[short] == 1 else name for short, name in zip(plain, names, strict=True)]


def are_ensembl(names: Sequence[str]) -> bool:
    """Whether most names are ids of Ensembl's genes."""
    return sum(bool(re.fullmatch(r"ENS[A-Z]*G\d{11}(\.\d+)?(_PAR_Y)?", name)) for name in names) > len(names) / 2


def todays(names: Sequence[str]) -> list[str]:
    """Names of genes, those of PAM50 by today's symbol, whatever they were called; where that is there, as written."""
    taken, found = set(names), []
    for name in names:
        today = CALLED.get(plain_gene(name))
        found.append(name if today is None or today in taken else today)
        taken.add(found[-1])
    return found


def plain_gene(name: str) -> str:
    """A name without the version of an Ensembl id or the Entrez id behind a symbol."""
    if found := VERSIONED.fullmatch(name):
        return found[1] + (found[2] or "")
    found = WITH_ENTREZ.fullmatch(name)
    return found[1] if found else name
