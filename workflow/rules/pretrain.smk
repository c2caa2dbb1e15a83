"""Contrastive pretraining."""


rule pretrain_towers:
    input:
        store=STORE,
        rna=rna_of_fold,
        folds=folds_of,
    output:
        checkpoint=f"{RUN}/pretrain/{{streams}}/r{{repeat}}f{{fold}}.pt",
        history=f"{RUN}/pretrain/{{streams}}/r{{repeat}}f{{fold}}.parquet",
    log:
        f"{RESULTS}/logs/pretrain/pretrain_towers/{{run}}/{{streams}}/r{{repeat}}f{{fold}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pretrain/pretrain_towers/{{run}}/{{streams}}/r{{repeat}}f{{fold}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=8000,
        runtime=240,
        gpu=gpus(),
        device=CONFIG.device,
    params:
        cfg=cfg(
            "pretrain",
            "pretrain_towers",
            mispaired=draw_of("mispaired"),
            mispaired_within_site=draw_of("mispaired-within-site"),
            shuffled_cells=draw_of("shuffled-cells"),
        ),
        code=code("pretrain", "pretrain_towers"),
    message:
        "pretrain: {wildcards.streams}, repeat {wildcards.repeat}, fold {wildcards.fold} ({wildcards.run})"
    script:
        "../scripts/pretrain/pretrain_towers.py"
