"""What a run cost: time, memory and training speed by rule, from the benchmark files of its jobs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

PAGES = ("write_report", "write_patient", "write_predicted", "write_compared")  # made of the results, not making them
SPEED = ".training.jsonl"  # what the loop says of every training, beside the benchmark file of its job


def costs(benchmarks: Path, cohort: str, experiment: str) -> list[dict]:
    """A row per rule, in the order of the stages' names.

    Parameters
    ----------
    benchmarks : Path
        ``results/benchmarks``: a file per job, as Snakemake writes it.
    cohort, experiment : str
        Jobs of others are left out.

    Returns
    -------
    list of dict
        ``rule``, ``jobs``, ``hours`` (wall time, all jobs), ``longest`` (minutes of the longest job), ``memory_gb``
        (largest resident memory), and of rules that train ``instances`` (median of all trainings, instances a second)
        and ``gpu_gb`` (largest memory of the GPU); None where there is none.
    """
    jobs = pd.DataFrame(_jobs(benchmarks, cohort, experiment), columns=["rule", "s", "max_rss", "speed"])
    rows = []
    for rule, part in jobs.groupby("rule", sort=True):
        speeds = pd.DataFrame([record for path in part["speed"] for record in _records(path)])
        rows.append(
            {
                "rule": rule,
                "jobs": len(part),
                "hours": float(part["s"].sum() / 3600),
                "longest": float(part["s"].max() / 60),
                "memory_gb": float(part["max_rss"].max() / 1024),
                "instances": float(speeds["instances_per_second"].median()) if len(speeds) else None,
                "gpu_gb": float(speeds["gpu_gb"].max()) if len(speeds) and speeds["gpu_gb"].notna().any() else None,
            }
        )
    return rows


def _jobs(benchmarks: Path, cohort: str, experiment: str) -> Iterator[tuple[str, float, float, Path]]:
    """Rule, seconds, memory (MB) and speed file of the jobs of a cohort and of an experiment."""
    for path in sorted(benchmarks.rglob("*.jsonl")):
        if path.name.endswith(SPEED):
            continue
        stage, rule, *rest = path.relative_to(benchmarks).with_suffix("").parts
        rule, _, owner = rule.partition(".")
        if rule in PAGES:
            continue
        if owner == cohort or rest[:2] == ["experiments", experiment]:
            (record,) = _records(path)[-1:] or [{}]
            measured = (pd.to_numeric(record.get(key), errors="coerce") for key in ("s", "max_rss"))
            yield f"{stage}: {rule}", *measured, path.with_suffix(SPEED)


def _records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
