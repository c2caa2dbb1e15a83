"""Who is tested when."""


rule make_folds:
    input:
        outcomes=outcomes,
        patients=f"{OURS}/acquire/patients.parquet",
        fold_file=(
            [f"{CONFIG.data}/{CONFIG.split.file}"]
            if CONFIG.split.source == "file"
            else []
        ),
    output:
        folds=f"{RUN}/split/folds.parquet",
    log:
        f"{RESULTS}/logs/split/make_folds/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/split/make_folds/{{run}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        cfg=cfg("split", "make_folds"),
        code=code("split", "make_folds"),
    message:
        "split: folds of {wildcards.run}"
    script:
        "../scripts/split/make_folds.py"
