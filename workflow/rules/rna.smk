"""RNA: one h5ad per cohort, one normaliser per fold."""


rule gather_rna:
    input:
        unpack(cohort_files("rna")),
        samples=f"{COHORT}/acquire/rna.parquet",
        files=rna_files,
        centroids=[p for p in [CONFIG.rna.pam50_centroids] if p],
    output:
        counts=f"{COHORT}/rna/counts.h5ad",
        index=f"{COHORT}/rna/index.parquet",
        pam50=f"{COHORT}/rna/pam50.parquet",
    log:
        f"{RESULTS}/logs/rna/gather_rna.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rna/gather_rna.{{cohort}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=8000,
        runtime=30,
    params:
        cfg=cfg("rna", "gather_rna"),
        code=code("rna", "gather_rna"),
    message:
        "rna: matrix of {wildcards.cohort}"
    script:
        "../scripts/rna/gather_rna.py"


rule normalise_rna:
    input:
        counts=f"{OURS}/rna/counts.h5ad",
        folds=f"{RUN}/split/folds.parquet",
    output:
        normalised=f"{RUN}/rna/r{{repeat}}f{{fold}}.h5ad",
        normaliser=f"{RUN}/rna/r{{repeat}}f{{fold}}.json",
    log:
        f"{RESULTS}/logs/rna/normalise_rna/{{run}}/r{{repeat}}f{{fold}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rna/normalise_rna/{{run}}/r{{repeat}}f{{fold}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=6000,
        runtime=60,
    params:
        cfg=cfg("rna", "normalise_rna"),
        code=code("rna", "normalise_rna"),
    message:
        "rna: normaliser of repeat {wildcards.repeat}, fold {wildcards.fold} ({wildcards.run})"
    script:
        "../scripts/rna/normalise_rna.py"
