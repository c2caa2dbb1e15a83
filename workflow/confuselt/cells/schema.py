"""Tables that `cells` writes."""

from confuselt.tables import Table

NUCLEI = Table(
    "cells/nuclei",
    {
        "x": "float64",
        "y": "float64",
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
