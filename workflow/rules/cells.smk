"""The stream of cell-type-related features: those that came with the cohort, or nuclei of the slides found here."""

if CONFIG.cells.method == "ready":

    ruleorder: import_cells > index_cells

else:

    ruleorder: index_cells > import_cells


rule import_cells:
    input:
        unpack(cohort_files("cells")),
        bags=bags_of("cells"),
        slides=f"{COHORT}/acquire/slides.parquet",
    output:
        index=f"{COHORT}/cells/index.parquet",
        features=f"{COHORT}/cells/features.h5",
    log:
        f"{RESULTS}/logs/cells/import_cells.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/cells/import_cells.{{cohort}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=8000,
        runtime=60,
        max_excluded=MAX_EXCLUDED,
    params:
        cfg=cfg("cells", "import_cells"),
        code=code("cells", "import_cells"),
    message:
        "cells: cells stream of {wildcards.cohort}"
    script:
        "../scripts/cells/import_cells.py"


# Before any slide is read.
rule check_cell_weights:
    input:
        file=[str(CONFIG.cells.weights)] if CONFIG.cells.weights else [],
    output:
        weights=CELL_WEIGHTS,
    log:
        f"{RESULTS}/logs/cells/check_cell_weights.log",
    benchmark:
        f"{RESULTS}/benchmarks/cells/check_cell_weights.jsonl"
    priority: 100
    conda:
        "../../environment.yml"
    resources:
        mem_mb=FINDER_MB,
        runtime=30,
        device=CONFIG.device,
        gpu=gpus_of_finder(),
    params:
        cfg=cfg("cells", "check_cell_weights"),
        code=code_with_backends("cells", "check_cell_weights"),
    message:
        f"cells: weights of {CONFIG.cells.method}"
    script:
        "../scripts/cells/check_cell_weights.py"


rule find_cells:
    input:
        **checked_cell_weights(),
        tiles=f"{COHORT}/tile/parts/{{group}}.parquet",
        slides=slides_of_group,
        nuclei=nuclei_of_group,
    output:
        part=f"{COHORT}/cells/parts/{{group}}.parquet",
    log:
        f"{RESULTS}/logs/cells/find_cells.{{cohort}}/{{group}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/cells/find_cells.{{cohort}}/{{group}}.jsonl"
    conda:
        "../../environment.yml"
    threads: 1 + CONFIG.cells.workers
    resources:
        mem_mb=FINDER_MB + 1000 * CONFIG.cells.workers,
        runtime=240,
        cell_file=str(CONFIG.cells.weights or ""),
        device=CONFIG.device,
        gpu=gpus_of_finder(),
        workers=CONFIG.cells.workers,
        compiled=int(CONFIG.cells.compile),
    params:
        cfg=cfg("cells", "find_cells", rows=rows_to_type),
        code=code_with_backends("cells", "find_cells", rows_to_read),
    message:
        "cells: group {wildcards.group} of {wildcards.cohort}"
    script:
        "../scripts/cells/find_cells.py"


# An encoder is needed for pictures of nuclei alone.
rule pool_cells:
    input:
        **(checked_weights() if CONFIG.cells.crops else {}),
        tiles=f"{COHORT}/tile/parts/{{group}}.parquet",
        embedded=f"{COHORT}/embed/{CONFIG.embed.encoder}/parts/{{group}}.parquet",
        typed=f"{COHORT}/cells/parts/{{group}}.parquet",
        slides=slides_of_group,
    output:
        part=f"{COHORT}/cells/{CONFIG.embed.encoder}/parts/{{group}}.parquet",
    log:
        f"{RESULTS}/logs/cells/pool_cells.{{cohort}}/{{group}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/cells/pool_cells.{{cohort}}/{{group}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=MODEL_MB if CONFIG.cells.crops else 2000,
        runtime=240,
        file=str(CONFIG.embed.weights or ""),
        device=CONFIG.device,
        gpu=gpus() if CONFIG.cells.crops else 0,
    params:
        cfg=cfg("cells", "pool_cells", rows=rows_to_read),
        code=code_with_backends("cells", "pool_cells", rows_to_read),
    message:
        "cells: what {CONFIG.embed.encoder} sees of each role, group {wildcards.group} of {wildcards.cohort}"
    script:
        "../scripts/cells/pool_cells.py"


rule index_pooled:
    input:
        parts=parts_of(f"cells/{CONFIG.embed.encoder}"),
        slides=f"{COHORT}/acquire/slides.parquet",
    output:
        index=f"{COHORT}/cells/{CONFIG.embed.encoder}/index.parquet",
    log:
        f"{RESULTS}/logs/cells/index_pooled.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/cells/index_pooled.{{cohort}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
        runtime=10,
        max_excluded=MAX_EXCLUDED,
    params:
        cfg=cfg("cells", "index_pooled"),
        code=code("cells", "index_pooled"),
    message:
        "cells: index of what is seen of each role, {wildcards.cohort}"
    script:
        "../scripts/cells/index_pooled.py"


rule index_cells:
    input:
        parts=parts_of("cells"),
        slides=f"{COHORT}/acquire/slides.parquet",
    output:
        index=f"{COHORT}/cells/index.parquet",
    log:
        f"{RESULTS}/logs/cells/index_cells.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/cells/index_cells.{{cohort}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
        runtime=10,
        max_excluded=MAX_EXCLUDED,
    params:
        cfg=cfg("cells", "index_cells"),
        code=code("cells", "index_cells"),
    message:
        "cells: index of {wildcards.cohort}"
    script:
        "../scripts/cells/index_cells.py"


# On request, for one slide: `snakemake results/cohorts/COHORT/cells/shown/SLIDE.png`.
rule show_nuclei:
    input:
        tiles=lambda wildcards: part_of(wildcards, "tile"),
        typed=lambda wildcards: part_of(wildcards, "cells"),
    output:
        image=f"{COHORT}/cells/shown/{{slide}}.png",
        nuclei=f"{COHORT}/cells/shown/{{slide}}.geojson.gz",
    log:
        f"{RESULTS}/logs/cells/show_nuclei.{{cohort}}/{{slide}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/cells/show_nuclei.{{cohort}}/{{slide}}.jsonl"
    wildcard_constraints:
        slide="[^/]+",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=3000,
        runtime=20,
    params:
        cfg=cfg("cells", "show_nuclei", rows=rows_of_slide),
        code=code_with_backends("cells", "show_nuclei", rows_of_slide),
    message:
        "cells: nuclei of {wildcards.slide} to look at"
    script:
        "../scripts/cells/show_nuclei.py"
