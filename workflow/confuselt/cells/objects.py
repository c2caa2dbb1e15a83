"""What QuPath calls the objects of a file, whichever version wrote it, and which of them are no nuclei."""

from typing import Any

# What QuPath up to 0.2 writes as ``id``, instead of a kind.
_OLD = {
    "PathAnnotationObject": "annotation",
    "PathTileObject": "tile",
    "TMACoreObject": "tmacore",
    "PathRootObject": "root",
}
ANNOTATION = "annotation"
NO_NUCLEI = (ANNOTATION, "tile", "tmacore", "root")


def plain(kind: Any) -> str:
    """A kind without case, spaces and underscores: ``tmaCore``, ``TMA core`` and ``tma_core`` are one."""
    return str(kind).lower().replace("_", "").replace(" ", "")


def kind_of(feature: dict) -> str:
    """Kind of a feature of GeoJSON; empty where none is said."""
    said = feature.get("properties") or {}
    # QuPath 0.3 wrote object_type.
    return plain(said.get("objectType") or said.get("object_type") or _OLD.get(str(feature.get("id"))) or "")
