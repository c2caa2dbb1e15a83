"""Tables that `cells` writes."""

from confuselt.embed.schema import STREAM_INDEX
from confuselt.tables import Table

# What a nucleus is kept with: whole pixels, tenths of a µm. Rounded values share dictionary pages, which keeps a
# nucleus under 16 bytes.
DECIMALS = {"x": 0, "y": 0, "area_um2": 1, "long_um": 1, "short_um": 1, "solidity": 2, "perimeter_um": 1, "stain": 2}
CELLS_INDEX = Table(
    "cells/index",
    # Nuclei per mm² of tissue in the median of a slide's tiles; ready-made features do not say.
    {**STREAM_INDEX.columns, "nuclei_mm2": "float64", "warning": "string"},
    key=STREAM_INDEX.key,
    required=STREAM_INDEX.required,
)
NUCLEI = Table(
    "cells/nuclei",
    {
        "x": "int32",
        "y": "int32",
        "class": "string",
        "area_um2": "float64",
        "long_um": "float64",
        "short_um": "float64",
        "solidity": "float64",
        "perimeter_um": "float64",
        "stain": "float64",
    },
    required=("class",),
)
