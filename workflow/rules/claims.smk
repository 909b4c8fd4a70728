# What the study says about the paper: verdicts on its claims, its numbers beside the study's, size.
ALL_EXPERIMENTS = repeated("--experiment", of_study(GROUPINGS))
SUMMARIES = per_model(
    *(f"experiments/{experiment}/summary.json" for experiment in of_study(GROUPINGS)),
    "experiments/degeneracy/comparison.json",
)


rule make_complexity:
    input:
        models=expand(MODEL_FOLDER, model=MODELS),
        summaries=SUMMARIES,
        code=code("model-size"),
    output:
        f"{RESULTS}/complexity.json",
    log:
        f"{RESULTS}/logs/complexity.log",
    benchmark:
        f"{RESULTS}/benchmarks/complexity.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        **ANALYSIS,
    params:
        models=of_models(),
        experiments=ALL_EXPERIMENTS,
    message:
        "Setting every number against model size"
    shell:
        "python -m dkn model-size {params.models} {params.experiments} --output {output} 2>&1 | tee {log}"


rule make_verdicts:
    input:
        summaries=SUMMARIES,
        complexity=rules.make_complexity.output,
        code=code("verdicts"),
    output:
        f"{RESULTS}/verdicts.json",
    log:
        f"{RESULTS}/logs/verdicts.log",
    benchmark:
        f"{RESULTS}/benchmarks/verdicts.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        **ANALYSIS,
    params:
        models=of_models(),
        experiments=ALL_EXPERIMENTS,
        alpha=STUDY.claims.alpha,
        margin=STUDY.claims.margin,
        minimum_subjects=STUDY.claims.minimum_subjects,
    message:
        "Judging the paper's claims"
    shell:
        "python -m dkn verdicts {params.models} {params.experiments} --complexity {input.complexity}"
        " --alpha {params.alpha} --margin {params.margin} --minimum-subjects {params.minimum_subjects}"
        " --output {output} 2>&1 | tee {log}"


rule verdicts:
    input:
        rules.make_verdicts.output,
        multiext(f"{RESULTS}/tables/verdicts", ".csv", ".md", ".tex"),
        multiext(f"{RESULTS}/figures/verdicts", ".pdf", ".png", ".csv"),


rule complexity:
    input:
        rules.make_complexity.output,
        multiext(f"{RESULTS}/figures/complexity", ".pdf", ".png", ".csv"),


rule reported:
    input:
        multiext(f"{RESULTS}/tables/reported", ".csv", ".md", ".tex"),
        multiext(f"{RESULTS}/figures/reported", ".pdf", ".png", ".csv"),
