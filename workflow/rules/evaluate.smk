"""Analysis plan, metrics, comparisons, controls, report."""


rule register_plan:
    output:
        plan=f"{EXPERIMENT}/evaluate/plan.json",
    log:
        f"{RESULTS}/logs/evaluate/register_plan/{MAIN}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/register_plan/{MAIN}.jsonl"
    # Before anything that is ready too: the plan stands when the first model is trained.
    priority: 100
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        cfg=cfg("evaluate", "register_plan"),
        code=code("evaluate", "register_plan"),
    message:
        "evaluate: analysis plan"
    script:
        "../scripts/evaluate/register_plan.py"


rule score_arms:
    input:
        store=STORE,
        folds=f"{EXPERIMENT}/split/folds.parquet",
        outcomes=f"{OURS}/acquire/outcomes.parquet",
        covariates=COVARIATES,
        rna=[f"{EXPERIMENT}/rna/r{r}f{f}.h5ad" for r in REPEATS for f in FOLDS],
        arm_predictions=[
            f"{EXPERIMENT}/finetune/{arm}/r{r}.parquet"
            for arm in SCORED
            for r in REPEATS
        ],
        arm_models=[
            f"{EXPERIMENT}/finetune/{arm}/r{r}.pt" for arm in SCORED for r in REPEATS
        ],
        checkpoints=pretrained("pt"),
        histories=pretrained("parquet"),
        control_predictions=control_outputs("parquet"),
        control_models=control_outputs("pt"),
        control_folds=control_tables(
            "split/folds.parquet", f"{EXPERIMENT}/split/folds.parquet"
        ),
        control_outcomes=control_tables(
            "acquire/outcomes.parquet", f"{OURS}/acquire/outcomes.parquet"
        ),
        leaky=(
            [f"{EXPERIMENT}/finetune/leaky-chance/r0.parquet"]
            if CONFIG.evaluate.leaky.seeds
            else []
        ),
    output:
        predictions=f"{EXPERIMENT}/evaluate/predictions.parquet",
        metrics=f"{EXPERIMENT}/evaluate/metrics.parquet",
        comparisons=f"{EXPERIMENT}/evaluate/comparisons.parquet",
        retrieval=f"{EXPERIMENT}/evaluate/retrieval.parquet",
        curves=f"{EXPERIMENT}/evaluate/curves.parquet",
        strata=f"{EXPERIMENT}/evaluate/strata.parquet",
    log:
        f"{RESULTS}/logs/evaluate/score_arms/{MAIN}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/score_arms/{MAIN}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=12000,
        runtime=120,
        cells=int(CELLS),
    params:
        cfg=cfg("evaluate", "score_arms"),
        code=code("evaluate", "score_arms"),
    message:
        "evaluate: metrics, comparisons, retrieval"
    script:
        "../scripts/evaluate/score_arms.py"


# Of the first repeat, and only where such arms are trained.
rule attribute_inputs:
    input:
        store=STORE,
        folds=f"{EXPERIMENT}/split/folds.parquet",
        rna=[f"{EXPERIMENT}/rna/r0f{f}.h5ad" for f in FOLDS],
        arm_models=[f"{EXPERIMENT}/finetune/{arm}/r0.pt" for arm in EXPLAINED],
    output:
        attributions=f"{EXPERIMENT}/evaluate/attributions.parquet",
    log:
        f"{RESULTS}/logs/evaluate/attribute_inputs/{MAIN}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/attribute_inputs/{MAIN}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=6000,
        runtime=240,
    params:
        cfg=cfg("evaluate", "attribute_inputs"),
        code=code("evaluate", "attribute_inputs"),
    message:
        "evaluate: what moves the predictions"
    script:
        "../scripts/evaluate/attribute_inputs.py"


rule map_space:
    input:
        store=STORE,
        folds=f"{EXPERIMENT}/split/folds.parquet",
        rna=f"{EXPERIMENT}/rna/r0f0.h5ad",
        checkpoint=WIDEST,
    output:
        space=f"{EXPERIMENT}/evaluate/space.parquet",
    log:
        f"{RESULTS}/logs/evaluate/map_space/{MAIN}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/map_space/{MAIN}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        cfg=cfg("evaluate", "map_space"),
        code=code("evaluate", "map_space"),
    message:
        "evaluate: map of the joint space"
    script:
        "../scripts/evaluate/map_space.py"


rule show_tiles:
    input:
        store=STORE,
        folds=f"{EXPERIMENT}/split/folds.parquet",
        tile_index=f"{OURS}/tile/index.parquet",
        arm_models=[f"{EXPERIMENT}/finetune/{arm}/r0.pt" for arm in SHOWN_ARMS],
    output:
        tiles=f"{EXPERIMENT}/evaluate/tiles.parquet",
        attention=f"{EXPERIMENT}/evaluate/attention.parquet",
    log:
        f"{RESULTS}/logs/evaluate/show_tiles/{MAIN}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/show_tiles/{MAIN}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=6000,
        runtime=240,
    params:
        cfg=cfg("evaluate", "show_tiles", rows=rows_of_ours),
        code=code_with_backends("evaluate", "show_tiles", rows_of_ours),
    message:
        "evaluate: tiles that arms look at most and least"
    script:
        "../scripts/evaluate/show_tiles.py"


