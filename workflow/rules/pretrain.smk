"""Contrastive pretraining."""


rule pretrain_towers:
    input:
        store=store_of,
        rna=rna_of_folds,
        folds=folds_of,
    output:
        checkpoints=[
            f"{RUN}/pretrain/{{streams}}/r{{repeat}}f{fold}.pt" for fold in FOLDS
        ],
        histories=[
            f"{RUN}/pretrain/{{streams}}/r{{repeat}}f{fold}.parquet" for fold in FOLDS
        ],
    log:
        job=f"{RESULTS}/logs/pretrain/pretrain_towers/{{run}}/{{streams}}/r{{repeat}}.log",
        speed=f"{RESULTS}/benchmarks/pretrain/pretrain_towers/{{run}}/{{streams}}/r{{repeat}}.training.jsonl",
    benchmark:
        f"{RESULTS}/benchmarks/pretrain/pretrain_towers/{{run}}/{{streams}}/r{{repeat}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory_of(CONFIG.pretrain),
        runtime=480,
        gpu=gpus(),
        device=CONFIG.device,
        place=CONFIG.store,
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
        "pretrain: {wildcards.streams}, repeat {wildcards.repeat} ({wildcards.run})"
    script:
        "../scripts/pretrain/pretrain_towers.py"
