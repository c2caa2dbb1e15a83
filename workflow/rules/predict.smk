"""Trained models on another cohort."""


rule predict:
    input:
        sound,
        predict_target,
        pam50_calls(CONFIG.predict.name),


rule predict_cohort:
    input:
        store=f"{COHORT}/pack/{store_name(CONFIG.predict.arm)}",
        counts=f"{COHORT}/rna/counts.h5ad",
        patients=f"{COHORT}/acquire/patients.parquet",
        tile_index=f"{COHORT}/embed/{CONFIG.embed.encoder}/index.parquet",
        cells_index=f"{COHORT}/cells/index.parquet",
        pooled_index=(
            [f"{COHORT}/cells/{CONFIG.embed.encoder}/index.parquet"]
            if CONFIG.predict.arm.endswith(DEEP)
            else []
        ),
        rna_index=f"{COHORT}/rna/index.parquet",
        models=[f"{EXPERIMENT}/finetune/{CONFIG.predict.arm}/r{r}.pt" for r in REPEATS],
        normalisers=[f"{EXPERIMENT}/rna/r{r}f{f}.json" for r in REPEATS for f in FOLDS],
        checkpoints=predict_checkpoints(),
        other_checkpoints=(
            predict_checkpoints("tile")
            if CONFIG.predict.arm == "rna-pretrained"
            else []
        ),
    output:
        predictions=f"{EXPERIMENT}/predict/{{cohort}}/predictions.parquet",
    log:
        f"{RESULTS}/logs/predict/predict_cohort.{{cohort}}/{MAIN}.log",
    benchmark:
        f"{RESULTS}/benchmarks/predict/predict_cohort.{{cohort}}/{MAIN}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=8000,
        runtime=120,
        max_excluded=MAX_EXCLUDED,
    params:
        cfg=cfg("predict", "predict_cohort"),
        code=code("predict", "predict_cohort"),
    message:
        "predict: {wildcards.cohort}"
    script:
        "../scripts/predict/predict_cohort.py"


rule write_predicted:
    input:
        predictions=f"{EXPERIMENT}/predict/{{cohort}}/predictions.parquet",
    output:
        page=f"{EXPERIMENT}/predict/{{cohort}}/report.html",
    log:
        f"{RESULTS}/logs/predict/write_predicted.{{cohort}}/{MAIN}.log",
    benchmark:
        f"{RESULTS}/benchmarks/predict/write_predicted.{{cohort}}/{MAIN}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        cfg=cfg("predict", "write_predicted"),
        code=code("predict", "write_predicted"),
    message:
        "predict: page of {wildcards.cohort}"
    script:
        "../scripts/predict/write_predicted.py"
