# Experiments: records first, then their summary.


rule experiment_degeneracy:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        known=rules.known.output,
        neurons=rules.knowledge_neurons.output,
        components=rules.components.output,
        code=code("experiment-degeneracy"),
    output:
        f"{RESULTS}/{{model}}/experiments/degeneracy-{{grouping}}/records.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/degeneracy_{{grouping}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/degeneracy_{{grouping}}.tsv"
    conda:
        "../../envs/lm.yaml"
    threads: STUDY.compute.threads
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        max_subsets=STUDY.experiments.degeneracy.max_subsets,
        partitions=STUDY.experiments.degeneracy.partitions,
        seed=STUDY.seed,
        batch=STUDY.compute.batch,
        compute=compute,
    message:
        "Suppressing subsets of {wildcards.grouping} components in {wildcards.model}"
    shell:
        "python -m dkn experiment-degeneracy --model {input.model} --facts {input.facts} --known {input.known}"
        " --neurons {input.neurons} --components {input.components} --grouping {wildcards.grouping}"
        " --max-subsets {params.max_subsets} --partitions {params.partitions} --seed {params.seed}"
        " --batch {params.batch} --output {output} {params.compute} 2>&1 | tee {log}"


rule summary_degeneracy:
    input:
        known=rules.known.output,
        neurons=rules.knowledge_neurons.output,
        distances=rules.distances.output,
        components=rules.components.output,
        records=rules.experiment_degeneracy.output,
        code=code("summary-degeneracy"),
    output:
        f"{RESULTS}/{{model}}/experiments/degeneracy-{{grouping}}/summary.json",
    log:
        f"{RESULTS}/logs/{{model}}/summary_degeneracy_{{grouping}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/summary_degeneracy_{{grouping}}.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        resamples=STUDY.statistics.resamples,
        confidence=STUDY.statistics.confidence,
        seed=STUDY.seed,
    message:
        "Summarising degeneracy-{wildcards.grouping} of {wildcards.model}"
    shell:
        "python -m dkn summary-degeneracy --known {input.known} --neurons {input.neurons}"
        " --distances {input.distances} --components {input.components} --records {input.records}"
        " --model-name {wildcards.model} --experiment degeneracy-{wildcards.grouping}"
        " --resamples {params.resamples} --confidence {params.confidence} --seed {params.seed}"
        " --output {output} 2>&1 | tee {log}"


rule degeneracy:
    input:
        expand(f"{RESULTS}/{{model}}/experiments/degeneracy-ntc/summary.json", model=MODELS),
