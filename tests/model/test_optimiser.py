"""AdamW is torch's, bit by bit, and leaves torch's compiler where it is."""

import subprocess
import sys

import torch
from conftest import ROOT

from confuselt.learn.optimiser import AdamW
from confuselt.learn.schedule import one_cycle

TRAIN = """
import sys, torch
from confuselt.learn.optimiser import AdamW
from confuselt.learn.schedule import one_cycle
layer = torch.nn.Linear(3, 1)
optimiser = AdamW(layer.parameters())
schedule = one_cycle(optimiser, [0.1], 5)
optimiser.zero_grad(set_to_none=True)
layer(torch.ones(2, 3)).sum().backward()
optimiser.step()
schedule.step()
assert "torch._dynamo" not in sys.modules
"""


def trained(kind):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(7, 5), torch.nn.ReLU(), torch.nn.Linear(5, 1))
    x = torch.randn(20, 7)
    parts = [
        {"params": net[0].parameters(), "lr": 0.01, "weight_decay": 0.1},
        {"params": net[2].parameters(), "lr": 0.001},
    ]
    optimiser = kind(parts, weight_decay=0.01)
    schedule = one_cycle(optimiser, [0.01, 0.001], 12)
    for _ in range(12):
        optimiser.zero_grad(set_to_none=True)
        net(x).square().mean().backward()
        optimiser.step()
        schedule.step()
    return torch.cat([p.detach().ravel() for p in net.parameters()])


def test_every_step_is_torchs():
    ours = trained(AdamW)
    assert torch.equal(ours, trained(torch.optim.AdamW)) and torch.equal(ours, trained(AdamW))


def test_training_imports_no_compiler():
    done = subprocess.run(
        [sys.executable, "-c", TRAIN],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "workflow")},
    )
    assert done.returncode == 0, done.stderr
