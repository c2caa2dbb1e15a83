"""Supervised training of arms and baselines."""


rule finetune_arm:
    input:
        store=store_of,
        rna=rna_of_folds,
        folds=folds_of,
        outcomes=outcomes,
        checkpoints=checkpoints_of,
        other_checkpoints=other_checkpoints_of,
    output:
        predictions=f"{RUN}/finetune/{{arm}}/r{{repeat}}.parquet",
        models=f"{RUN}/finetune/{{arm}}/r{{repeat}}.pt",
    log:
        job=f"{RESULTS}/logs/finetune/finetune_arm/{{run}}/{{arm}}/r{{repeat}}.log",
        speed=f"{RESULTS}/benchmarks/finetune/finetune_arm/{{run}}/{{arm}}/r{{repeat}}.training.jsonl",
    benchmark:
        f"{RESULTS}/benchmarks/finetune/finetune_arm/{{run}}/{{arm}}/r{{repeat}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory_of(CONFIG.finetune),
        runtime=480,
        gpu=gpus(),
        device=CONFIG.device,
        place=CONFIG.store,
        plan=PLAN,
    params:
        cfg=cfg("finetune", "finetune_arm", shuffled_cells=draw_of("shuffled-cells")),
        code=code("finetune", "finetune_arm"),
    message:
        "finetune: {wildcards.arm}, repeat {wildcards.repeat} ({wildcards.run})"
    script:
        "../scripts/finetune/finetune_arm.py"


rule fit_baseline:
    input:
        store=STORE,
        rna=rna_of_folds,
        folds=f"{RUN}/split/folds.parquet",
        outcomes=outcomes,
        covariates=covariates_of,
    output:
        predictions=f"{RUN}/finetune/{{baseline}}/r{{repeat}}.parquet",
        models=f"{RUN}/finetune/{{baseline}}/r{{repeat}}.pt",
    log:
        f"{RESULTS}/logs/finetune/fit_baseline/{{run}}/{{baseline}}/r{{repeat}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/finetune/fit_baseline/{{run}}/{{baseline}}/r{{repeat}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        cfg=cfg("finetune", "fit_baseline"),
        code=code("finetune", "fit_baseline"),
    message:
        "finetune: baseline {wildcards.baseline}, repeat {wildcards.repeat} ({wildcards.run})"
    script:
        "../scripts/finetune/fit_baseline.py"


rule fit_late_fusion:
    input:
        arm_predictions=lambda wildcards: trained_outputs(
            wildcards, singles(CELLS), "parquet"
        ),
        arm_models=lambda wildcards: trained_outputs(wildcards, singles(CELLS), "pt"),
    output:
        predictions=f"{RUN}/finetune/late-fusion/r{{repeat}}.parquet",
        models=f"{RUN}/finetune/late-fusion/r{{repeat}}.pt",
    log:
        f"{RESULTS}/logs/finetune/fit_late_fusion/{{run}}/r{{repeat}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/finetune/fit_late_fusion/{{run}}/r{{repeat}}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=30,
        cells=int(CELLS),
    params:
        cfg=cfg("finetune", "fit_late_fusion"),
        code=code("finetune", "fit_late_fusion"),
    message:
        "finetune: late fusion, repeat {wildcards.repeat} ({wildcards.run})"
    script:
        "../scripts/finetune/fit_late_fusion.py"


rule fit_clinical_plus:
    input:
        store=store_of,
        rna=rna_of_folds,
        folds=folds_of,
        outcomes=outcomes,
        covariates=COVARIATES,
        checkpoints=lambda wildcards: trained_towers(wildcards, checkpoints_of),
        other_checkpoints=lambda wildcards: trained_towers(
            wildcards, other_checkpoints_of
        ),
        score_predictions=lambda wildcards: [
            f"{RESULTS}/{wildcards.run}/finetune/clinical/r{wildcards.repeat}.parquet",
            *trained_outputs(wildcards, [wildcards.arm], "parquet"),
        ],
        score_models=lambda wildcards: [
            f"{RESULTS}/{wildcards.run}/finetune/clinical/r{wildcards.repeat}.pt",
            *trained_outputs(wildcards, [wildcards.arm], "pt"),
        ],
    output:
        predictions=f"{RUN}/finetune/{PLUS}{{arm}}/r{{repeat}}.parquet",
        models=f"{RUN}/finetune/{PLUS}{{arm}}/r{{repeat}}.pt",
    log:
        job=f"{RESULTS}/logs/finetune/fit_clinical_plus/{{run}}/{{arm}}/r{{repeat}}.log",
        speed=f"{RESULTS}/benchmarks/finetune/fit_clinical_plus/{{run}}/{{arm}}/r{{repeat}}.training.jsonl",
    benchmark:
        f"{RESULTS}/benchmarks/finetune/fit_clinical_plus/{{run}}/{{arm}}/r{{repeat}}.jsonl"
    # The longest job of an experiment: what begins last should not be what takes longest.
    priority: 10
    conda:
        "../../environment.yml"
    resources:
        mem_mb=memory_of(CONFIG.finetune),
        runtime=960,
        gpu=gpus(),
        device=CONFIG.device,
        place=CONFIG.store,
    params:
        cfg=cfg("finetune", "fit_clinical_plus"),
        code=code("finetune", "fit_clinical_plus"),
    message:
        "finetune: clinical+{wildcards.arm}, repeat {wildcards.repeat} ({wildcards.run})"
    script:
        "../scripts/finetune/fit_clinical_plus.py"


rule fit_leaky_chance:
    input:
        store=STORE,
        folds=f"{EXPERIMENT}/split/folds.parquet",
        outcomes=f"{OURS}/acquire/outcomes.parquet",
    output:
        curves=f"{EXPERIMENT}/finetune/leaky-chance/r0.parquet",
    log:
        f"{RESULTS}/logs/finetune/fit_leaky_chance/{MAIN}.log",
    benchmark:
        f"{RESULTS}/benchmarks/finetune/fit_leaky_chance/{MAIN}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        cfg=cfg("finetune", "fit_leaky_chance"),
        code=code("finetune", "fit_leaky_chance"),
    message:
        "finetune: leaky chance"
    script:
        "../scripts/finetune/fit_leaky_chance.py"
