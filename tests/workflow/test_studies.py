"""One draw of each study runs through the whole chain and gives every number that its table needs."""

import subprocess
import sys

import pytest
from conftest import ROOT

pytestmark = pytest.mark.full


@pytest.mark.parametrize("name", ["features", "null", "alarm", "coverage", "false-yes", "power"])
def test_one_draw(name):
    done = subprocess.run([sys.executable, "benchmarks/studies/run.py", name, "--draws", "1", "--no-table"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
