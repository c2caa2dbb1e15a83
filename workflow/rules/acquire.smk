"""Cohort tables: from the user's sheets, from GDC, and with permuted outcomes."""


rule check:
    input:
        checked,


rule models:
    input:
        lambda wildcards: listed_models(),


rule cohort:
    input:
        sound,
        pins_of_cohorts,


rule pin_cohort:
    output:
        # Kept until a new one is whole.
        manifest=update("resources/cohorts/{cohort}/manifest.parquet"),
    log:
        f"{RESULTS}/logs/acquire/pin_cohort.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/acquire/pin_cohort.{{cohort}}.jsonl"
    wildcard_constraints:
        cohort=only(GDC_COHORTS),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
        runtime=30,
        connections=1,
        url=of_download("url"),
        token_file=of_download("token_file"),
        attempts=of_download("attempts"),
        portal=of_download("manifest"),
        sample_sheet=of_download("sample_sheet"),
        timeout=of_download("timeout"),
    params:
        cfg=cfg("acquire", "pin_cohort"),
        # A pin stays until it is asked for anew, whatever became of the code.
        code="pinned",
    message:
        "acquire: asking GDC for {wildcards.cohort}"
    script:
        "../scripts/acquire/pin_cohort.py"


rule fetch_files:
    output:
        files=f"{COHORT}/acquire/files.parquet",
    log:
        f"{RESULTS}/logs/acquire/fetch_files.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/acquire/fetch_files.{{cohort}}.jsonl"
    wildcard_constraints:
        cohort=only(GDC_COHORTS),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
        runtime=600,
        connections=of_download("connections"),
        url=of_download("url"),
        mirror=of_download("mirror"),
        token_file=of_download("token_file"),
        given=of_download("folder"),
        attempts=of_download("attempts"),
        timeout=of_download("timeout"),
    params:
        cfg=cfg("acquire", "fetch_files", rows=file_rows),
        code=code("acquire", "fetch_files"),
    message:
        "acquire: counts and clinical tables of {wildcards.cohort}"
    script:
        "../scripts/acquire/fetch_files.py"


rule write_sheets:
    input:
        files=f"{COHORT}/acquire/files.parquet",
    output:
        slides=f"{COHORT}/acquire/gdc/slides.parquet",
        rna=f"{COHORT}/acquire/gdc/rna.parquet",
        clinical=f"{COHORT}/acquire/gdc/clinical.parquet",
    log:
        f"{RESULTS}/logs/acquire/write_sheets.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/acquire/write_sheets.{{cohort}}.jsonl"
    wildcard_constraints:
        cohort=only(GDC_COHORTS),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        cfg=cfg("acquire", "write_sheets", rows=rows_of_cohort),
        code=code("acquire", "write_sheets"),
    message:
        "acquire: sheets of {wildcards.cohort}"
    script:
        "../scripts/acquire/write_sheets.py"


rule fetch_slides:
    output:
        part=f"{COHORT}/acquire/fetched/{{group}}.parquet",
    log:
        f"{RESULTS}/logs/acquire/fetch_slides.{{cohort}}/{{group}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/acquire/fetch_slides.{{cohort}}/{{group}}.jsonl"
    wildcard_constraints:
        cohort=only(n for n in GDC_COHORTS if n not in STREAMED),
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
        runtime=1440,
        connections=of_download("connections"),
        cohort_mb=cohort_mb,
        url=of_download("url"),
        mirror=of_download("mirror"),
        token_file=of_download("token_file"),
        given=of_download("folder"),
        segment_mb=of_download("segment_mb"),
        attempts=of_download("attempts"),
        timeout=of_download("timeout"),
    params:
        cfg=cfg("acquire", "fetch_slides", rows=fetched_rows),
        code=code("acquire", "fetch_slides"),
    message:
        "acquire: fetching slides, group {wildcards.group} of {wildcards.cohort}"
    script:
        "../scripts/acquire/fetch_slides.py"


# Its parts are those of three other rules: which ones write them follows from the cohort.
ruleorder: stream_slides > fetch_slides
ruleorder: stream_slides > cut_tiles
ruleorder: stream_slides > embed_tiles
ruleorder: stream_slides > find_cells


