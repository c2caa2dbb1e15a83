"""What a run cost is summed up from the benchmark files of its own jobs."""

import json

import pytest

from confuselt.report.costs import costs


def test_jobs_of_the_cohort_and_of_the_experiment_are_summed_by_rule(tmp_path):
    def job(name, seconds, memory, *speeds):
        path = tmp_path / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"s": seconds, "max_rss": memory}) + "\n")
        if speeds:
            records = [{"instances_per_second": s, "gpu_gb": g} for s, g in speeds]
            path.with_suffix(".training.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))

    job("embed/embed_tiles.mine/0", 1800, 2048)
    job("embed/embed_tiles.mine/1", 5400, 1024)
    job("embed/embed_tiles.other/0", 9e9, 9e9)
    job("pack/pack_bags.mine", 36, "NA")
    job("finetune/finetune_arm/experiments/main/wsi/r0", 3600, 512, (10.0, 2.0), (30.0, 4.0), (20.0, None))
    job("finetune/finetune_arm/experiments/main/controls/permuted-1/wsi/r0", 0.0, 512)
    job("finetune/finetune_arm/experiments/main2/wsi/r0", 9e9, 9e9)
    rows = {row["rule"]: row for row in costs(tmp_path, "mine", "main")}
    assert list(rows) == ["embed: embed_tiles", "finetune: finetune_arm", "pack: pack_bags"]
    tiles, arms, bags = rows.values()
    assert (tiles["jobs"], tiles["hours"], tiles["longest"], tiles["memory_gb"]) == (2, 2.0, 90.0, 2.0)
    assert tiles["instances"] is None and tiles["gpu_gb"] is None
    assert (arms["jobs"], arms["instances"], arms["gpu_gb"]) == (2, 20.0, 4.0)
    assert bags["hours"] == pytest.approx(0.01) and bags["memory_gb"] != bags["memory_gb"]
    assert costs(tmp_path / "none", "mine", "main") == []
