# Experiment fact-checking: neurons, words and probabilities that tell true statements from false ones.
FACT_CHECKING = f"{RESULTS}/{{model}}/experiments/fact-checking-"


rule experiment_fact_checking:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        known=rules.known.output,
        neurons=rules.knowledge_neurons.output,
        components=f"{RESULTS}/{{model}}/components/ntc.parquet",
    output:
        dkn=f"{FACT_CHECKING}dkn/records.parquet",
        kn=f"{FACT_CHECKING}kn/records.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/fact_checking.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/fact_checking.tsv"
    conda:
        "../../envs/lm.yaml"
    threads: STUDY.compute.threads
    resources:
        **model_job(Work.BRANCHES, 240),
    params:
        code=code("experiment-fact-checking"),
        released=released("experiment-fact-checking"),
        limit=optional("--limit", STUDY.experiments.fact_checking.facts),
        complex_limit=optional("--complex-limit", STUDY.experiments.fact_checking.complex_facts),
        relation_neurons=STUDY.experiments.fact_checking.relation_neurons,
        random_sets=STUDY.experiments.fact_checking.random_sets,
        seed=STUDY.seed,
        batch=STUDY.compute.batch,
        compute=compute,
    message:
        "Attributing true and false statements of {wildcards.model}"
    shell:
        "python -m dkn experiment-fact-checking --model {input.model:q} --facts {input.facts:q} --known {input.known:q}"
        " --neurons {input.neurons:q} --components {input.components:q} --relation-neurons {params.relation_neurons:q}"
        " --random-sets {params.random_sets:q} {params.limit:q} {params.complex_limit:q} --seed {params.seed:q}"
        " --batch {params.batch:q} {params.released:q} --output {output.dkn:q}"
        " --kn-output {output.kn:q} {params.compute:q} --gpus {resources.gpu:q} 2>&1 | tee -- {log:q}"


rule experiment_fact_checking_plm:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        known=rules.known.output,
        neurons=rules.knowledge_neurons.output,
    output:
        f"{FACT_CHECKING}plm/records.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/fact_checking_plm.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/fact_checking_plm.tsv"
    conda:
        "../../envs/lm.yaml"
    threads: STUDY.compute.threads
    resources:
        **model_job(Work.PASSES, 120),
    params:
        code=code("experiment-fact-checking-plm"),
        released=released("experiment-fact-checking-plm"),
        limit=optional("--limit", STUDY.experiments.fact_checking.facts),
        complex_limit=optional("--complex-limit", STUDY.experiments.fact_checking.complex_facts),
        shots=STUDY.experiments.fact_checking.shots,
        seed=STUDY.seed,
        batch=STUDY.compute.batch,
        compute=compute,
    message:
        "Asking {wildcards.model} whether statements are true"
    shell:
        "python -m dkn experiment-fact-checking-plm --model {input.model:q} --facts {input.facts:q} --known {input.known:q}"
        " --neurons {input.neurons:q} --shots {params.shots:q} {params.limit:q} {params.complex_limit:q} --seed {params.seed:q}"
        " --batch {params.batch:q} {params.released:q} --output {output:q} {params.compute:q} --gpus {resources.gpu:q} 2>&1 | tee -- {log:q}"


rule summary_fact_checking:
    input:
        records=[
            *rules.experiment_fact_checking.output,
            *rules.experiment_fact_checking_plm.output,
        ],
    output:
        f"{FACT_CHECKING}{{detector}}/summary.json",
    log:
        f"{RESULTS}/logs/{{model}}/summary_fact_checking_{{detector}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/summary_fact_checking_{{detector}}.tsv"
    wildcard_constraints:
        detector="|".join(DETECTORS),
    conda:
        "../../envs/analysis.yaml"
    resources:
        **ANALYSIS,
    params:
        code=code("summary-fact-checking"),
        released=released("summary-fact-checking"),
        records=lambda wildcards, input: repeated("--records", input.records),
        statistics=STATISTICS,
    message:
        "Summarising fact-checking-{wildcards.detector} of {wildcards.model}"
    shell:
        "python -m dkn summary-fact-checking {params.records:q} --detector {wildcards.detector:q}"
        " --model-name {wildcards.model:q} --experiment fact-checking-{wildcards.detector:q}"
        " {params.released:q} {params.statistics:q} --output {output:q} 2>&1 | tee -- {log:q}"


rule fact_checking:
    """Setting fact-checking: true statements told from false ones; claim C5"""
    input:
        expand(f"{FACT_CHECKING}{{detector}}/summary.json", model=MODELS, detector=DETECTORS),
