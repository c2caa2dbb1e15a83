"""Tables that `tile` writes."""

from confuselt.tables import INDEX_COLUMNS, Table

GRID = Table(
    "tile/grid",
    {"x": "int32", "y": "int32", "tissue": "float64", "pen": "float64", "focus": "float64"},
    key=("x", "y"),
)
TILE_INDEX = Table(
    "tile/index",
    {
        "slide_id": "string",
        "patient_id": "string",
        **INDEX_COLUMNS,
        "mpp": "float64",
        "mpp_source": "string",
        "mpp_file": "float64",
        "objective": "float64",
        "tile_mpp": "float64",
        "tile_px": "int64",
        "width": "int64",
        "height": "int64",
        "bounds_x": "int64",
        "bounds_y": "int64",
        "picture": "string",
        "tissue_share": "float64",
        "stain": "string",
        "stain_level": "float64",
        "under_pen": "int64",
        "unreadable": "int64",
        "out_of_focus": "int64",
        "not_drawn": "int64",
        "warning": "string",
    },
    key=("slide_id",),
    required=("patient_id", "status", "n"),
)
