"""Tissue and tiles of slides."""


rule cut_tiles:
    input:
        slides=slides_of_group,
        fetched=fetched_of_group,
    output:
        part=f"{COHORT}/tile/parts/{{group}}.parquet",
    log:
        f"{RESULTS}/logs/tile/cut_tiles.{{cohort}}/{{group}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/tile/cut_tiles.{{cohort}}/{{group}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=3000,
        runtime=120,
    params:
        cfg=cfg("tile", "cut_tiles", rows=rows_to_read),
        code=code_with_backends("tile", "cut_tiles", rows_to_read),
    message:
        "tile: group {wildcards.group} of {wildcards.cohort}"
    script:
        "../scripts/tile/cut_tiles.py"


rule index_tiles:
    input:
        parts=parts_of("tile"),
        slides=f"{COHORT}/acquire/slides.parquet",
    output:
        index=f"{COHORT}/tile/index.parquet",
    log:
        f"{RESULTS}/logs/tile/index_tiles.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/tile/index_tiles.{{cohort}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
        runtime=10,
        max_excluded=MAX_EXCLUDED,
    params:
        cfg=cfg("tile", "index_tiles"),
        code=code("tile", "index_tiles"),
    message:
        "tile: index of {wildcards.cohort}"
    script:
        "../scripts/tile/index_tiles.py"
