"""Jobs side by side take a GPU each; cuda without a GPU is an error."""

from types import SimpleNamespace

import pytest
import torch

from confuselt import device as module
from confuselt.device import pick_device


def test_cuda_without_a_gpu_is_an_error_and_auto_is_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == pick_device("cpu") == torch.device("cpu")
    with pytest.raises(RuntimeError, match="no GPU is seen by this job"):
        pick_device("cuda")


def test_jobs_side_by_side_take_a_gpu_each(monkeypatch, tmp_path):
    """A lock is another open file's, so that one process may stand for three."""
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(module, "_held", [])
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid=f"GPU-{index}"))
    assert [module._free_gpu() for _ in range(3)] == [0, 1, 0], "a third one shares the first"
    module._held.pop()[1].close()
    assert module._free_gpu() == 1, "what a job held is free when it ends"
