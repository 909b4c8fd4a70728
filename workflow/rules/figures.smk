# Figures: each a target of its own, from stored records only, as PDF, PNG and the CSV of what it shows.


rule figure_degeneracy:
    input:
        summaries=expand(f"{RESULTS}/{{model}}/experiments/degeneracy-ntc/summary.json", model=MODELS),
        code=code("figure-degeneracy"),
    output:
        multiext(f"{RESULTS}/figures/degeneracy", pdf=".pdf", png=".png", csv=".csv"),
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
        multiext(f"{RESULTS}/figures/groupings", pdf=".pdf", png=".png", csv=".csv"),
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
        multiext(f"{RESULTS}/figures/persistence", pdf=".pdf", png=".png", csv=".csv"),
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
        multiext(f"{RESULTS}/figures/kn_graph", pdf=".pdf", png=".png", csv=".csv"),
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
        multiext(f"{RESULTS}/figures/component_sizes", pdf=".pdf", png=".png", csv=".csv"),
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
        multiext(f"{RESULTS}/figures/funnel", pdf=".pdf", png=".png", csv=".csv"),
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


rule figures:
    input:
        rules.figure_degeneracy.output,
        rules.figure_groupings.output,
        rules.figure_persistence.output,
        rules.figure_kn_graph.output,
        rules.figure_component_sizes.output,
        rules.figure_funnel.output,
