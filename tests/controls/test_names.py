"""The controls that there are have a file and an arm each."""

from pathlib import Path

from confuselt import controls
from confuselt.controls.names import CONTROLS, base_arm
from confuselt.finetune.arms import ARMS


def test_a_control_has_a_file_and_an_arm():
    files = {p.stem for p in Path(controls.__path__[0]).glob("*.py")} - {"__init__", "names"}
    assert {c.removesuffix("-within-site").replace("-", "_") for c in CONTROLS} == files
    assert {base_arm(c, cells) for c in CONTROLS for cells in (True, False)} <= set(ARMS)
