"""`acquire`: where the cohort comes from. Relative paths start at the root key `data`."""

from typing import Literal

from pydantic import Field

from confuselt.config.block import Block


class Acquire(Block):
    """Sheets and tables of a cohort. A file that is listed but absent is reported, not an error."""

    source: Literal["local", "simulate"] = Field("local", description="local: the files below; simulate: a cohort drawn by `simulate`")
    id_column: str = Field("patient_id", description="column with the patient id in every table")
    slides: str | None = Field(
        None,
        description="sheet with a row per slide: slide_id, patient id, and a column `file` with the path of the slide (and, where the file does not say it, `mpp`), or `tile` and/or `cells` with the path of a bag (.h5 with features and coords)",
    )
    tile: str | None = Field(
        "tile_features.parquet",
        description="ready-made tile stream as one table (.parquet, .csv, .tsv): a row per instance (one row = a bag of one), id columns, optional slide_id, x, y; every other column is a feature",
    )
    cells: str | None = Field("cell_features.parquet", description="the same for the stream of cell-type-related features")
    rna: str | None = Field(
        "rna.parquet",
        description="table with a row per patient and a column per gene, or a sheet with a row per sample and a column `file` with the path of a STAR count file of GDC",
    )
    clinical: str | None = Field("clinical.parquet", description="table with a row per patient: site, covariates, times, events, labels")
    site: str | None = Field("site", description="clinical column with the tissue source site; null: a single-site cohort (then set split.group: patient)")
    site_map: str | None = Field(None, description="table with columns code, institution: sites of one institution are merged")
    limit: int | None = Field(
        None, ge=1, description="take only so many patients, the first by id: to try the whole chain on a few before the cluster runs for days"
    )
    covariates: list[str] = Field(["age", "stage"], description="clinical columns for the `clinical` baseline")
