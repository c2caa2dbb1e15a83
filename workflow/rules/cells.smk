"""The stream of cell-type-related features."""


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
    params:
        cfg=cfg("cells", "import_cells"),
        code=code("cells", "import_cells"),
    message:
        "cells: cells stream of {wildcards.cohort}"
    script:
        "../scripts/cells/import_cells.py"
