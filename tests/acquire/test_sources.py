"""What is wrong with a cohort's files is said before any job, by key, with the closest name."""

from pathlib import Path

import pandas as pd
import pytest

from confuselt.acquire.sources import absent_files, cells_warning, check_sources, existing_files
from confuselt.config.validate import validate

COLUMNS = {"patient_id": "P1", "site": "S", "age": 50, "stage": "I", "months": 3, "dead": 1, "subtype": "A"}
TASKS = {
    "survival": [{"name": "os", "time": "months", "event": "dead"}],
    "labels": [{"name": "pam50", "column": "subtype", "classes": ["A", "B"]}],
}


def check(folder, cohort="mine", columns=COLUMNS, tasks=TASKS, acquire=None, predict=None, **more):
    """Write a cohort's tables and check them as the workflow does while it is parsed."""
    pd.DataFrame({"patient_id": ["P1"], "f": [1.0]}).to_csv(folder / "tile.csv", index=False)
    if columns:
        pd.DataFrame({k: [v] for k, v in columns.items()}).to_csv(folder / "clinical.csv", index=False)
    local = {"source": "local", "tile": "tile.csv", "clinical": "clinical.csv", **(acquire or {})}
    raw = {
        "cohort": "mine",
        "data": str(folder),
        "tasks": tasks,
        "acquire": local,
        "evaluate": {"primary": "os"},
        "predict": predict or {},
        **more,
    }
    check_sources(validate(raw), cohort)


def without(*names):
    return {k: v for k, v in COLUMNS.items() if k not in names}


def test_a_cohort_with_every_named_column_passes(tmp_path):
    check(tmp_path)
    check(tmp_path, acquire={"covariates": ["age"]}, columns=without("stage"))


def test_default_columns_may_be_absent(tmp_path):
    check(
        tmp_path,
        columns=without("age", "stage", "months", "dead", "subtype"),
        tasks={"survival": [{"name": "os"}], "labels": []},
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"acquire": {"clinical": None}},
            "acquire.clinical is null: the training cohort 'mine' needs a clinical table",
        ),
        ({"acquire": {"clinical": "facts.csv"}}, "facts.csv is absent: the training cohort 'mine' needs it"),
        (
            {"acquire": {"clinical": "clincal.csv"}},
            "clincal.csv is absent; closest: 'clinical.csv': the training cohort",
        ),
        (
            {"columns": {**without("site"), "sites": "S"}},
            "(?s)without sites: acquire.site: null and split.group: patient.*no column 'site'; closest: 'sites'",
        ),
        (
            {"embed": {"encoder": "efficientnet-lite0"}},
            "tile.csv would not be read, embed.encoder efficientnet-lite0 embeds slides: set embed.encoder to the name",
        ),
        (
            {
                "acquire": {"tile": None, "cells": "tile.csv"},
                "embed": {"encoder": "efficientnet-lite0"},
                "cells": {"method": "classical"},
            },
            (
                "acquire.cells: .*tile.csv would not be read, cells.method classical finds nuclei "
                "in slides: set cells.method: ready"
            ),
        ),
        (
            {"columns": {**without("months"), "month": 3}},
            "tasks.survival 'os' time: no column 'months'; closest: 'month'",
        ),
        ({"columns": without("dead")}, "tasks.survival 'os' event: no column 'dead'"),
        (
            {"tasks": {"survival": [{"name": "os", "time": "months"}], "labels": []}},
            "tasks.survival 'os' event: no column 'os_event'",
        ),
        (
            {"columns": {**without("subtype"), "subtypes": "A"}},
            "tasks.labels 'pam50' column: no column 'subtype'; closest: 'subtypes'",
        ),
        ({"acquire": {"covariates": ["agee"]}}, "acquire.covariates: no column 'agee'; closest: 'age'"),
        ({"acquire": {"id_column": "patient"}}, "acquire.id_column: .*no column 'patient'; closest: 'patient_id'"),
        ({"acquire": {"tile": "gone.csv"}}, "cohort 'mine': none of its feature files exists"),
    ],
)
def test_a_fault_names_the_key(tmp_path, arguments, said):
    with pytest.raises(ValueError, match=said):
        check(tmp_path, **arguments)


