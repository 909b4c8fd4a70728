# Experiment ablation, a control beyond the paper's experiments: records first, then their summary.
ABLATION = f"{RESULTS}/{{model}}/experiments/ablation"


rule experiment_ablation:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        known=rules.known.output,
        scores=rules.knowledge_neurons.input.scores,
        neurons=rules.knowledge_neurons.output,
    output:
        f"{ABLATION}/records.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/ablation.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/ablation.tsv"
    conda:
        "../../envs/lm.yaml"
    threads: STUDY.compute.threads
    resources:
        **model_job(Work.PASSES, 240),
    params:
        code=code("experiment-ablation"),
        scores=lambda wildcards, input: repeated("--scores", input.scores),
        draws=STUDY.experiments.ablation.draws,
        limit=optional("--limit", STUDY.experiments.ablation.facts),
        seed=STUDY.seed,
        batch=STUDY.compute.batch,
        compute=compute,
    message:
        "Suppressing more and more neurons of {wildcards.model}, in several orders"
    shell:
        "python -m dkn experiment-ablation --model {input.model:q} --facts {input.facts:q} --known {input.known:q}"
        " {params.scores:q} --neurons {input.neurons:q} --draws {params.draws:q} {params.limit:q} --seed {params.seed:q}"
        " --batch {params.batch:q} --output {output:q} {params.compute:q} --gpus {resources.gpu:q} 2>&1 | tee -- {log:q}"


rule summary_ablation:
    input:
        records=rules.experiment_ablation.output,
    output:
        f"{ABLATION}/summary.json",
    log:
        f"{RESULTS}/logs/{{model}}/summary_ablation.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/summary_ablation.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        **ANALYSIS,
    params:
        code=code("summary-ablation"),
        statistics=STATISTICS,
    message:
        "Summarising ablation of {wildcards.model}"
    shell:
        "python -m dkn summary-ablation --records {input.records:q} --model-name {wildcards.model:q}"
        " --experiment ablation {params.statistics:q} --output {output:q} 2>&1 | tee -- {log:q}"


rule ablation:
    """A control: what is left of a fact without more and more of its knowledge neurons"""
    input:
        expand(f"{ABLATION}/summary.json", model=MODELS),
