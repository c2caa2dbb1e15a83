"""The tile stream."""


rule import_tiles:
    input:
        unpack(cohort_files("tile")),
        bags=bags_of("tile"),
        slides=f"{COHORT}/acquire/slides.parquet",
    output:
        index=f"{COHORT}/embed/{CONFIG.embed.encoder}/index.parquet",
        features=f"{COHORT}/embed/{CONFIG.embed.encoder}/features.h5",
    log:
        f"{RESULTS}/logs/embed/import_tiles.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/embed/import_tiles.{{cohort}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        cfg=cfg("embed", "import_tiles"),
        code=code("embed", "import_tiles"),
    message:
        "embed: tile stream of {wildcards.cohort}"
    script:
        "../scripts/embed/import_tiles.py"
