# Figures: each a target of its own, from stored records only, as PDF, PNG, the CSV of what it shows and its numbers.


rule figure_degeneracy:
    input:
        summaries=expand(f"{RESULTS}/{{model}}/experiments/degeneracy-ntc/summary.json", model=MODELS),
        code=code("figure-degeneracy"),
    output:
        **figure("degeneracy", DEGENERACY, "drop against the number of suppressed components"),
    log:
        f"{RESULTS}/logs/figure_degeneracy.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_degeneracy.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        summaries=of_models("--summary", "experiments/degeneracy-ntc/summary.json"),
    message:
        "Drawing figure degeneracy"
    shell:
        "python -m dkn figure-degeneracy {params.summaries} --output {output.pdf} 2>&1 | tee {log}"


rule figure_groupings:
    input:
        summaries=expand(rules.summary_degeneracy.output.summaries, model=MODELS),
        code=code("figure-groupings"),
    output:
        **figure("groupings", DEGENERACY, "NTC beside the other groupings and the controls"),
    log:
        f"{RESULTS}/logs/figure_groupings.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_groupings.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        summaries=lambda wildcards, input: repeated("--summary", input.summaries),
    message:
        "Drawing figure groupings"
    shell:
        "python -m dkn figure-groupings {params.summaries} --output {output.pdf} 2>&1 | tee {log}"


rule figure_persistence:
    input:
        facts=rules.make_facts.output,
        known=expand(f"{RESULTS}/{{model}}/known.parquet", model=MODELS),
        distances=expand(f"{RESULTS}/{{model}}/distances.parquet", model=MODELS),
        diagrams=expand(f"{RESULTS}/{{model}}/diagrams.parquet", model=MODELS),
        neurons=expand(f"{RESULTS}/{{model}}/knowledge_neurons.parquet", model=MODELS),
        components=expand(f"{RESULTS}/{{model}}/components/ntc.parquet", model=MODELS),
        code=code("figure-persistence"),
    output:
        **figure("persistence", STRUCTURE, "persistence diagram and barcode of one fact"),
    log:
        f"{RESULTS}/logs/figure_persistence.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_persistence.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        models=of_models("--model", ""),
        quantile=STUDY.clustering.quantile,
        example=optional("--example", STUDY.figures.example_fact),
    message:
        "Drawing figure persistence"
    shell:
        "python -m dkn figure-persistence --facts {input.facts} {params.models} --quantile {params.quantile}"
        " {params.example} --output {output.pdf} 2>&1 | tee {log}"


rule figure_kn_graph:
    input:
        facts=rules.make_facts.output,
        known=expand(f"{RESULTS}/{{model}}/known.parquet", model=MODELS),
        distances=expand(f"{RESULTS}/{{model}}/distances.parquet", model=MODELS),
        neurons=expand(f"{RESULTS}/{{model}}/knowledge_neurons.parquet", model=MODELS),
        components=expand(f"{RESULTS}/{{model}}/components/ntc.parquet", model=MODELS),
        code=code("figure-kn-graph"),
    output:
        **figure("kn_graph", STRUCTURE, "knowledge neurons of one fact, across layers"),
    log:
        f"{RESULTS}/logs/figure_kn_graph.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_kn_graph.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        models=of_models("--model", ""),
        quantile=STUDY.clustering.quantile,
        example=optional("--example", STUDY.figures.example_fact),
    message:
        "Drawing figure kn_graph"
    shell:
        "python -m dkn figure-kn-graph --facts {input.facts} {params.models} --quantile {params.quantile}"
        " {params.example} --output {output.pdf} 2>&1 | tee {log}"


rule figure_component_sizes:
    input:
        facts=rules.make_facts.output,
        neurons=expand(f"{RESULTS}/{{model}}/knowledge_neurons.parquet", model=MODELS),
        components=expand(f"{RESULTS}/{{model}}/components/ntc.parquet", model=MODELS),
        code=code("figure-component-sizes"),
    output:
        **figure("component_sizes", STRUCTURE, "sizes of components"),
    log:
        f"{RESULTS}/logs/figure_component_sizes.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_component_sizes.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        models=of_models("--model", ""),
        resamples=STUDY.statistics.resamples,
        confidence=STUDY.statistics.confidence,
        seed=STUDY.seed,
    message:
        "Drawing figure component_sizes"
    shell:
        "python -m dkn figure-component-sizes --facts {input.facts} {params.models}"
        " --resamples {params.resamples} --confidence {params.confidence} --seed {params.seed}"
        " --output {output.pdf} 2>&1 | tee {log}"


