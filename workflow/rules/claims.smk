# What the study says about the paper: verdicts on its claims, its numbers beside the study's, size.
ALL_EXPERIMENTS = repeated("--experiment", of_study(GROUPINGS))
SUMMARIES = per_model(
    *(f"experiments/{experiment}/summary.json" for experiment in of_study(GROUPINGS)),
    "experiments/degeneracy/comparison.json",
)


# An entry with several seeds has several models, which differ in the seed of their training alone.
rule make_seeds:
    """The file of `seeds`"""
    input:
        summaries=SUMMARIES,
    output:
        f"{RESULTS}/seeds.json",
    log:
        f"{RESULTS}/logs/seeds.log",
    benchmark:
        f"{RESULTS}/benchmarks/seeds.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        **ANALYSIS,
    params:
        code=code("seeds"),
        models=of_models(),
        entries=repeated("--entry", [replicate.entry.name for replicate in REPLICATES.values()]),
        experiments=ALL_EXPERIMENTS,
        confidence=STUDY.statistics.confidence,
        minimum_subjects=STUDY.claims.minimum_subjects,
    message:
        "Combining the seeds of every model"
    shell:
        "python -m dkn seeds {params.models:q} {params.entries:q} {params.experiments:q}"
        " --confidence {params.confidence:q} --minimum-subjects {params.minimum_subjects:q} --output {output:q}"
        " 2>&1 | tee -- {log:q}"


OVER_SEEDS = rules.make_seeds.output if "seeds" not in ON_REQUEST else []


rule make_complexity:
    """The file of `complexity`"""
    input:
        models=expand(MODEL_FOLDER, model=MODELS),
        summaries=SUMMARIES,
        seeds=OVER_SEEDS,
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
        seeds=repeated("--seeds", OVER_SEEDS),
    message:
        "Setting every number against model size"
    shell:
        "python -m dkn model-size {params.models:q} {params.experiments:q} {params.seeds:q} --output {output:q}"
        " 2>&1 | tee -- {log:q}"


rule make_verdicts:
    """The file of `verdicts`"""
    input:
        summaries=SUMMARIES,
        complexity=rules.make_complexity.output,
        seeds=OVER_SEEDS,
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
        seeds=repeated("--seeds", OVER_SEEDS),
        alpha=STUDY.claims.alpha,
        margins=repeated("--margin", [f"{metric}={margin}" for metric, margin in STUDY.claims.margins]),
        minimum_subjects=STUDY.claims.minimum_subjects,
    message:
        "Judging the paper's claims"
    shell:
        "python -m dkn verdicts {params.models:q} {params.experiments:q} --complexity {input.complexity:q} {params.seeds:q}"
        " --alpha {params.alpha:q} {params.margins:q} --minimum-subjects {params.minimum_subjects:q}"
        " --output {output:q} 2>&1 | tee -- {log:q}"


rule seeds:
    """The main numbers over all seeds of an entry; part of `all` where an entry has several"""
    input:
        rules.make_seeds.output,
        multiext(f"{RESULTS}/tables/seeds", ".csv", ".md", ".tex"),
        multiext(f"{RESULTS}/figures/seeds", ".pdf", ".png", ".csv"),


rule verdicts:
    """The verdict on each of the paper's claims"""
    input:
        rules.make_verdicts.output,
        multiext(f"{RESULTS}/tables/verdicts", ".csv", ".md", ".tex"),
        multiext(f"{RESULTS}/figures/verdicts", ".pdf", ".png", ".csv"),


rule complexity:
    """The main numbers against model size; claim C8"""
    input:
        rules.make_complexity.output,
        multiext(f"{RESULTS}/figures/complexity", ".pdf", ".png", ".csv"),


rule reported:
    """The paper's numbers beside this study's"""
    input:
        multiext(f"{RESULTS}/tables/reported", ".csv", ".md", ".tex"),
        multiext(f"{RESULTS}/figures/reported", ".pdf", ".png", ".csv"),
