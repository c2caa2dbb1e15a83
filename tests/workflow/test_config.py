"""Config: generated files in step, unknown keys refused, command-line text read leniently."""

import re
from typing import Annotated

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from confuselt.config.block import ADDRESS, FOLDER_NAME, TASK_NAME, Block
from confuselt.config.generate import FILES, ROOT, leaves
from confuselt.config.root import Config
from confuselt.config.validate import ConfigFault, validate
from confuselt.settings import load_config, reads, settings

SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*/*.py"))


@pytest.mark.parametrize("name", FILES)
def test_generated_files_are_in_step(name):
    assert (ROOT / name).read_text() == FILES[name](), f"run python -m confuselt.config.generate to rewrite {name}"


def test_every_key_is_described_and_config_yaml_is_the_default():
    assert all(text for _, _, text in leaves(Config()))
    assert Config.model_validate(yaml.safe_load((ROOT / "config/config.yaml").read_text())) == Config()


@pytest.mark.parametrize("path", sorted((ROOT / "config").rglob("*.yaml")), ids=lambda p: p.stem)
def test_shipped_configs_are_valid(path):
    load_config(ROOT / "config/config.yaml", path)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"pretrain": {"epoch": 3}}, "pretrain.epoch: unknown key; did you mean 'epochs'"),
        ({"finetunes": {}}, "did you mean 'finetune'"),
        ({"split": {"folds": "one"}}, "split.folds"),
        ({"split": {"folds": 1}}, "greater than or equal to 2"),
        (
            {"embed": {"encoder": "efficientnet-lite0"}, "tile": {"size": 256}},
            "tile.size 256: efficientnet-lite0 takes tiles of 224 pixels",
        ),
        ({"evaluate": {"primary": "xyz"}}, "evaluate.primary 'xyz' is no endpoint"),
        ({"finetune": {"arms": ["wsi"]}}, "unknown arms"),
        (
            {"evaluate": {"baselines": ["clinical+rna"]}},
            "unknown baselines ['clinical+rna']; known: ['clinical', 'pca-cox'",
        ),
        ({"evaluate": {"baselines": ["clinical+late-fusion"]}}, "and clinical+ARM for any of ['wsi-scratch-nocells'"),
        ({"acquire": {"site": None}}, "split.group: patient"),
        (
            {"tasks": {"survival": [{"name": "os"}, {"name": "os"}], "labels": []}, "evaluate": {"primary": "os"}},
            "share a name",
        ),
        ({"tasks": {"survival": [], "labels": []}}, "tasks.survival and tasks.labels are both empty"),
        (
            {"tasks": {"survival": []}, "evaluate": {"primary": "os"}},
            "evaluate.primary 'os' is no label of tasks.labels",
        ),
        ({"tasks": {"survival": [{"name": "pfi", "horizons": []}]}}, "tasks.survival.0.horizons"),
        (
            {"tasks": {"survival": [{"name": "pfi", "competing": "os"}]}},
            "tasks.survival pfi: competing 'os' is no other endpoint; others: []",
        ),
        (
            {"tasks": {"survival": [{"name": "os"}, {"name": "pfi", "competing": "pfi"}]}},
            "competing 'pfi' is no other endpoint; others: ['os']",
        ),
        ({"predict": {"name": "tcga-brca"}}, "is the training cohort"),
        (
            {
                "acquire": {"source": "simulate"},
                "simulate": {"level": "features"},
                "predict": {"name": "other", "data": "there"},
            },
            (
                "predict.data 'there' would not be read: acquire.source of 'other' is simulate; "
                "set predict.acquire.source: local"
            ),
        ),
        ({"cells": {"method": "classical"}}, "where there are no cells, set cells.method: ready"),
    ],
)
def test_faults_name_the_key_and_what_to_do(raw, said):
    with pytest.raises(ConfigFault, match=re.escape(said)):
        validate(raw)


def test_labels_alone_are_enough_and_the_first_is_primary():
    assert validate({"tasks": {"survival": []}}).evaluate.primary == "pam50"
    assert validate({"tasks": {"survival": []}, "evaluate": {"primary": "pam50"}}).evaluate.primary == "pam50"


def test_deaths_of_other_causes_compete_in_the_preset_alone():
    assert {t.name: t.competing for t in Config().tasks.survival} == {"os": None, "dss": "os", "dfi": None, "pfi": None}


def patterned(block=Block):
    """Block, name and type of every field with a pattern."""
    for one in block.__subclasses__():
        for name, field in one.model_fields.items():
            for pattern in filter(None, (getattr(rule, "pattern", None) for rule in field.metadata)):
                yield pytest.param(pattern, Annotated[field.annotation, field], id=f"{one.__name__}.{name}")
        yield from patterned(one)


@pytest.mark.parametrize(("pattern", "kind"), patterned())
def test_no_name_leaves_its_folder_or_is_markup(pattern, kind):
    # `{slide_id}` stands somewhere within a path; every other pattern is of the whole.
    assert pattern == r"\{slide_id\}" or (pattern.startswith("^") and pattern.endswith("$"))
    whole = {FOLDER_NAME: "os", TASK_NAME: "os", ADDRESS: "https://x.org"}.get(pattern, 64 * "0")
    if pattern.startswith("^"):
        assert TypeAdapter(kind).validate_python(whole) == whole
    evil = ("../x", "os/2", "a/../../b", "/etc/x", "<b>os</b>", ".", "..", ".os", "", f"{whole}\n", f"\n{whole}")
    for name in evil:
        with pytest.raises(ValidationError):
            TypeAdapter(kind).validate_python(name)


def test_all_faults_are_told_at_once():
    with pytest.raises(ConfigFault) as fault:
        validate({"pretrain": {"epoch": 3}, "split": {"fold": 2}})
    assert "pretrain.epoch" in str(fault.value) and "split.fold" in str(fault.value)


def test_text_from_the_command_line_is_read_leniently():
    config = validate(
        {
            "split": {"folds": "4", "from": "sites"},
            "rna": {"genes": "null", "scaled_outside": "false"},
            "predict": {"name": ""},
        }
    )
    assert (
        config.split.folds == 4
        and config.rna.genes is None
        and config.rna.scaled_outside is False
        and config.predict.name is None
    )


def test_second_cohort_sees_its_own_data():
    config = validate({"predict": {"name": "other", "data": "there", "acquire": {"rna": "null"}}})
    other = config.for_cohort("other")
    assert (other.data, other.acquire.rna) == ("there", None)
    assert config.for_cohort("tcga-brca") == config
    with pytest.raises(ConfigFault):
        validate({"predict": {"name": "other", "acquire": {"rnaa": "x"}}})


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_every_script_states_known_keys(script):
    found = settings(script, Config())
    assert bool(found) == bool(reads(script)) == ("cfg: dict" in script.read_text()), (
        "a script states keys exactly if it takes them"
    )
    keys = {key for key, _, _ in leaves(Config())}
    for key in found:
        assert any(k == key or k.startswith(f"{key}.") for k in keys), key


@pytest.mark.parametrize(
    ("embed", "words"),
    [
        (
            {"encoder": "uni", "weights": "absent.bin"},
            "embed.weights absent.bin: no such file .wanted the weights",
        ),
        ({"encoder": "unii", "weights": "Makefile"}, "embed.weights: 'unii' is no encoder of the project .*uni2-h"),
        ({"encoder": "efficientnet-lite0", "weights": "Makefile"}, "embed.weights: efficientnet-lite0 brings its own"),
        ({"encoder": "uni", "sha256": 64 * "0"}, "embed.sha256 is of a file of weights: set embed.weights"),
        ({"encoder": "uni", "weights": "Makefile", "sha256": "abc"}, "String should match pattern"),
        ({"encoder": "mine", "card": "workflow/confuselt/embed/cards/uni.yaml"}, "its weights are needed"),
        ({"encoder": "mine", "card": "absent.yaml", "weights": "Makefile"}, "embed.card absent.yaml: cannot be read"),
        ({"encoder": "uni", "card": "x.yaml", "weights": "Makefile"}, "embed.card: 'uni' is an encoder of the project"),
    ],
)
def test_an_encoder_without_what_it_needs_says_so(embed, words):
    with pytest.raises(ConfigFault, match=words):
        validate({"cohort": "x", "embed": embed})


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"method": "hovernet"}, r"'hovernet' is no finder of the project \(ready, table, classical, hovernet-fast"),
        ({"method": "hovernet-fast-pannuke"}, "set cells.weights to the file of HoVer-Net, fast, PanNuke .*NC-SA"),
        ({"method": "hovernet-fast-pannuke", "weights": "absent.pth"}, "cells.weights absent.pth: no such file"),
        ({"method": "classical", "weights": "Makefile"}, "classical needs none"),
        ({"method": "classical", "card": "x.yaml"}, "'classical' is a finder of the project"),
        ({"method": "mine", "card": "absent.yaml", "weights": "Makefile"}, "cells.card absent.yaml: cannot be read"),
        ({"method": "table"}, "needs cells.nuclei, the path .* and cells.roles"),
        ({"method": "table", "nuclei": "a/b.csv", "roles": {"A": "tumour"}}, "cells.nuclei"),
        ({"method": "table", "nuclei": "{slide_id}.csv", "roles": {"A": "tumor"}}, "cells.roles.A"),
        (
            {"method": "table", "nuclei": "{slide_id}.csv", "roles": {"A": "tumour"}, "max_tiles": 5},
            "cells.max_tiles is",
        ),
        ({"method": "classical", "roles": {"A": "tumour"}}, "are for cells.method table"),
        ({"method": "ready", "weights": "Makefile"}, "cells.weights is for nuclei that are found here"),
    ],
)
def test_a_finder_without_what_it_needs_says_so(cells, words):
    with pytest.raises(ConfigFault, match=words):
        validate({"cohort": "x", "embed": {"encoder": "efficientnet-lite0"}, "cells": cells})


def test_an_encoder_reads_slides_where_its_weights_are_given():
    from_slides = {
        ("uni", None): False,
        ("uni", "Makefile"): True,
        ("efficientnet-lite0", None): True,
        ("ready", None): False,
    }
    for (name, weights), wanted in from_slides.items():
        config = Config.model_validate({"cohort": "x", "embed": {"encoder": name, "weights": weights}})
        assert config.from_slides == wanted and (config.encoder_card is not None) == wanted
