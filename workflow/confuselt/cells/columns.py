"""The cell-type-related features of a tile: name, formula, unit and source of each, in their order.

n_k: nuclei of role k in the tile; A: its tissue, mm²; K: roles that the finder can tell.
"""

from dataclasses import dataclass

from confuselt.cells.roles import ROLES

PSEUDO = 0.5  # added to every count before shares and ratios
NEAR_UM, FAR_UM, HALO_UM = 20.0, 80.0, 80.0
NEIGHBOURS = 5
SQUARES = 4  # of a side of the tile, for `morisita_horn`
RATIOS = (("immune", "tumour"), ("stroma", "tumour"), ("immune", "stroma"))


@dataclass(frozen=True)
class Column:
    """A feature of a tile.

    Attributes
    ----------
    name, formula, unit, source : str
    """

    name: str
    formula: str
    unit: str = ""
    source: str = ""


HIF = "Diao 2021"
_COUNTED = [
    *(Column(f"log_density_{r}", f"log(1 + n / A) of {r}", "log per mm²", HIF) for r in ROLES),
    Column("log_density", "log(1 + all nuclei / A)", "log per mm²", HIF),
    *(Column(f"share_{r}", f"(n + .5) / (all typed + K .5) of {r}", "", "Diao 2021, smoothed") for r in ROLES),
]
COLUMNS = (
    *_COUNTED,
    *(Column(f"log_ratio_{a}_{b}", f"log((n + .5 of {a}) / (n + .5 of {b}))", "log", HIF) for a, b in RATIOS),
    Column("entropy", "-Σ share log share / log K", "", "Shannon 1948"),
    Column("simpson", "1 - Σ share²", "", "Simpson 1949"),
    Column("dominance", "largest share", "", "Berger & Parker 1970"),
    Column("confidence", "mean probability of the nuclei's types", "", "finder"),
    Column("doubt", "mean of -p log p - (1 - p) log(1 - p)", "nat", "finder"),
    Column("tumour_area_mean", "mean area of tumour nuclei", "µm²", "pleomorphism"),
    Column("tumour_area_sd", "SD of their areas; two or more", "µm²", "pleomorphism"),
    Column("tumour_area_p90", "90th percentile of their areas", "µm²", "pleomorphism"),
    Column("tumour_area_cv", "SD over mean of their areas; two or more", "", "pleomorphism"),
    Column("immune_area_mean", "mean area of immune nuclei", "µm²"),
    Column("stroma_area_mean", "mean area of stromal nuclei", "µm²"),
    Column("nuclear_fraction", "area of all nuclei / A", "", HIF),
    Column("tumour_fraction", "area of tumour nuclei / A", "", HIF),
    Column("tumour_circularity", "mean of 4 π area / perimeter², at most 1.2, of tumour nuclei", "", "Cox 1927"),
    Column("tumour_eccentricity", "mean of √(1 - (short / long)²) of tumour nuclei"),
    Column("tumour_solidity", "mean of area / area of the hull of tumour nuclei"),
    Column("stroma_eccentricity", "mean eccentricity of stromal nuclei"),
    Column("tumour_stain_mean", "mean haematoxylin of tumour nuclei", "of HED", "Ruifrok & Johnston 2001"),
    Column("tumour_stain_sd", "SD between tumour nuclei of their haematoxylin; two or more", "of HED"),
    Column("tumour_chromatin", "mean SD of haematoxylin within a tumour nucleus", "of HED"),
    Column("nearest_mean", "mean distance to the nearest nucleus, at most 80", "µm", "Clark & Evans 1954"),
    Column("clark_evans", "nearest_mean 2 √(all nuclei / A)", "", "Clark & Evans 1954"),
    Column("tumour_to_immune", "mean distance of a tumour nucleus to an immune one, at most 80", "µm"),
    Column("immune_to_tumour", "mean distance of an immune nucleus to a tumour one, at most 80", "µm"),
    Column("tumour_near_immune", "share of tumour nuclei with an immune one within 20 µm", "", HIF),
    Column("tumour_far_immune", "share of tumour nuclei with an immune one within 80 µm", "", HIF),
    Column("mixing", "log of edges between tumour and immune over expected, each + .5; 5 nearest within 80 µm", "log"),
    Column("heterotypy", "share of edges between unlike roles / (1 - Σ share²)"),
    Column("morisita_horn", "2 Σ a b / (Σ a² + Σ b²) of tumour and immune on 4 x 4 squares", "", "Horn 1966"),
    Column("tissue", "share of the tile that is tissue"),
    Column("log_count", "log(1 + nuclei in the tile)", "log"),
    *(Column(f"around_{c.name}", f"{c.name} of the 3 x 3 tiles around it", c.unit, c.source) for c in _COUNTED),
    Column("sought", "1 where nuclei were sought in the tile, else 0"),
)
NAMES = tuple(column.name for column in COLUMNS)
