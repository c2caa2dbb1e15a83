"""`acquire`: where the cohort comes from. Relative paths start at the root key `data`."""

from typing import Annotated, Literal

from pydantic import Field

from confuselt.config.block import ADDRESS, Block
from confuselt.slides.resolution import LEAST_MPP, MOST_MPP


class Gdc(Block):
    """A project of the Genomic Data Commons, pinned by `snakemake cohort`."""

    url: str = Field("https://api.gdc.cancer.gov", description="address of the API", pattern=ADDRESS)
    mirror: str | None = Field(
        "https://tcga-2-open.s3.amazonaws.com",
        description="second source of the same open files, as <mirror>/<file id>/<file name>; null: none",
        pattern=ADDRESS,
    )
    project: str = Field("TCGA-BRCA", description="project id")
    sample_types: list[str] = Field(["Primary Tumor"], min_length=1, description="sample types that are used")
    outcomes: str | None = Field(
        "1b5f413e-a8d1-4d10-92eb-7c4ae739ed81",
        description=(
            "file id of the table of outcomes (TCGA-CDR); "
            "null: `acquire.clinical` is your own table, with patient ids as GDC writes them"
        ),
    )
    outcomes_md5: str | None = Field(
        "a4591b2dcee39591f59e5e25a6ce75fa",
        description="md5 that the table of outcomes must have; null: what is served when it is pinned",
    )
    subtypes: str | None = Field(
        "0f31b768-7f67-4fc4-abc3-06ac5bd90bf0",
        description="file id of the published subtypes (TCGASubtype); null: none",
    )
    labels: dict[str, str] = Field(
        {"pam50": "Subtype_mRNA"}, description="label columns taken from the table of subtypes: name here, column there"
    )
    mpp: dict[str, Annotated[float, Field(ge=LEAST_MPP, le=MOST_MPP)]] = Field(
        {}, description="µm per pixel of slides that do not state it, by slide id"
    )
    manifest: str | None = Field(
        None,
        description=(
            "manifest from GDC's portal (id, filename, md5, size): exactly its slides and STAR counts are pinned; "
            "null: all open ones of `project`. Paths start where you run"
        ),
    )
    sample_sheet: str | None = Field(
        None, description="with manifest: the portal's sample sheet, which says whose each file is; counts need it"
    )
    folder: str | None = Field(
        None,
        description=(
            "folder that gdc-client has filled (<file id>/<file name>): a file that lies there with the right md5 is "
            "not fetched again"
        ),
    )
    token_file: str | None = Field(
        None,
        description=(
            "file with a GDC token, readable by its owner only; "
            "else the environment variable GDC_TOKEN. Open files need none"
        ),
    )


class Acquire(Block):
    """Sheets and tables of a cohort.

    A cohort may lack a file of a default name, and is told so; one that the user named must be there.
    """

    source: Literal["local", "gdc", "simulate"] = Field(
        "local",
        description=(
            "local: the files below; gdc: a project, pinned by `snakemake cohort`; "
            "simulate: a cohort drawn by `simulate`"
        ),
    )
    gdc: Gdc = Field(Gdc(), description="with source: gdc")
    keep_slides: bool = Field(
        True,
        description=(
            "with source: gdc. false: one job fetches, tiles, embeds, types and deletes slide by slide, "
            "so that a cohort needs no more disk than `slides_on_disk` slides; "
            "changing tile, embed or cells then downloads again"
        ),
    )
    slides_on_disk: int = Field(
        8,
        ge=1,
        description=(
            "with keep_slides: false: slides on disk at once, over the whole run: "
            "two for each job, which fetches the next slide while it works on one; 1: a single job that waits"
        ),
    )
    connections: int = Field(
        16, ge=1, description="connections at once, over the whole run (on a cluster: over all its jobs)"
    )
    segments: int = Field(4, ge=1, description="connections that share one slide; at most `connections`")
    segment_mb: int = Field(16, ge=1, description="MB of a slide that one connection fetches in one request")
    attempts: int = Field(8, ge=1, description="tries in a row that bring nothing before a source is given up")
    timeout: float = Field(
        30,
        gt=0,
        description="seconds without a byte (or with fewer than 1 kB a second) after which a connection is given up",
    )
    id_column: str = Field("patient_id", description="column with the patient id in every table")
    slides: str | None = Field(
        None,
        description=(
            "sheet with a row per slide: slide_id, patient id, and a column `file` with the path of the slide (and, "
            "where the file does not say it, `mpp`), or `tile` and/or `cells` with the path of a bag (.h5 with "
            "features and coords; those of CLAM, TRIDENT and STAMP are read). "
            "Or slides by their names: wsi/{patient_id}_*.svs"
        ),
    )
    tile: str | None = Field(
        "tile_features.parquet",
        description=(
            "ready-made tile stream as one table: "
            "a row per instance (one row = a bag of one), id columns, optional slide_id, x, y; "
            "every other column is a feature"
        ),
    )
    cells: str | None = Field(
        "cell_features.parquet", description="the same for the stream of cell-type-related features"
    )
    rna: str | None = Field(
        "rna.parquet",
        description=(
            "table with a row per patient and a column per gene, or a sheet with a row per sample and a column `file` "
            "with the path of a STAR count file of GDC; or X of an AnnData file (.h5ad)"
        ),
    )
    clinical: str | None = Field(
        "clinical.parquet", description="table with a row per patient: site, covariates, times, events, labels"
    )
    site: str | None = Field(
        "site",
        description=(
            "clinical column with the tissue source site; null: a single-site cohort (then set split.group: patient)"
        ),
    )
    site_map: str | None = Field(
        None, description="table with columns code, institution: sites of one institution are merged"
    )
    limit: int | None = Field(
        None,
        ge=1,
        description=(
            "take only so many patients, the first by id: "
            "to try the whole chain on a few before the cluster runs for days"
        ),
    )
    covariates: list[str] = Field(["age", "stage"], description="clinical columns for the `clinical` baseline")
