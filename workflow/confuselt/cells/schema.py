"""Tables that `cells` writes."""

from confuselt.cells.roles import ROLES
from confuselt.embed.schema import STREAM_INDEX
from confuselt.tables import Table

# What a nucleus is kept with: whole pixels, tenths of a µm. Rounded values share dictionary pages, which keeps a
# nucleus under 20 bytes.
DECIMALS = {
    "x": 0,
    "y": 0,
    "probability": 2,
    "area_um2": 1,
    "long_um": 1,
    "short_um": 1,
    "solidity": 2,
    "perimeter_um": 1,
    "stain": 2,
    "stain_sd": 2,
}
CELLS_INDEX = Table(
    "cells/index",
    # Nuclei per mm² of tissue in the median of a slide's tiles; ready-made features do not say.
    {
        **STREAM_INDEX.columns,
        "nuclei_mm2": "float64",
        **{f"{role}_mm2": "float64" for role in ROLES},
        "warning": "string",
    },
    key=STREAM_INDEX.key,
    required=STREAM_INDEX.required,
)
DEEP_INDEX = Table(
    "cells/deep",
    {name: kind for name, kind in STREAM_INDEX.columns.items() if name != "unreadable"},
    key=STREAM_INDEX.key,
    required=STREAM_INDEX.required,
)
CELL_WEIGHTS = Table(
    "cells/weights",
    {"finder": "string", "weights": "string", "card": "string", "bytes": "int64", "types": "string"},
    key=("finder",),
    required=("weights", "card", "bytes", "types"),
)
NUCLEI = Table(
    "cells/nuclei",
    {
        "x": "int32",
        "y": "int32",
        "type": "string",
        "probability": "float64",
        "area_um2": "float64",
        "long_um": "float64",
        "short_um": "float64",
        "solidity": "float64",
        "perimeter_um": "float64",
        "stain": "float64",
        "stain_sd": "float64",
    },
)
