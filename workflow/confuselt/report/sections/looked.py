"""What the model looks at: slides in layers, cells by class and outcome, the joint space of slides and RNA."""

from pathlib import Path

import pandas as pd

from confuselt.evaluate.schema import ATTENTION, ATTRIBUTIONS, SPACE, TILES
from confuselt.report.attribution_figure import attribution_figure, strongest
from confuselt.report.cell_figures import cells_figure, early_events
from confuselt.report.layers import Layered, layered
from confuselt.report.pathways import Pathways, pathways
from confuselt.report.run import Run
from confuselt.report.section import Content, Section, pictures
from confuselt.report.space_figure import neighbours_agree, space_figure
from confuselt.tables import empty_table, read_table

ARM = "wsi-pretrained"


def make(run: Run) -> Content:
    """See `Section.make`."""
    arm = run.with_cells(ARM)
    attended = _attended(run, arm)
    slides = _slides(run, attended)
    index = pd.read_parquet(run.sources.cells_index)
    groups = _groups(run)
    space, told_cells = _space(run), cells_figure(index, groups)
    moved = read_table(run.sources.attributions, ATTRIBUTIONS) if run.sources.attributions is not None else None
    sets = _pathways(run, moved)
    told = []
    if slides:
        told.append(f"{len(slides)} test slides with the attention of {arm}")
    if len(space):
        told.append("slides and RNA of test patients in their joint space")
    if told_cells is not None:
        told.append("nuclei by class and site")
    if moved is not None and len(moved):
        told.append("what moves the predictions")
    if sets is not None and sets.tables:
        told.append("which gene sets do")
    said = ", ".join(told) or "nothing to look at: no slides were read, and no pairs were trained on"
    return Content(
        f"{said[0].upper()}{said[1:]}.",
        {
            "slides": slides,
            "looked": arm,
            "tiles": _tiles(run),
            "looked_for": attended["part"].iloc[0] if slides else None,
            "near": space.to_dict("records"),
            "agree": {name: neighbours_agree(space, values) for name, values in groups.items()},
            "found_first": float((space["rank"] == 1).mean()) if len(space) else 0.0,
            "attribution_error": float(moved["error"].max()) if moved is not None and len(moved) else 0.0,
            "pathways": sets,
            "first_tasks": run.first_tasks,
        },
        pictures(
            cells=(told_cells, "Nuclei per mm² by role, class, outcome and site", index),
            **_attributed(moved, run.first_tasks),
            space=(
                space_figure(space, groups),
                "Joint space of slides and RNA, test patients of the first fold",
                space,
            ),
        ),
    )


def _attributed(table: pd.DataFrame | None, tasks: list[str]) -> dict[str, tuple]:
    """What moves the predictions of some tasks, genes and cell features, and the strongest as a table."""
    if table is None:
        return {}
    alt = "Features by mean size of their integrated gradients"
    return {
        f"attributed_{stream}": (attribution_figure(part, tasks), alt, strongest(part, tasks))
        for stream, part in table.groupby("stream")
    }


def _pathways(run: Run, moved: pd.DataFrame | None) -> Pathways | None:
    """Of the user's gene sets, where there are any."""
    if run.sources.pathways is None:
        return None
    tasks = list(dict.fromkeys([*run.first_tasks, *run.endpoints, *run.labels]))
    return pathways(moved, run.sources.pathways, tasks)


def _attended(run: Run, arm: str) -> pd.DataFrame:
    """Attention of an arm on the test slides of the first fold where it varies most."""
    if run.sources.attention is None:
        return empty_table(ATTENTION)
    table = read_table(run.sources.attention, ATTENTION)
    return table[table["arm"] == arm]


def _slides(run: Run, attended: pd.DataFrame) -> list[Layered]:
    """These slides in layers."""
    if run.sources.grids is None:
        return []
    grids, cells = run.sources.grids.parent, run.sources.cells_index.parent
    return [
        layered(slide, grids, (rows[["x", "y"]].to_numpy(), rows["times"].to_numpy()), cells / f"{slide}.h5")
        for slide, rows in attended.groupby("slide_id", sort=False)
        if (grids / f"{slide}.png").is_file()
    ]


def _tiles(run: Run) -> list[dict]:
    """By arm and part: ``most`` and ``least``, rows of ``evaluate/tiles`` from the end inwards."""
    if run.sources.tiles is None:
        return []
    table = read_table(run.sources.tiles, TILES)
    return [
        {
            "arm": arm,
            "part": part,
            "most": rows[rows["rank"] > 0].sort_values("rank").to_dict("records"),
            "least": rows[rows["rank"] < 0].sort_values("rank", ascending=False).to_dict("records"),
        }
        for (arm, part), rows in table.groupby(["arm", "part"], sort=True)
    ]


def _groups(run: Run) -> dict[str, pd.Series]:
    """Classes of every label, early events and sites, by patient."""
    outcomes = run.tables["outcomes"].set_index("patient_id")
    groups = {label: outcomes[f"label_{label}"] for label in run.labels}
    if run.primary:
        groups[f"early event of {run.primary}"] = early_events(
            outcomes[f"{run.primary}_days"], outcomes[f"{run.primary}_event"]
        )
    return groups | {"site": run.tables["patients"].set_index("patient_id")["site"]}


def _space(run: Run) -> pd.DataFrame:
    """``evaluate/space``; empty where nothing was pretrained."""
    return read_table(run.sources.space, SPACE) if run.sources.space is not None else empty_table(SPACE)


SECTION = Section("looked", "What the model looks at", Path(__file__).with_name("looked.html.j2"), make)
