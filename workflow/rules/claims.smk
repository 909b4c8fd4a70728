# What the study says about the paper: verdicts on its claims, its numbers beside the study's, size.
STUDY_EXPERIMENTS = of_study(GROUPINGS)
SUMMARIES = [
    *expand(f"{RESULTS}/{{model}}/experiments/{{experiment}}/summary.json", model=MODELS, experiment=STUDY_EXPERIMENTS),
    *expand(f"{RESULTS}/{{model}}/experiments/degeneracy/comparison.json", model=MODELS),
]


rule make_complexity:
    input:
        models=expand(MODEL_FOLDER, model=MODELS),
        summaries=SUMMARIES,
        code=code("complexity"),
    output:
        f"{RESULTS}/complexity.json",
    log:
        f"{RESULTS}/logs/complexity.log",
    benchmark:
        f"{RESULTS}/benchmarks/complexity.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        models=of_models("--model", ""),
        experiments=repeated("--experiment", STUDY_EXPERIMENTS),
    message:
        "Setting every number against model size"
    shell:
        "python -m dkn complexity {params.models} {params.experiments} --output {output} 2>&1 | tee {log}"


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
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        models=of_models("--model", ""),
        experiments=repeated("--experiment", STUDY_EXPERIMENTS),
        alpha=STUDY.claims.alpha,
        margin=STUDY.claims.margin,
        minimum_subjects=STUDY.claims.minimum_subjects,
    message:
        "Judging the paper's claims"
    shell:
        "python -m dkn verdicts {params.models} {params.experiments} --complexity {input.complexity}"
        " --alpha {params.alpha} --margin {params.margin} --minimum-subjects {params.minimum_subjects}"
        " --output {output} 2>&1 | tee {log}"


rule table_verdicts:
    input:
        verdicts=rules.make_verdicts.output,
        code=code("table-verdicts"),
    output:
        multiext(f"{RESULTS}/tables/verdicts", csv=".csv", markdown=".md", latex=".tex"),
    log:
        f"{RESULTS}/logs/table_verdicts.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_verdicts.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    message:
        "Listing the contrasts behind every verdict"
    shell:
        "python -m dkn table-verdicts --verdicts {input.verdicts} --output {output.csv} 2>&1 | tee {log}"


rule table_reported:
    input:
        reported=Path(workflow.basedir) / "resources" / "reported_results.yaml",
        summaries=SUMMARIES,
        code=code("table-reported"),
    output:
        multiext(f"{RESULTS}/tables/reported", csv=".csv", markdown=".md", latex=".tex"),
    log:
        f"{RESULTS}/logs/table_reported.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_reported.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        models=of_models("--model", ""),
        experiments=repeated("--experiment", STUDY_EXPERIMENTS),
    message:
        "Putting the paper's numbers beside the study's"
    shell:
        "python -m dkn table-reported --reported {input.reported} {params.models} {params.experiments}"
        " --output {output.csv} 2>&1 | tee {log}"


rule table_contrasts:
    input:
        summaries=SUMMARIES,
        code=code("table-contrasts"),
    output:
        multiext(f"{RESULTS}/tables/contrasts", csv=".csv", markdown=".md", latex=".tex"),
    log:
        f"{RESULTS}/logs/table_contrasts.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_contrasts.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        models=of_models("--model", ""),
        experiments=repeated("--experiment", STUDY_EXPERIMENTS),
        confidence=STUDY.statistics.confidence,
    message:
        "Adjusting all contrasts over their settings"
    shell:
        "python -m dkn table-contrasts {params.models} {params.experiments} --confidence {params.confidence}"
        " --output {output.csv} 2>&1 | tee {log}"


rule figure_complexity:
    input:
        complexity=rules.make_complexity.output,
        code=code("figure-complexity"),
    output:
        **figure("complexity", SIZE, "main numbers against model size"),
    log:
        f"{RESULTS}/logs/figure_complexity.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_complexity.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    message:
        "Drawing figure complexity"
    shell:
        "python -m dkn figure-complexity --complexity {input.complexity} --output {output.pdf} 2>&1 | tee {log}"


rule figure_reported:
    input:
        table=rules.table_reported.output.csv,
        code=code("figure-reported"),
    output:
        **figure("reported", PAPER, "the paper's numbers beside this study's"),
    log:
        f"{RESULTS}/logs/figure_reported.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_reported.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    message:
        "Drawing figure reported"
    shell:
        "python -m dkn figure-reported --table {input.table} --output {output.pdf} 2>&1 | tee {log}"


rule figure_verdicts:
    input:
        verdicts=rules.make_verdicts.output,
        code=code("figure-verdicts"),
    output:
        **figure("verdicts", VERDICTS, "every claim against every model"),
    log:
        f"{RESULTS}/logs/figure_verdicts.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_verdicts.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    message:
        "Drawing figure verdicts"
    shell:
        "python -m dkn figure-verdicts --verdicts {input.verdicts} --output {output.pdf} 2>&1 | tee {log}"


rule verdicts:
    input:
        rules.make_verdicts.output,
        rules.table_verdicts.output,
        rules.figure_verdicts.output,


rule complexity:
    input:
        rules.make_complexity.output,
        rules.figure_complexity.output,


rule reported:
    input:
        rules.table_reported.output,
        rules.figure_reported.output,
