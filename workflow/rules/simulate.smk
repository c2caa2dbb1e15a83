"""Cohorts with planted truth: what a user would bring, drawn."""

if CONFIG.simulate.level == "slides":

    ruleorder: simulate_patients > simulate_cohort

else:

    ruleorder: simulate_cohort > simulate_patients


rule simulate_cohort:
    output:
        tile=f"{COHORT}/acquire/simulated/tile_features.parquet",
        cells=f"{COHORT}/acquire/simulated/cell_features.parquet",
        rna=f"{COHORT}/acquire/simulated/rna_counts.parquet",
        clinical=f"{COHORT}/acquire/simulated/clinical.csv",
        truth=f"{COHORT}/acquire/simulated/truth.parquet",
    log:
        f"{RESULTS}/logs/simulate/simulate_cohort.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate/simulate_cohort.{{cohort}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        cfg=cfg("simulate", "simulate_cohort"),
        code=code("simulate", "simulate_cohort"),
    message:
        "simulate: drawing cohort {wildcards.cohort}"
    script:
        "../scripts/simulate/simulate_cohort.py"


rule simulate_patients:
    output:
        slides=f"{COHORT}/acquire/simulated/slides.csv",
        rna=f"{COHORT}/acquire/simulated/rna.csv",
        counts=directory(f"{COHORT}/acquire/simulated/rna"),
        clinical=f"{COHORT}/acquire/simulated/clinical.csv",
        centroids=f"{COHORT}/acquire/simulated/pam50_centroids.csv",
        truth=f"{COHORT}/acquire/simulated/truth.parquet",
    log:
        f"{RESULTS}/logs/simulate/simulate_patients.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate/simulate_patients.{{cohort}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        cfg=cfg("simulate", "simulate_patients"),
        code=code("simulate", "simulate_patients"),
    message:
        "simulate: drawing patients and RNA of {wildcards.cohort}"
    script:
        "../scripts/simulate/simulate_patients.py"


rule simulate_slides:
    output:
        part=f"{COHORT}/acquire/simulated/parts/{{group}}.parquet",
    log:
        f"{RESULTS}/logs/simulate/simulate_slides.{{cohort}}/{{group}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate/simulate_slides.{{cohort}}/{{group}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        cfg=cfg("simulate", "simulate_slides", rows=rows_of_group),
        code=code("simulate", "simulate_slides"),
    message:
        "simulate: drawing slides, group {wildcards.group} of {wildcards.cohort}"
    script:
        "../scripts/simulate/simulate_slides.py"
