# Experiments suppression and enhancement, of values and of weights: records first, then their summary.


rule experiment_perturbation:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        known=rules.known.output,
        neurons=rules.knowledge_neurons.output,
        components=f"{RESULTS}/{{model}}/components/ntc.parquet",
    output:
        f"{RESULTS}/{{model}}/experiments/{{setting}}-{{site}}/records.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/{{setting}}_{{site}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/{{setting}}_{{site}}.tsv"
    wildcard_constraints:
        setting="suppression|enhancement",
        site="|".join(SITES),
    conda:
        "../../envs/lm.yaml"
    threads: STUDY.compute.threads
    resources:
        **model_job(Work.PASSES, 240),
    params:
        code=code("experiment-perturbation"),
        released=lambda wildcards: released(f"experiment-{wildcards.setting}-{wildcards.site}"),
        random_sets=lambda wildcards: getattr(STUDY.experiments, wildcards.setting).random_sets,
        queries=STUDY.experiments.perturbation.queries,
        seed=STUDY.seed,
        batch=STUDY.compute.batch,
        compute=compute,
    message:
        "Running {wildcards.setting} of {wildcards.site} on original and perturbed queries of {wildcards.model}"
    shell:
        "python -m dkn experiment-perturbation --model {input.model:q} --facts {input.facts:q} --known {input.known:q}"
        " --neurons {input.neurons:q} --components {input.components:q} --setting {wildcards.setting:q}"
        " --site {wildcards.site:q} --random-sets {params.random_sets:q} --queries {params.queries:q}"
        " {params.released:q} --seed {params.seed:q} --batch {params.batch:q} --output {output:q} {params.compute:q} --gpus {resources.gpu:q} 2>&1 | tee -- {log:q}"


rule summary_perturbation:
    input:
        records=rules.experiment_perturbation.output,
        model=model_of_switches("summary-perturbation"),
    output:
        f"{RESULTS}/{{model}}/experiments/{{setting}}-{{site}}/summary.json",
    log:
        f"{RESULTS}/logs/{{model}}/summary_{{setting}}_{{site}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/summary_{{setting}}_{{site}}.tsv"
    wildcard_constraints:
        setting="suppression|enhancement",
        site="|".join(SITES),
    conda:
        "../../envs/analysis.yaml"
    resources:
        **ANALYSIS,
    params:
        code=code("summary-perturbation"),
        released=released("summary-perturbation"),
        gated=gated,
        statistics=STATISTICS,
    message:
        "Summarising {wildcards.setting}-{wildcards.site} of {wildcards.model}"
    shell:
        "python -m dkn summary-perturbation --records {input.records:q} --setting {wildcards.setting:q}"
        " --model-name {wildcards.model:q} --experiment {wildcards.setting:q}-{wildcards.site:q}"
        " --site {wildcards.site:q} {params.released:q} {params.gated:q} {params.statistics:q} --output {output:q} 2>&1 | tee -- {log:q}"


rule suppression:
    """Setting suppression: suppressed neurons on the query and on perturbed ones; claim C3"""
    input:
        expand(
            f"{RESULTS}/{{model}}/experiments/suppression-{{site}}/summary.json",
            model=MODELS,
            site=SITES,
        ),


rule enhancement:
    """Setting enhancement: enhanced neurons on perturbed queries; claim C4"""
    input:
        expand(
            f"{RESULTS}/{{model}}/experiments/enhancement-{{site}}/summary.json",
            model=MODELS,
            site=SITES,
        ),
