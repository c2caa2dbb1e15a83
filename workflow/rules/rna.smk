"""RNA: one h5ad per cohort, one normaliser per fold; a job makes those of a repeat."""


rule gather_rna:
    input:
        unpack(cohort_files("rna")),
        samples=f"{COHORT}/acquire/rna.parquet",
        files=rna_files,
    output:
        counts=f"{COHORT}/rna/counts.h5ad",
        index=f"{COHORT}/rna/index.parquet",
    log:
        f"{RESULTS}/logs/rna/gather_rna.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rna/gather_rna.{{cohort}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=8000,
        runtime=30,
        max_excluded=MAX_EXCLUDED,
    params:
        cfg=cfg("rna", "gather_rna"),
        code=code("rna", "gather_rna"),
    message:
        "rna: matrix of {wildcards.cohort}"
    script:
        "../scripts/rna/gather_rna.py"


rule call_pam50:
    input:
        counts=f"{COHORT}/rna/counts.h5ad",
        index=f"{COHORT}/rna/index.parquet",
        centroids=centroids,
    output:
        pam50=f"{COHORT}/rna/pam50.parquet",
    log:
        f"{RESULTS}/logs/rna/call_pam50.{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rna/call_pam50.{{cohort}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=6000,
        runtime=10,
    params:
        cfg=cfg("rna", "call_pam50"),
        code=code("rna", "call_pam50"),
    message:
        "rna: PAM50 calls of {wildcards.cohort}"
    script:
        "../scripts/rna/call_pam50.py"


rule call_labels:
    input:
        unpack(clinical_of_calls),
        counts=f"{COHORT}/rna/counts.h5ad",
        index=f"{COHORT}/rna/index.parquet",
        centroids=centroids_of_label,
    output:
        calls=f"{COHORT}/rna/calls/{{task}}.parquet",
    log:
        f"{RESULTS}/logs/rna/call_labels.{{cohort}}/{{task}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rna/call_labels.{{cohort}}/{{task}}.jsonl"
    wildcard_constraints:
        task="|".join(CONFIG.rna.calls) or r"(?!)",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=6000,
        runtime=10,
    params:
        cfg=cfg(
            "rna",
            "call_labels",
            content=content("rna", "call_labels", "balance"),
        ),
        code=code("rna", "call_labels"),
    message:
        "rna: {wildcards.task} of {wildcards.cohort} by centroids"
    script:
        "../scripts/rna/call_labels.py"


rule normalise_rna:
    input:
        counts=f"{OURS}/rna/counts.h5ad",
        folds=f"{RUN}/split/folds.parquet",
    output:
        normalised=[f"{RUN}/rna/r{{repeat}}f{fold}.h5ad" for fold in FOLDS],
        normalisers=[f"{RUN}/rna/r{{repeat}}f{fold}.json" for fold in FOLDS],
    log:
        f"{RESULTS}/logs/rna/normalise_rna/{{run}}/r{{repeat}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rna/normalise_rna/{{run}}/r{{repeat}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=6000,
        runtime=60,
    params:
        cfg=cfg("rna", "normalise_rna"),
        code=code("rna", "normalise_rna"),
    message:
        "rna: normalisers of repeat {wildcards.repeat} ({wildcards.run})"
    script:
        "../scripts/rna/normalise_rna.py"


# The RNA of this control is that of the experiment with fewer genes: nothing is normalised anew.
ruleorder: drop_pam50 > normalise_rna


rule drop_pam50:
    input:
        normalised=[f"{EXPERIMENT}/rna/r{{repeat}}f{fold}.h5ad" for fold in FOLDS],
        folds=f"{EXPERIMENT}/split/folds.parquet",
    output:
        reduced=[
            f"{EXPERIMENT}/controls/{WITHOUT}-1/rna/r{{repeat}}f{fold}.h5ad"
            for fold in FOLDS
        ],
    log:
        f"{RESULTS}/logs/rna/drop_pam50/{MAIN}/r{{repeat}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rna/drop_pam50/{MAIN}/r{{repeat}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        cfg=cfg("rna", "drop_pam50"),
        code=code("rna", "drop_pam50"),
    message:
        "rna: without PAM50's genes, repeat {wildcards.repeat}"
    script:
        "../scripts/rna/drop_pam50.py"
