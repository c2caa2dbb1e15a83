"""Blocks of the stages between the cohort tables and the models: `embed`, `cells`, `rna`, `split`, `pack`."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from confuselt.cells.card import names
from confuselt.cells.roles import ROLES, Role
from confuselt.config.block import FOLDER_NAME, Block

Scaling = Literal["standard", "robust", "rank"]


class Tile(Block):
    """Tissue and tile grid of slides (where `embed.encoder` reads slides)."""

    size: int = Field(224, ge=32, description="side of a tile in pixels, as the encoder takes it")
    mpp: float = Field(
        0.5,
        gt=0.1,
        le=2,
        description=(
            "µm per pixel of a tile; reached to a whole number of the slide's pixels, whatever its own resolution"
        ),
    )
    overlap: float = Field(0, ge=0, lt=1, description="share of a tile's side that the next one covers too")
    max_tiles: int | None = Field(
        None, ge=1, description="most tiles of a slide; of more, so many are drawn, always the same; null: all"
    )
    min_tissue: float = Field(0.5, gt=0, le=1, description="share of a tile that must be tissue")
    max_pen: float = Field(0.1, ge=0, le=1, description="share of a tile that may lie under pen marks")
    min_focus: float = Field(
        2.5,
        ge=0,
        description=(
            "sharpness under which a tile is left out (SD of the Laplacian of the optical density at 1 µm per pixel, "
            "over the slide's own stain; real scans 3 to 14, blurred by 1.5 µm or more under 2.3)"
        ),
    )


class Embed(Block):
    """The tile stream."""

    encoder: str = Field(
        "ready",
        description=(
            "efficientnet-lite0 (ImageNet, open, runs offline), or a pathology encoder of `snakemake models` with "
            "`weights`: tiles of slides are embedded with it; any other name, and one without weights: features that "
            "came with the cohort, by the name of what made them"
        ),
        pattern=FOLDER_NAME,
    )
    weights: Path | None = Field(
        None, description="file of the encoder's weights (safetensors, or what torch.save wrote), fetched by you"
    )
    sha256: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="what the file of weights must be; any other one stops the run"
    )
    card: Path | None = Field(
        None,
        description="card of an encoder of your own, as in workflow/confuselt/embed/cards: see docs/EMBED.md",
    )
    workers: int = Field(
        0,
        ge=0,
        description=(
            "processes that read tiles beside the job that embeds them, a core each; 0: the job itself reads. "
            "A GPU waits less with 1 to 4"
        ),
    )
    compile: bool = Field(
        False,
        description=(
            "torch compiles the encoder: a minute more at the start of each job, for many slides a group on a GPU. "
            "Never triggers a rerun"
        ),
    )
    trained_on: list[str] = Field(
        [],
        description="cohorts that the encoder saw, beside those that it states itself; printed beside every number",
    )


class Cells(Block):
    """The cells stream."""

    method: str = Field(
        "ready",
        pattern=r"^[a-z0-9][a-z0-9._-]*$",
        description=(
            "ready: features that came with the cohort; table: nuclei that another tool has found; else what finds "
            f"them on the slides: one of {', '.join(names())}, or a name of your own with `card` (docs/CELLS.md)"
        ),
    )
    weights: Path | None = Field(None, description="file of the finder's weights; nothing is downloaded in a job")
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="of that file, checked before anything else")
    card: Path | None = Field(
        None, description="card of a finder of your own, as in workflow/confuselt/cells/cards: see docs/CELLS.md"
    )
    nuclei: str | None = Field(
        None,
        pattern=r"\{slide_id\}",
        description=(
            "with method: table. Path of each slide's nuclei from `data` on, `{slide_id}` for its id, such as "
            "nuclei/{slide_id}.geojson.gz: GeoJSON (QuPath), JSON (CellViT, NuLite, HistoPLUS), csv, tsv or parquet"
        ),
    )
    roles: dict[str, Role] = Field(
        {},
        description=(
            f"with method: table. What each type in those files is taken for, one of {', '.join(ROLES)}; "
            "a type that is not listed is an error"
        ),
    )
    origin: Literal["slide", "bounds"] | None = Field(
        None,
        description=(
            "with method: table. Where the places in those files begin, on slides whose scanner has seen a part "
            "(.mrxs, .scn, .bif): bounds, at the corner of that part (QuPath); slide, at the corner of the whole "
            "(OpenSlide, and what reads through it). Needed only where the corners differ"
        ),
    )
    max_tiles: int | None = Field(
        None,
        ge=1,
        description="of a slide, in which nuclei are sought, drawn by its id; of others nothing is known. null: all",
    )
    workers: int = Field(
        0,
        ge=0,
        description="processes beside the job that finds nuclei, a core each; 0: the job does everything itself",
    )
    compile: bool = Field(
        False,
        description=(
            "torch compiles the finder's network: a minute more at the start of each job, for many slides a group on a "
            "GPU. Never triggers a rerun"
        ),
    )
    crops: int = Field(
        200,
        ge=0,
        description=(
            "for -deepcells arms: nuclei of each role and slide that the encoder sees in a picture of their own, "
            "drawn by the slide's id; 0: none"
        ),
    )
    keep_nuclei: bool = Field(
        True,
        description=(
            "keep each nucleus (place, type, size: 20 bytes) in cells/<slide>.nuclei.parquet; "
            "false: only the features of tiles"
        ),
    )
    trained_on: list[str] = Field(
        [],
        description="cohorts that the cell model saw, beside those that it states itself; printed beside every number",
    )


class Calls(Block):
    """How a label is called from RNA."""

    centroids: str = Field(description="table of centroids (genes x classes, log2 scale, and a column `median`)")
    balanced_by: str | None = Field(
        None,
        description=(
            "column of the clinical table, such as ER status, whose two values weigh alike in the median of each gene, "
            "which is then this cohort's; null: the medians of the table"
        ),
    )


class Rna(Block):
    """Normalisation; everything is fitted on the training patients of a fold."""

    matrix: Literal["counts", "normalised"] = Field(
        "counts", description="counts: raw counts (VST of PyDESeq2); normalised: a matrix that was scaled elsewhere"
    )
    round: bool = Field(
        False, description="counts are expected counts (RSEM, salmon, kallisto), which are fractions: they are rounded"
    )
    scaled_outside: bool = Field(
        False,
        description=(
            "the matrix was scaled over all patients before it came here: "
            "said in the report, no leak-free claim is made"
        ),
    )
    scaling: Scaling = Field(
        "standard",
        description=(
            "per gene, after VST or on the ready-made matrix: "
            "standard (z), robust (median, IQR) or rank (normal scores)"
        ),
    )
    genes: int | None = Field(
        2000, ge=2, description="number of most variable genes kept (by scanpy, on training patients); null: all"
    )
    min_count: int = Field(10, ge=0, description="a gene needs this count in `min_share` of the training patients")
    min_share: float = Field(0.1, ge=0, le=1, description="see min_count")
    transform: Literal["vst", "log-cpm", "rank"] = Field(
        "vst",
        description=(
            "of counts: vst (DESeq2's, with frozen size factors and trend) or log-cpm; rank, of a ready-made one too: "
            "places of the genes within their own sample, which another platform or unit leaves as they are"
        ),
    )
    trend_genes: int | None = Field(
        1000,
        ge=100,
        description=(
            "genes, spread evenly over the mean counts, that the dispersion trend of VST is fitted on, like R's vst(); "
            "null: all, which takes minutes a fold"
        ),
    )
    clip: float = Field(5.0, gt=0, description="scaled values are clipped at ± this")
    pam50_centroids: str | None = Field(
        None,
        description=(
            "table of PAM50 centroids (genes x classes, log2 scale): calls are then written to rna/pam50.parquet"
        ),
    )
    calls: dict[str, Calls] = Field(
        {},
        description=(
            "label (with from_rna) to `centroids` and `balanced_by`: patients to whom the table gives no class "
            "get that of the nearest centroid, written to rna/calls; a written class wins, and the report says how "
            "often both agree"
        ),
    )


class Split(Block):
    """Repeated folds that keep every site whole."""

    source: Literal["sites", "file"] = Field(
        "sites", alias="from", description="sites: random maps of whole sites to folds; file: `split.file`"
    )
    file: str = Field(
        "folds.parquet", description="table with patient id, test_fold and, for repeats, repeat (with `from: file`)"
    )
    folds: int = Field(5, ge=2, description="number of test folds")
    repeats: int = Field(1, ge=1, description="number of truly different maps")
    group: Literal["site", "patient"] = Field(
        "site", description="unit that is never split; `patient` for single-site cohorts"
    )
    inner: float = Field(
        0.2, gt=0, lt=0.5, description="share of the training patients kept for inner validation, grouped alike"
    )
    min_events: int = Field(5, ge=0, description="events of the first endpoint that every test fold must hold")
    max_ari: float = Field(
        0.5,
        gt=0,
        le=1,
        description="a repeat is accepted only if its adjusted Rand index with every earlier one is at most this",
    )
    tries: int = Field(200, ge=1, description="random starts per repeat before the constraints are called impossible")


class Pack(Block):
    """Scaling of the streams; fitted on the training patients of a fold by whoever trains."""

    scaling_tile: Scaling = Field("standard", description="scaling of the tile stream")
    scaling_cells: Scaling = Field("rank", description="scaling of the cells stream")
    scaling_deep: Scaling = Field("standard", description="scaling of deep cell-type features (-deepcells arms)")
