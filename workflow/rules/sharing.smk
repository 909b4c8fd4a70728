# Experiment sharing: do a fact's components take part in other facts? Records first, then their summary.
OF_SHARING = f"{RESULTS}/{{model}}/experiments/sharing"


rule experiment_sharing:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        known=rules.known.output,
        neurons=rules.knowledge_neurons.output,
        components=f"{RESULTS}/{{model}}/components/ntc.parquet",
    output:
        records=f"{OF_SHARING}/records.parquet",
        members=f"{OF_SHARING}/members.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/sharing.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/sharing.tsv"
    conda:
        "../../envs/lm.yaml"
    threads: STUDY.compute.threads
    resources:
        **model_job(Work.PASSES, 60),
    params:
        code=code("experiment-sharing"),
        limit=optional("--limit", STUDY.experiments.sharing.facts),
        others=STUDY.experiments.sharing.others,
        draws=STUDY.experiments.sharing.draws,
        seed=STUDY.seed,
        batch=STUDY.compute.batch,
        compute=compute,
    message:
        "Suppressing components of {wildcards.model} and asking for other facts"
    shell:
        "python -m dkn experiment-sharing --model {input.model:q} --facts {input.facts:q} --known {input.known:q}"
        " --neurons {input.neurons:q} --components {input.components:q} {params.limit:q} --others {params.others:q}"
        " --draws {params.draws:q} --seed {params.seed:q} --batch {params.batch:q} --output {output.records:q}"
        " --members {output.members:q} {params.compute:q} --gpus {resources.gpu:q} 2>&1 | tee -- {log:q}"


rule summary_sharing:
    input:
        records=rules.experiment_sharing.output.records,
        members=rules.experiment_sharing.output.members,
    output:
        f"{OF_SHARING}/summary.json",
    log:
        f"{RESULTS}/logs/{{model}}/summary_sharing.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/summary_sharing.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        **ANALYSIS,
    params:
        code=code("summary-sharing"),
        statistics=STATISTICS,
    message:
        "Summarising sharing of {wildcards.model}"
    shell:
        "python -m dkn summary-sharing --records {input.records:q} --members {input.members:q}"
        " --model-name {wildcards.model:q} --experiment sharing {params.statistics:q} --output {output:q}"
        " 2>&1 | tee -- {log:q}"


rule sharing:
    """A control: what suppressing a fact's components does to other facts"""
    input:
        expand(rules.summary_sharing.output, model=MODELS),
