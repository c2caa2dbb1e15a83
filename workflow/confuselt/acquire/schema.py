"""Tables that `acquire` writes."""

from confuselt.tables import INDEX_COLUMNS, Table

SLIDES = Table(
    "acquire/slides",
    {
        "slide_id": "string",
        "patient_id": "string",
        "status": "string",
        "reason": "string",
        "file": "string",
        "mpp": "float64",
        "tile": "string",
        "cells": "string",
    },
    key=("slide_id",),
    required=("patient_id", "status"),
)
RNA = Table(
    "acquire/rna",
    {"sample_id": "string", "patient_id": "string", "status": "string", "reason": "string", "row": "int64"},
    key=("sample_id",),
    required=("patient_id", "status"),
)
OUTCOMES = Table(
    "acquire/outcomes",
    {"patient_id": "string", "status": "string", "reason": "string", "site": "string"},
    key=("patient_id",),
    # The first that fits decides: label_x_days is a label.
    patterns={r"label_.+": "string", r".+_days": "float64", r".+_event": "float64"},
    required=("status",),
)
COVARIATES = Table(
    "acquire/covariates",
    {"patient_id": "string", "reason": "string"},
    key=("patient_id",),
    patterns={r"covariate_.+": "string"},
)
PATIENTS = Table(
    "acquire/patients",
    {
        "patient_id": "string",
        "status": "string",
        "reason": "string",
        "slides": "int64",
        "rna": "int64",
        "site": "string",
    },
    key=("patient_id",),
    patterns={r"has_.+": "bool"},
    required=("status", "slides", "rna"),
)
DOWNLOADS = Table(
    "acquire/downloads",
    {"what": "string", "file": "string", "status": "string", "reason": "string", "bytes": "int64", "sha": "string"},
    key=("what", "file"),
    required=("status",),
)
MANIFEST = Table(
    "acquire/manifest",
    {
        "file_id": "string",
        "what": "string",
        "patient_id": "string",
        "slide_id": "string",
        "sample_id": "string",
        "sample_type": "string",
        "file_name": "string",
        "md5": "string",
        "bytes": "int64",
        "status": "string",
        "reason": "string",
    },
    key=("file_id",),
    required=("what", "status"),
)
FETCHED = Table(
    "acquire/fetched",
    {"slide_id": "string", "patient_id": "string", **INDEX_COLUMNS},
    key=("slide_id",),
    required=("status",),
)
FILES = Table(
    "acquire/files",
    {
        "file_id": "string",
        "what": "string",
        "patient_id": "string",
        "sample_id": "string",
        "file": "string",
        **INDEX_COLUMNS,
    },
    key=("file_id",),
    required=("what", "status"),
)