rule write_report:
    input:
        predictions=f"{EXPERIMENT}/evaluate/predictions.parquet",
        metrics=f"{EXPERIMENT}/evaluate/metrics.parquet",
        comparisons=f"{EXPERIMENT}/evaluate/comparisons.parquet",
        retrieval=f"{EXPERIMENT}/evaluate/retrieval.parquet",
        curves=f"{EXPERIMENT}/evaluate/curves.parquet",
        strata=f"{EXPERIMENT}/evaluate/strata.parquet",
        plan=f"{EXPERIMENT}/evaluate/plan.json",
        attributions=(
            [f"{EXPERIMENT}/evaluate/attributions.parquet"] if EXPLAINED else []
        ),
        pathways=plain(CONFIG.evaluate.pathways) if CONFIG.evaluate.pathways else [],
        folds=f"{EXPERIMENT}/split/folds.parquet",
        store=STORE,
        space=[f"{EXPERIMENT}/evaluate/space.parquet"] if WIDEST else [],
        tiles=[f"{EXPERIMENT}/evaluate/tiles.parquet"] if SHOWN_ARMS else [],
        attention=[f"{EXPERIMENT}/evaluate/attention.parquet"] if SHOWN_ARMS else [],
        arm_models=[
            f"{EXPERIMENT}/finetune/{arm}/r0.pt" for arm in CONFIG.finetune.arms
        ],
        rna=f"{EXPERIMENT}/rna/r0f0.h5ad",
        outcomes=f"{OURS}/acquire/outcomes.parquet",
        covariates=COVARIATES,
        patients=f"{OURS}/acquire/patients.parquet",
        downloads=f"{OURS}/acquire/downloads.parquet",
        slides=f"{OURS}/acquire/slides.parquet",
        grids=[f"{OURS}/tile/index.parquet"] if CONFIG.from_slides else [],
        tile_index=f"{OURS}/embed/{CONFIG.embed.encoder}/index.parquet",
        cells_index=f"{OURS}/cells/index.parquet",
        rna_index=f"{OURS}/rna/index.parquet",
        others=others_of_report,
        reduced=[
            f"{run}/rna/r0f{f}.h5ad"
            for run in CONTROL_RUNS
            if kind_of(run) == WITHOUT
            for f in FOLDS
        ],
    output:
        report=report(
            f"{EXPERIMENT}/evaluate/report.html",
            caption="../report/benchmark.rst",
            category="benchmark",
            labels={"experiment": CONFIG.experiment},
        ),
        forest=report(
            f"{EXPERIMENT}/evaluate/figures/forest.png",
            caption="../report/forest.rst",
            category="figures",
            labels={"figure": "arms, controls and baselines"},
        ),
        retrieval_figure=report(
            f"{EXPERIMENT}/evaluate/figures/retrieval.png",
            caption="../report/retrieval.rst",
            category="figures",
            labels={"figure": "retrieval between modalities"},
        ),
        provenance=f"{EXPERIMENT}/evaluate/provenance.json",
    log:
        f"{RESULTS}/logs/evaluate/write_report/{MAIN}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/write_report/{MAIN}.jsonl"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=6000,
        runtime=30,
        benchmarks=f"{RESULTS}/benchmarks",
    params:
        cfg=cfg("evaluate", "write_report"),
        code=code("evaluate", "write_report"),
    message:
        "evaluate: benchmark report"
    script:
        "../scripts/evaluate/write_report.py"


rule patient:
    input:
        sound,
        patient_page,


rule write_patient:
    input:
        predictions=f"{EXPERIMENT}/evaluate/predictions.parquet",
        folds=f"{EXPERIMENT}/split/folds.parquet",
        outcomes=f"{OURS}/acquire/outcomes.parquet",
        patients=f"{OURS}/acquire/patients.parquet",
        slides=f"{OURS}/acquire/slides.parquet",
        tile_index=f"{OURS}/embed/{CONFIG.embed.encoder}/index.parquet",
        cells_index=f"{OURS}/cells/index.parquet",
        rna_index=f"{OURS}/rna/index.parquet",
        store=STORE,
        arm_models=[
            f"{EXPERIMENT}/finetune/{arm}/r0.pt" for arm in CONFIG.finetune.arms
        ],
        checkpoints=[
            f"{path.removesuffix('0.pt')}{f}.pt" for path in WIDEST for f in FOLDS
        ],
        profiles=[f"{EXPERIMENT}/rna/r0f{f}.h5ad" for f in FOLDS],
        grids=[f"{OURS}/tile/index.parquet"] if CONFIG.from_slides else [],
    output:
        page=f"{EXPERIMENT}/patients/{{patient}}.html",
    log:
        f"{RESULTS}/logs/evaluate/write_patient/{MAIN}/{{patient}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/write_patient/{MAIN}/{{patient}}.jsonl"
    wildcard_constraints:
        patient="[^/]+",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=20,
    params:
        cfg=cfg("evaluate", "write_patient"),
        code=code("evaluate", "write_patient"),
    message:
        "evaluate: page of patient {wildcards.patient}"
    script:
        "../scripts/evaluate/write_patient.py"


rule compare:
    input:
        compared_page,


rule write_compared:
    output:
        page=f"{RESULTS}/compare/{{first}}/{{second}}.html",
    log:
        f"{RESULTS}/logs/evaluate/write_compared/{{first}}/{{second}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/write_compared/{{first}}/{{second}}.jsonl"
    wildcard_constraints:
        first=r"[A-Za-z0-9._-]+",
        second=r"[A-Za-z0-9._-]+",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=4000,
        runtime=20,
        experiments=f"{RESULTS}/experiments",
    params:
        # What is read is no input: an experiment of another config would be made anew by this one's.
        content=content_of_compared,
        cfg=cfg("evaluate", "write_compared"),
        code=code("evaluate", "write_compared"),
    message:
        "evaluate: {wildcards.first} beside {wildcards.second}"
    script:
        "../scripts/evaluate/write_compared.py"
