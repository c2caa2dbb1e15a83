"""The fifty genes of PAM50 (Parker et al., J Clin Oncol 2009), under today's HGNC symbols and those before them."""

from collections.abc import Sequence

PAM50_GENES = tuple(
    """
    ACTR3B ANLN BAG1 BCL2 BIRC5 BLVRA CCNB1 CCNE1 CDC20 CDC6 CDH3 CENPF CEP55 CXXC5 EGFR ERBB2 ESR1 EXO1 FGFR4 FOXA1
    FOXC1 GPR160 GRB7 KIF2C KRT14 KRT17 KRT5 MAPT MDM2 MELK MIA MKI67 MLPH MMP11 MYBL2 MYC NAT1 NDC80 NUF2 ORC6 PGR
    PHGDH PTTG1 RRM2 SFRP1 SLC39A6 TMEM45B TYMS UBE2C UBE2T
    """.split()  # noqa: SIM905
)
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


def todays(names: Sequence[str]) -> list[str]:
    """Names of genes with previous symbols of PAM50's genes replaced, but where today's symbol is there as well."""
    there = set(names)
    return [PREVIOUS[n] if n in PREVIOUS and PREVIOUS[n] not in there else n for n in names]