rule stream_slides:
    input:
        **checked_weights(),
        **checked_cell_weights(),
    output:
        **(
            {}
            if CONFIG.cells.method == "ready"
            else {"typed": f"{COHORT}/cells/parts/{{group}}.parquet"}
        ),
        part=f"{COHORT}/acquire/fetched/{{group}}.parquet",
        tiles=f"{COHORT}/tile/parts/{{group}}.parquet",
        embedded=f"{COHORT}/embed/{CONFIG.embed.encoder}/parts/{{group}}.parquet",
    log:
        f"{RESULTS}/logs/acquire/stream_slides.{{cohort}}/{{group}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/acquire/stream_slides.{{cohort}}/{{group}}.jsonl"
    wildcard_constraints:
        cohort=only(STREAMED),
    conda:
        "../../environment.yml"
    threads: 1 + CONFIG.cells.workers
    resources:
        mem_mb=FINDER_MB + MODEL_MB + 1000 * CONFIG.cells.workers,
        runtime=1440,
        file=str(CONFIG.embed.weights or ""),
        cell_file=str(CONFIG.cells.weights or ""),
        workers=CONFIG.cells.workers,
        compiled=int(CONFIG.embed.compile),
        cells_compiled=int(CONFIG.cells.compile),
        # One is fetched while one is worked on.
        slides_on_disk=min(2, CONFIG.acquire.slides_on_disk),
        connections=of_download("connections"),
        device=CONFIG.device,
        gpu=gpus(),
        url=of_download("url"),
        mirror=of_download("mirror"),
        token_file=of_download("token_file"),
        given=of_download("folder"),
        segment_mb=of_download("segment_mb"),
        attempts=of_download("attempts"),
        timeout=of_download("timeout"),
        download_mb=group_mb,
    params:
        cfg=cfg("acquire", "stream_slides", rows=streamed_rows),
        code=code_of_stream,
    message:
        "acquire: group {wildcards.group} of {wildcards.cohort}: {resources.download_mb} MB of slides are downloaded, "
        "but for those whose results still fit, used and deleted"
    script:
        "../scripts/acquire/stream_slides.py"


rule read_sheets:
    input:
        unpack(cohort_files("slides", "tile", "cells", "rna")),
        unpack(clinical_files("clinical")),
    output:
        slides=f"{COHORT}/acquire/slides.parquet",
        rna=f"{COHORT}/acquire/rna.parquet",
    log:
        f"{RESULTS}/logs/acquire/read_sheets.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/acquire/read_sheets.{{cohort}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=20,
        max_excluded=MAX_EXCLUDED,
    params:
        cfg=cfg(
            "acquire",
            "read_sheets",
            rows=rows_of_folder,
            content=content("acquire", "read_sheets", "ids"),
        ),
        code=code("acquire", "read_sheets"),
    message:
        "acquire: slides and RNA samples of {wildcards.cohort}"
    script:
        "../scripts/acquire/read_sheets.py"


rule read_outcomes:
    input:
        unpack(clinical_files("clinical", "site_map")),
        slides=f"{COHORT}/acquire/slides.parquet",
        rna=f"{COHORT}/acquire/rna.parquet",
        calls=label_calls,
    output:
        outcomes=f"{COHORT}/acquire/outcomes.parquet",
        patients=f"{COHORT}/acquire/patients.parquet",
    log:
        f"{RESULTS}/logs/acquire/read_outcomes.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/acquire/read_outcomes.{{cohort}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=10,
        max_excluded=MAX_EXCLUDED,
    params:
        cfg=cfg(
            "acquire",
            "read_outcomes",
            content=content("acquire", "read_outcomes", "outcomes", "site_map"),
        ),
        code=code("acquire", "read_outcomes"),
    message:
        "acquire: outcomes and patients of {wildcards.cohort}"
    script:
        "../scripts/acquire/read_outcomes.py"


rule read_covariates:
    input:
        unpack(clinical_files("clinical")),
    output:
        covariates=f"{COHORT}/acquire/covariates.parquet",
    log:
        f"{RESULTS}/logs/acquire/read_covariates.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/acquire/read_covariates.{{cohort}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        cfg=cfg(
            "acquire",
            "read_covariates",
            content=content("acquire", "read_covariates", "covariates"),
        ),
        code=code("acquire", "read_covariates"),
    message:
        "acquire: covariates of {wildcards.cohort}"
    script:
        "../scripts/acquire/read_covariates.py"


rule list_sources:
    input:
        unpack(cohort_files(*FILES)),
        fetched=fetched_parts,
    output:
        downloads=f"{COHORT}/acquire/downloads.parquet",
    log:
        f"{RESULTS}/logs/acquire/list_sources.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/acquire/list_sources.{{cohort}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        cfg=cfg("acquire", "list_sources", rows=not_chosen),
        code=code("acquire", "list_sources"),
    message:
        "acquire: listed files of {wildcards.cohort}"
    script:
        "../scripts/acquire/list_sources.py"


rule permute_outcomes:
    input:
        outcomes=f"{OURS}/acquire/outcomes.parquet",
    output:
        permuted=f"{RESULTS}/{{experiment}}/controls/{{control}}-{{draw}}/acquire/outcomes.parquet",
    log:
        f"{RESULTS}/logs/acquire/permute_outcomes/{{experiment}}/controls/{{control}}-{{draw}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/acquire/permute_outcomes/{{experiment}}/controls/{{control}}-{{draw}}.jsonl"
    # {run} of the other rules, in the words that the script takes.
    wildcard_constraints:
        experiment=r"experiments/[A-Za-z0-9._-]+",
        control=r"permuted(-within-site)?",
        draw=r"\d+",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        cfg=cfg("acquire", "permute_outcomes"),
        code=code("acquire", "permute_outcomes"),
    message:
        "acquire: permuted outcomes for {wildcards.control}, draw {wildcards.draw}"
    script:
        "../scripts/acquire/permute_outcomes.py"
