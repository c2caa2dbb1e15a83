"""The composition of slides by class, outcome and site shows which role was planted to drive risk."""

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT

from confuselt.cells.roles import ROLES
from confuselt.config.root import Config
from confuselt.report.cell_figures import cells_figure, early_events
from confuselt.simulate.histology import TYPES
from confuselt.simulate.sections import simulate_sections


def test_early_events_leave_out_whom_nobody_knows():
    """Median time of events 20: censored before it nobody can place."""
    days, event = pd.Series([10, 20, 30, 15, 25.0], list("abcde")), pd.Series([1, 1, 1, 0, 0], list("abcde"))
    found = early_events(days, event)
    assert found[["a", "b"]].eq("event within 0.1 years").all()
    assert found[["c", "e"]].eq("none within 0.1 years").all() and pd.isna(found["d"])


@pytest.fixture(scope="module")
def demo():
    """Slides of the demo as ``cells/index`` has them when nuclei are found as drawn, and its outcomes."""
    raw = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    config = Config.model_validate(raw)
    cohort = simulate_sections({f"simulate.{k}": v for k, v in config.simulate.model_dump().items()})
    patient = cohort.slides.set_index("slide_id")["patient_id"]
    sections = {slide: section for slide, (section, _) in cohort.sections.items()}
    index = pd.DataFrame(
        {
            f"{config.cells.roles[kind]}_mm2": [s.density * s.mix[k] for s in sections.values()]
            for k, kind in enumerate(TYPES)
        }
    ).assign(other_mm2=np.nan, patient_id=patient[list(sections)].to_numpy(), status="ok")
    return index, cohort.clinical.set_index("patient_id"), cohort.truth.set_index("patient_id")


def test_the_planted_role_shows_in_the_composition(demo):
    """Of the roles, dead cells follow the planted hazard most: they are more where events came early."""
    index, clinical, truth = demo
    columns = [f"{role}_mm2" for role in ROLES if role != "other"]
    hazard = index[columns].corrwith(
        truth.loc[index["patient_id"], "log_hazard"].set_axis(index.index), method="spearman"
    )
    assert hazard.abs().idxmax() == "dead_mm2" and hazard["dead_mm2"] > 0.4
    groups = {"os": early_events(clinical["os_days"], clinical["os_event"])}
    figure = cells_figure(index, groups)
    (axis,) = figure.axes
    names = [label.get_text().rpartition(" (")[0] for label in axis.get_yticklabels()]
    width = {bars.get_label(): dict(zip(names, [b.get_width() for b in bars], strict=True)) for bars in axis.containers}
    early, late = (next(n for n in names if n.startswith(word)) for word in ("event", "none"))
    ratio = {role: width[role][early] / width[role][late] for role in width}
    assert max(ratio, key=ratio.get) == "dead" and ratio["dead"] > 1.3 and ratio["immune"] < 0.9
