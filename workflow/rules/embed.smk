"""The tile stream: features that came with the cohort, or tiles of slides embedded here."""

if CONFIG.from_slides:

    ruleorder: index_embeddings > import_tiles

else:

    ruleorder: import_tiles > index_embeddings


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
        max_excluded=MAX_EXCLUDED,
    params:
        cfg=cfg("embed", "import_tiles"),
        code=code("embed", "import_tiles"),
    message:
        "embed: tile stream of {wildcards.cohort}"
    script:
        "../scripts/embed/import_tiles.py"


# Before any slide is read.
rule check_weights:
    input:
        file=[str(CONFIG.embed.weights)] if CONFIG.embed.weights else [],
    output:
        weights=WEIGHTS,
    log:
        f"{RESULTS}/logs/embed/check_weights.log",
    benchmark:
        f"{RESULTS}/benchmarks/embed/check_weights.jsonl"
    priority: 100
    conda:
        "../../environment.yml"
    resources:
        mem_mb=MODEL_MB,
        runtime=30,
        device=CONFIG.device,
        gpu=gpus(),
    params:
        cfg=cfg("embed", "check_weights"),
        code=code_with_backends("embed", "check_weights"),
    message:
        f"embed: weights of {CONFIG.embed.encoder}"
    script:
        "../scripts/embed/check_weights.py"


rule embed_tiles:
    input:
        **checked_weights(),
        tiles=f"{COHORT}/tile/parts/{{group}}.parquet",
        slides=slides_of_group,
    output:
        part=f"{COHORT}/embed/{CONFIG.embed.encoder}/parts/{{group}}.parquet",
    log:
        f"{RESULTS}/logs/embed/embed_tiles.{{cohort}}/{{group}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/embed/embed_tiles.{{cohort}}/{{group}}.jsonl"
    conda:
        "../../environment.yml"
    threads: 1 + CONFIG.embed.workers
    resources:
        mem_mb=MODEL_MB + 500 * CONFIG.embed.workers,
        runtime=240,
        file=str(CONFIG.embed.weights or ""),
        device=CONFIG.device,
        gpu=gpus(),
        workers=CONFIG.embed.workers,
        compiled=int(CONFIG.embed.compile),
    params:
        cfg=cfg("embed", "embed_tiles", rows=rows_to_read),
        code=code_with_backends("embed", "embed_tiles", rows_to_read),
    message:
        "embed: group {wildcards.group} of {wildcards.cohort}"
    script:
        "../scripts/embed/embed_tiles.py"


rule index_embeddings:
    input:
        parts=parts_of(f"embed/{CONFIG.embed.encoder}"),
        slides=f"{COHORT}/acquire/slides.parquet",
    output:
        index=f"{COHORT}/embed/{CONFIG.embed.encoder}/index.parquet",
    log:
        f"{RESULTS}/logs/embed/index_embeddings.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/embed/index_embeddings.{{cohort}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
        runtime=10,
        max_excluded=MAX_EXCLUDED,
    params:
        cfg=cfg("embed", "index_embeddings"),
        code=code("embed", "index_embeddings"),
    message:
        "embed: index of {wildcards.cohort}"
    script:
        "../scripts/embed/index_embeddings.py"