rule figure_funnel:
    input:
        funnel=f"{RESULTS}/tables/funnel.csv",
        code=code("figure-funnel"),
    output:
        **figure("funnel", STRUCTURE, "facts left at every step"),
    log:
        f"{RESULTS}/logs/figure_funnel.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_funnel.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    message:
        "Drawing figure funnel"
    shell:
        "python -m dkn figure-funnel --funnel {input.funnel} --output {output.pdf} 2>&1 | tee {log}"


rule figure_suppression:
    input:
        summaries=rules.suppression.input,
        code=code("figure-perturbation"),
    output:
        **figure("suppression", ROBUSTNESS, "suppressed neurons, on the query and on perturbed ones"),
    log:
        f"{RESULTS}/logs/figure_suppression.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_suppression.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        summaries=lambda wildcards, input: repeated("--summary", input.summaries),
    message:
        "Drawing figure suppression"
    shell:
        "python -m dkn figure-perturbation {params.summaries} --output {output.pdf} 2>&1 | tee {log}"


rule figure_enhancement:
    input:
        summaries=rules.enhancement.input,
        code=code("figure-perturbation"),
    output:
        **figure("enhancement", ROBUSTNESS, "enhanced neurons, on the query and on perturbed ones"),
    log:
        f"{RESULTS}/logs/figure_enhancement.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_enhancement.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        summaries=lambda wildcards, input: repeated("--summary", input.summaries),
    message:
        "Drawing figure enhancement"
    shell:
        "python -m dkn figure-perturbation {params.summaries} --output {output.pdf} 2>&1 | tee {log}"


rule figure_fact_checking:
    input:
        summaries=rules.fact_checking.input,
        records=expand(f"{FACT_CHECKING}{{detector}}/records.parquet", model=MODELS, detector=("dkn", "kn", "plm")),
        code=code("figure-fact-checking"),
    output:
        **figure("fact_checking", FACT_CHECKING_RESULTS, "true statements told from false ones"),
    log:
        f"{RESULTS}/logs/figure_fact_checking.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_fact_checking.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        models=of_models("--model", ""),
    message:
        "Drawing figure fact_checking"
    shell:
        "python -m dkn figure-fact-checking {params.models} --output {output.pdf} 2>&1 | tee {log}"


rule figure_overlap:
    input:
        changes=expand(f"{RESULTS}/{{model}}/experiments/fine-tuning-all/changes.parquet", model=MODELS),
        members=expand(rules.experiment_overlap.output.members, model=MODELS),
        summaries=expand(rules.summary_overlap.output, model=MODELS),
        code=code("figure-overlap"),
    output:
        **figure("overlap", EVOLVABILITY, "where full fine-tuning changes neurons, and where D is"),
    log:
        f"{RESULTS}/logs/figure_overlap.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_overlap.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        models=of_models("--model", ""),
    message:
        "Drawing figure overlap"
    shell:
        "python -m dkn figure-overlap {params.models} --output {output.pdf} 2>&1 | tee {log}"


rule figure_fine_tuning:
    input:
        summaries=expand(rules.summary_fine_tuning.output, model=MODELS, subset=TUNED),
        trainings=expand(rules.experiment_fine_tuning.output.training, model=MODELS, subset=TUNED),
        code=code("figure-fine-tuning"),
    output:
        **figure("fine_tuning", EVOLVABILITY, "new, old and paraphrased questions, by what was trained"),
    log:
        f"{RESULTS}/logs/figure_fine_tuning.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_fine_tuning.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        experiments=lambda wildcards, input: repeated("--experiment", [Path(path).parent for path in input.summaries]),
    message:
        "Drawing figure fine_tuning"
    shell:
        "python -m dkn figure-fine-tuning {params.experiments} --output {output.pdf} 2>&1 | tee {log}"


rule figures:
    input:
        rules.figure_degeneracy.output,
        rules.figure_groupings.output,
        rules.figure_persistence.output,
        rules.figure_kn_graph.output,
        rules.figure_component_sizes.output,
        rules.figure_funnel.output,
        rules.figure_suppression.output,
        rules.figure_enhancement.output,
        rules.figure_fact_checking.output,
        rules.figure_overlap.output,
        rules.figure_fine_tuning.output,
