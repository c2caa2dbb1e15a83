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


rule find_cells:
    input:
        tiles=f"{COHORT}/tile/parts/{{group}}.parquet",
        slides=slides_of_group,
    output:
        part=f"{COHORT}/cells/parts/{{group}}.parquet",
    log:
        f"{RESULTS}/logs/cells/find_cells.{{cohort}}/{{group}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/cells/find_cells.{{cohort}}/{{group}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        cfg=cfg("cells", "find_cells", rows=rows_to_read),
        code=code_with_backends("cells", "find_cells", rows_to_read),
    message:
        "cells: group {wildcards.group} of {wildcards.cohort}"
    script:
        "../scripts/cells/find_cells.py"


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