def test_all_lost_columns_are_told_at_once(tmp_path):
    with pytest.raises(ValueError, match="(?s)'months'.*'dead'.*'subtype'"):
        check(tmp_path, columns=without("months", "dead", "subtype"))


def test_a_cohort_to_predict_on_needs_features_only(tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    predict = {"name": "unseen", "data": str(there)}
    with pytest.raises(ValueError, match="cohort 'unseen': none of its feature files exists .*check predict.data"):
        check(tmp_path, "unseen", predict=predict)
    pd.DataFrame({"patient_id": ["P9"], "f": [1.0]}).to_csv(there / "tile.csv", index=False)
    check(tmp_path, "unseen", predict=predict)
    pd.DataFrame({"patient_id": ["P9"]}).to_csv(there / "clinical.csv", index=False)
    check(tmp_path, "unseen", predict=predict)
    with pytest.raises(ValueError, match="acquire.site: no column 'site'"):
        check(tmp_path, "mine", columns=without("site"), predict=predict)


def test_an_absent_file_that_the_config_names_stops_the_run_with_close_names(tmp_path):
    """One of a default name a cohort may lack; so may one to predict on what the training cohort calls its own."""
    with pytest.raises(ValueError, match=r"acquire.rna: .*tilee.csv is absent; closest: 'tile.csv'; .*rna: null"):
        check(tmp_path, acquire={"rna": "tilee.csv"})
    with pytest.raises(ValueError, match=r"acquire.site_map: .*sites.csv is absent"):
        check(tmp_path, acquire={"site_map": "sites.csv"})
    check(tmp_path, acquire={"cells": "cell_features.parquet"})


def test_a_file_of_a_default_name_that_is_absent_is_said_with_close_names(tmp_path):
    (tmp_path / "rna.parquett").touch()
    raw = {
        "data": str(tmp_path),
        "acquire": {
            "source": "local",
            "rna": "rna.parquet",
            "slides": None,
            "tile": None,
            "cells": None,
            "clinical": None,
        },
    }
    (said,) = absent_files(validate(raw))
    assert (
        said.startswith("acquire.rna: ")
        and "rna.parquet is absent; closest: 'rna.parquett'; the run goes on without it" in said
    )


def test_planned_contrasts_of_cells_without_cells_are_told_before_the_first_run(tmp_path):
    pd.DataFrame({"patient_id": ["P1"], "f": [1.0]}).to_csv(tmp_path / "cells.csv", index=False)
    pd.DataFrame({"slide_id": ["s"], "patient_id": ["P1"], "cells": ["s.h5"]}).to_csv(
        tmp_path / "slides.csv", index=False
    )
    raw = {"data": str(tmp_path), "acquire": {"source": "local", "slides": None, "cells": None}}
    said = cells_warning(validate(raw))
    assert "modality, pretraining, cells compare arms with cells" in said
    plan = {"modality": {"arm": "both-scratch-nocells", "against": ["wsi-scratch-nocells", "rna-scratch"]}}
    plan["pretraining"] = {"arm": "wsi-pretrained-nocells", "against": ["wsi-scratch-nocells"]}
    assert str(plan).replace("'", "") in said
    assert cells_warning(validate({**raw, "evaluate": {"plan": {"contrasts": plan}}})) is None
    for given in ({"cells": "cells.csv"}, {"slides": "slides.csv"}):
        assert cells_warning(validate({**raw, "acquire": {**raw["acquire"], **given}})) is None


def test_a_table_of_ones_own_beside_slides_of_gdc_is_found_on_the_first_run(tmp_path, monkeypatch):
    """The folder that GDC's files will go to is not there yet: the way back out of it is not walked on disk."""
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({k: [v] for k, v in COLUMNS.items()}).to_csv(tmp_path / "mine.csv", index=False)
    acquire = {"source": "gdc", "clinical": "mine.csv", "gdc": {"outcomes": None}}
    raw = {
        "cohort": "c",
        "data": ".",
        "results": "out",
        "tasks": TASKS,
        "acquire": acquire,
        "embed": {"encoder": "efficientnet-lite0"},
    }
    config = validate({**raw, "cells": {"method": "classical"}, "evaluate": {"primary": "os"}})
    check_sources(config, "c")
    assert existing_files(config.for_cohort("c"))["clinical"] == Path("mine.csv") and not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="others.csv is absent"):
        check_sources(
            validate(
                {
                    **raw,
                    "cells": {"method": "classical"},
                    "evaluate": {"primary": "os"},
                    "acquire": {**acquire, "clinical": "others.csv"},
                }
            ),
            "c",
        )


