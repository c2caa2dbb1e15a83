"""The training store."""


rule pack_bags:
    input:
        tile_index=f"{COHORT}/embed/{CONFIG.embed.encoder}/index.parquet",
        tile_features=features_of("embed"),
        cells_index=f"{COHORT}/cells/index.parquet",
        cells_features=features_of("cells"),
    output:
        store=f"{COHORT}/pack/{CONFIG.embed.encoder}.h5",
    log:
        f"{RESULTS}/logs/pack/pack_bags.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pack/pack_bags.{{cohort}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        cfg=cfg("pack", "pack_bags"),
        code=code("pack", "pack_bags"),
    message:
        "pack: training store of {wildcards.cohort}"
    script:
        "../scripts/pack/pack_bags.py"


rule pack_pooled:
    input:
        index=f"{COHORT}/cells/{CONFIG.embed.encoder}/index.parquet",
    output:
        store=f"{COHORT}/pack/{CONFIG.embed.encoder}.deepcells.h5",
    log:
        f"{RESULTS}/logs/pack/pack_pooled.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pack/pack_pooled.{{cohort}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        cfg=cfg("pack", "pack_pooled"),
        code=code("pack", "pack_pooled"),
    message:
        "pack: training store of deep cell-type features of {wildcards.cohort}"
    script:
        "../scripts/pack/pack_pooled.py"
