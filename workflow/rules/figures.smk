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
        mem_mb=2000,
        runtime=10,
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
        mem_mb=2000,
        runtime=10,
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
        mem_mb=2000,
        runtime=10,
    params:
        models=of_models("--model", ""),
        quantile=STUDY.clustering.quantile,
        example=optional("--example", STUDY.figures.example_fact),
    message:
        "Drawing figure persistence"
    shell:
        "python -m dkn figure-persistence --facts {input.facts} {params.models} --quantile {params.quantile}"
        " {params.example} --output {output.pdf} 2>&1 | tee {log}"


rule figures:
    input:
        rules.figure_degeneracy.output,
        rules.figure_groupings.output,
        rules.figure_persistence.output,