@pytest.mark.parametrize("key", ["rna", "tile", "cells"])
def test_an_outcome_among_features_stops_the_run_before_any_job(tmp_path, key):
    pd.DataFrame({"patient_id": ["P1"], "A": [1.0], "months": [3.0]}).to_csv(tmp_path / "leak.csv", index=False)
    with pytest.raises(
        ValueError,
        match=(
            f"acquire.{key}: .*leak.csv has columns that would be learnt from(.|\n)*"
            "'months' is a column of the clinical table"
        ),
    ):
        check(tmp_path, acquire={key: "leak.csv"})


@pytest.mark.parametrize("column", ["tile", "file"])
def test_a_sheet_whose_files_are_not_there_stops_the_run(tmp_path, column):
    """A few that are absent are rows; those of patients beyond the limit are nobody's."""
    people = [f"P{i}" for i in range(10)]
    pd.DataFrame({"slide_id": people, "patient_id": people, column: [f"{p}.x" for p in people]}).to_csv(
        tmp_path / "slides.csv", index=False
    )
    facts = pd.DataFrame({k: [v] * 10 for k, v in COLUMNS.items()} | {"patient_id": people})
    facts.to_csv(tmp_path / "clinical.csv", index=False)
    from_slides = {"embed": {"encoder": "efficientnet-lite0"}, "cells": {"method": "classical"}}
    more = {"columns": None, **(from_slides if column == "file" else {})}
    sheet = {"tile": None, "cells": None, "rna": None, "slides": "slides.csv"}
    with pytest.raises(ValueError, match=rf"10 of 10 files in column '{column}' .*first .*P0.x; relative paths start"):
        check(tmp_path, acquire=sheet, **more)
    for name in people[:2]:
        (tmp_path / f"{name}.x").touch()
    check(tmp_path, acquire={**sheet, "limit": 2}, **more)
    with pytest.raises(ValueError, match="8 of 10 files"):
        check(tmp_path, acquire=sheet, **more)
    check(tmp_path, acquire=sheet, **more, max_excluded=0.8)


def test_slides_that_nothing_would_read_are_said(tmp_path):
    """A pathology encoder without its weights stands for features that came with the cohort; here none did."""
    sheet = tmp_path / "slides.csv"
    sheet.write_text("slide_id,patient_id,file\na,P,a.svs\n")
    for name in ("a.svs", "a.h5"):
        (tmp_path / name).touch()
    alone = {"tile": None, "cells": None, "slides": "slides.csv"}
    for name, words in (("uni", "uni does with embed.weights, from Hugging"), ("ready", "efficientnet-lite0 does")):
        with pytest.raises(
            ValueError, match=f"slides.csv lists slides.* nothing would read them: embed.encoder {words}"
        ):
            check(tmp_path, acquire=alone, embed={"encoder": name})
    sheet.write_text("slide_id,patient_id,file,tile\na,P,a.svs,a.h5\n")
    check(tmp_path, acquire=alone, embed={"encoder": "uni"})
