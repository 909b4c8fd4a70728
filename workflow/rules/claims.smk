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
        code=code("model-size"),
        models=of_models(),
        experiments=ALL_EXPERIMENTS,
    message:
        "Setting every number against model size"
    shell:
        "python -m dkn model-size {params.models:q} {params.experiments:q} --output {output:q} 2>&1 | tee -- {log:q}"


rule make_verdicts:
    input:
        summaries=SUMMARIES,
        complexity=rules.make_complexity.output,
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
        code=code("verdicts"),
        models=of_models(),
        experiments=ALL_EXPERIMENTS,
        alpha=STUDY.claims.alpha,
        margins=repeated("--margin", [f"{metric}={margin}" for metric, margin in STUDY.claims.margins]),
        minimum_subjects=STUDY.claims.minimum_subjects,
    message:
        "Judging the paper's claims"
    shell:
        "python -m dkn verdicts {params.models:q} {params.experiments:q} --complexity {input.complexity:q}"
        " --alpha {params.alpha:q} {params.margins:q} --minimum-subjects {params.minimum_subjects:q}"
        " --output {output:q} 2>&1 | tee -- {log:q}"


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
