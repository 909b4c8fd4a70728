# Experiments: records first, then their summary.


rule experiment_degeneracy:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        known=rules.known.output,
        neurons=rules.knowledge_neurons.output,
        components=of_groupings("components/GROUPING.parquet"),
    output:
        of_groupings("experiments/degeneracy-GROUPING/records.parquet"),
    log:
        f"{RESULTS}/logs/{{model}}/degeneracy.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/degeneracy.tsv"
    conda:
        "../../envs/lm.yaml"
    threads: STUDY.compute.threads
    resources:
        **model_job(Work.PASSES, 240),
    params:
        code=code("experiment-degeneracy"),
        released=released("experiment-degeneracy"),
        groupings=repeated("--grouping", GROUPINGS),
        components=lambda wildcards, input: repeated("--components", input.components),
        output=lambda wildcards, output: repeated("--output", output),
        max_subsets=STUDY.experiments.degeneracy.max_subsets,
        partitions=STUDY.experiments.degeneracy.partitions,
        seed=STUDY.seed,
        batch=STUDY.compute.batch,
        compute=compute,
    message:
        "Suppressing subsets of components in {wildcards.model}"
    shell:
        "python -m dkn experiment-degeneracy --model {input.model:q} --facts {input.facts:q} --known {input.known:q}"
        " --neurons {input.neurons:q} {params.groupings:q} {params.components:q} {params.output:q}"
        " --max-subsets {params.max_subsets:q} --partitions {params.partitions:q} --seed {params.seed:q}"
        " {params.released:q} --batch {params.batch:q} {params.compute:q} --gpus {resources.gpu:q} 2>&1 | tee -- {log:q}"


rule summary_degeneracy:
    input:
        facts=rules.make_facts.output,
        known=rules.known.output,
        completeness=gather.facts(f"{RESULTS}/{{{{model}}}}/attribution/{{scatteritem}}.completeness.parquet"),
        neurons=rules.knowledge_neurons.output,
        distances=rules.distances.output,
        components=of_groupings("components/GROUPING.parquet"),
        records=rules.experiment_degeneracy.output,
    output:
        summaries=of_groupings("experiments/degeneracy-GROUPING/summary.json"),
        comparison=f"{RESULTS}/{{model}}/experiments/degeneracy/comparison.json",
    log:
        f"{RESULTS}/logs/{{model}}/summary_degeneracy.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/summary_degeneracy.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        **ANALYSIS,
    params:
        code=code("summary-degeneracy"),
        released=released("summary-degeneracy"),
        completeness=lambda wildcards, input: repeated("--completeness", input.completeness),
        groupings=repeated("--grouping", GROUPINGS),
        components=lambda wildcards, input: repeated("--components", input.components),
        records=lambda wildcards, input: repeated("--records", input.records),
        output=lambda wildcards, output: repeated("--output", output.summaries),
        statistics=STATISTICS,
    message:
        "Summarising degeneracy of {wildcards.model}"
    shell:
        "python -m dkn summary-degeneracy --facts {input.facts:q} --known {input.known:q} {params.completeness:q}"
        " --neurons {input.neurons:q} --distances {input.distances:q} {params.groupings:q} {params.components:q} {params.records:q} {params.output:q}"
        " --comparison {output.comparison:q} --model-name {wildcards.model:q} {params.released:q} {params.statistics:q} 2>&1 | tee -- {log:q}"


rule degeneracy:
    """Setting degeneracy: suppressing some or all components of a fact; claims C1, C2"""
    input:
        expand(rules.summary_degeneracy.output, model=MODELS),
