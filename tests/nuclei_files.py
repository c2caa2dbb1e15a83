"""The same nuclei as each tool writes them, and what they are."""

import gzip
import json

import numpy as np
import pandas as pd
import shapely

from confuselt.cells.places import Extent

SLIDE = Extent(0.25, 4000, 3000)
TYPES = ("Neoplastic", "Inflammatory", "Connective")


def drawn(n=60, seed=0):
    """Outlines of ellipses, (n,) lists of corners, their types and probabilities."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    outlines = []
    for x, y, a, b, turn in rng.uniform([100, 100, 12, 8, 0], [3900, 2900, 30, 18, 3], (n, 5)):
        px, py = a * np.cos(angle), b * np.sin(angle)
        turned = x + px * np.cos(turn) - py * np.sin(turn), y + px * np.sin(turn) + py * np.cos(turn)
        outlines.append(np.round(np.stack(turned, 1), 2).tolist())
    return outlines, rng.choice(TYPES, n).tolist(), np.round(rng.uniform(0.4, 1, n), 3).tolist()


def truth():
    outlines, types, probability = drawn()
    polygons = shapely.polygons([shapely.linearrings(o) for o in outlines])
    centre = shapely.get_coordinates(shapely.centroid(polygons))
    return pd.DataFrame(
        {"x": centre[:, 0], "y": centre[:, 1], "type": types, "probability": probability}
        | {"area_um2": shapely.area(polygons) / 16, "perimeter_um": shapely.length(polygons) / 4}
    )


def closed(outline):
    return [*outline, outline[0]]


def qupath(**more):
    features = [
        {
            "type": "Feature",
            "id": str(k),
            "geometry": {"type": "Polygon", "coordinates": [closed(outline)]},
            "properties": {
                "objectType": "detection",
                "classification": {"name": name, "color": [1, 2, 3]},
                "measurements": {"Detection probability": p, "Nucleus: Area": 1.0},
            },
            **more,
        }
        for k, (outline, name, p) in enumerate(zip(*drawn(), strict=True))
    ]
    annotation = {"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9]]]}}
    return [*features, {**annotation, "properties": {"objectType": "annotation", "classification": {"name": "Tumor"}}}]


def write(path, content):
    text = json.dumps(content)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def cellvit(type_map):
    number = {"Neoplastic": 1, "Inflammatory": 2, "Connective": 3}
    return {
        "wsi_metadata": {"base_mpp": 0.25, "note": 'a "cells": [ in a text'},
        "processed_patches": [["0_0", [1, 2]]] * 50,
        "type_map": type_map,
        "cells": [
            {"centroid": [0, 0], "contour": o, "type": number[t], "type_prob": p, "bbox": [[0, 0], [1, 1]]}
            for o, t, p in zip(*drawn(), strict=True)
        ],
    }


def histoplus(of_slide=False):
    """At half of the slide's size: DeepZoom level 11 of 12."""
    tiles = {}
    for outline, name, p in zip(*drawn(), strict=True):
        half = np.array(outline) / 2
        column, row = (half.mean(0) // 224).astype(int)
        place = half if of_slide else half - np.array([column, row]) * 224
        masks = tiles.setdefault((int(column), int(row)), [])
        masks.append({"cell_id": len(masks), "cell_type": name, "confidence": p, "coordinates": place.tolist()})
    return {
        "model_name": "m",
        "inference_mpp": 0.25,
        "cell_masks": [
            {"x": x, "y": y, "level": 11, "width": 224, "height": 224, "masks": m} for (x, y), m in tiles.items()
        ],
    }


def check(found, columns=("x", "y", "probability", "area_um2", "perimeter_um"), atol=0.02):
    wanted = truth()
    order = ["type", "x"]
    found, wanted = found.sort_values(order, ignore_index=True), wanted.sort_values(order, ignore_index=True)
    assert found["type"].tolist() == wanted["type"].tolist()
    for column in columns:
        np.testing.assert_allclose(found[column], wanted[column], atol=atol, rtol=1e-3)
    unknown = {"probability", "area_um2", "perimeter_um"} - set(columns)
    assert found[[*unknown]].isna().all(axis=None)
