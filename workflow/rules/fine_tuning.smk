# Fine-tuning of some neurons or of all parameters, and where the latter changes the model.
FINE_TUNING = f"{RESULTS}/{{model}}/experiments/fine-tuning-{{subset}}"
FULL_TUNING = f"{RESULTS}/{{model}}/experiments/fine-tuning-all"
OVERLAP = f"{RESULTS}/{{model}}/experiments/overlap-fine-tuning"


rule experiment_fine_tuning:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        known=rules.known.output,
        neurons=rules.knowledge_neurons.output,
        components=f"{RESULTS}/{{model}}/components/ntc.parquet",
    output:
        records=f"{FINE_TUNING}/records.parquet",
        changes=f"{FINE_TUNING}/changes.parquet",
        training=f"{FINE_TUNING}/training.json",
    log:
        f"{RESULTS}/logs/{{model}}/fine_tuning_{{subset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/fine_tuning_{{subset}}.tsv"
    wildcard_constraints:
        subset="|".join(TUNED_SETS),
    conda:
        "../../envs/lm.yaml"
    threads: STUDY.compute.threads
    resources:
        **model_job(Work.TUNING, 240),
    params:
        code=code("experiment-fine-tuning"),
        released=released("experiment-fine-tuning"),
        new_facts=STUDY.experiments.fine_tuning.new_facts,
        old_facts=STUDY.experiments.fine_tuning.old_facts,
        development=STUDY.experiments.fine_tuning.development,
        minimum=STUDY.experiments.fine_tuning.minimum,
        epochs=STUDY.experiments.fine_tuning.epochs,
        ask_every=STUDY.experiments.fine_tuning.ask_every,
        batch=STUDY.experiments.fine_tuning.batch,
        draws=STUDY.experiments.fine_tuning.draws,
        trainings=STUDY.experiments.fine_tuning.trainings,
        extensions=STUDY.experiments.fine_tuning.extensions,
        rates=repeated("--rate", STUDY.experiments.fine_tuning.learning_rates),
        seed=STUDY.seed,
        compute=compute,
    message:
        "Teaching new facts to {wildcards.model}, subset {wildcards.subset}"
    shell:
        "python -m dkn experiment-fine-tuning --model {input.model:q} --facts {input.facts:q} --known {input.known:q}"
        " --neurons {input.neurons:q} --components {input.components:q} --subset {wildcards.subset:q}"
        " --new-facts {params.new_facts:q} --old-facts {params.old_facts:q} --development {params.development:q}"
        " --minimum {params.minimum:q} --epochs {params.epochs:q} --ask-every {params.ask_every:q}"
        " --batch {params.batch:q} --draws {params.draws:q} --trainings {params.trainings:q} {params.rates:q}"
        " --extensions {params.extensions:q} {params.released:q}"
        " --seed {params.seed:q} --output {output.records:q} --changes {output.changes:q} --training {output.training:q}"
        " {params.compute:q} --gpus {resources.gpu:q} 2>&1 | tee -- {log:q}"


rule summary_fine_tuning:
    input:
        records=f"{FINE_TUNING}/records.parquet",
        others=lambda wildcards: [
            f"{RESULTS}/{wildcards.model}/experiments/fine-tuning-{other}/records.parquet"
            for other in TUNED_SETS
            if other != wildcards.subset
        ],
        training=f"{FINE_TUNING}/training.json",
        model=model_of_switches("summary-fine-tuning"),
    output:
        f"{FINE_TUNING}/summary.json",
    log:
        f"{RESULTS}/logs/{{model}}/summary_fine_tuning_{{subset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/summary_fine_tuning_{{subset}}.tsv"
    wildcard_constraints:
        subset="|".join(TUNED_SETS),
    conda:
        "../../envs/analysis.yaml"
    resources:
        **ANALYSIS,
    params:
        code=code("summary-fine-tuning"),
        released=released("summary-fine-tuning"),
        gated=gated,
        others=lambda wildcards, input: repeated("--others", input.others),
        statistics=STATISTICS,
    message:
        "Summarising fine-tuning-{wildcards.subset} of {wildcards.model}"
    shell:
        "python -m dkn summary-fine-tuning --records {input.records:q} {params.others:q} --training {input.training:q}"
        " --model-name {wildcards.model:q} --experiment fine-tuning-{wildcards.subset:q}"
        " {params.released:q} {params.gated:q} {params.statistics:q} --output {output:q} 2>&1 | tee -- {log:q}"


rule experiment_overlap:
    input:
        changes=f"{FULL_TUNING}/changes.parquet",
        learnt=f"{FULL_TUNING}/records.parquet",
        neurons=rules.knowledge_neurons.output,
        components=f"{RESULTS}/{{model}}/components/ntc.parquet",
    output:
        records=f"{OVERLAP}/records.parquet",
        curves=f"{OVERLAP}/curves.parquet",
        members=f"{OVERLAP}/members.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/overlap.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/overlap.tsv"
    conda:
        "../../envs/lm.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        code=code("experiment-overlap"),
        draws=STUDY.experiments.overlap.draws,
        seed=STUDY.seed,
    message:
        "Comparing what full fine-tuning changes in {wildcards.model} with what carries the facts"
    shell:
        "python -m dkn experiment-overlap --changes {input.changes:q} --learnt {input.learnt:q}"
        " --neurons {input.neurons:q} --components {input.components:q} --draws {params.draws:q} --seed {params.seed:q}"
        " --output {output.records:q} --curves {output.curves:q} --members {output.members:q} 2>&1 | tee -- {log:q}"


rule summary_overlap:
    input:
        records=rules.experiment_overlap.output.records,
        curves=rules.experiment_overlap.output.curves,
        training=f"{FULL_TUNING}/training.json",
    output:
        f"{OVERLAP}/summary.json",
    log:
        f"{RESULTS}/logs/{{model}}/summary_overlap.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/summary_overlap.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        **ANALYSIS,
    params:
        code=code("summary-overlap"),
        statistics=STATISTICS,
    message:
        "Summarising overlap-fine-tuning of {wildcards.model}"
    shell:
        "python -m dkn summary-overlap --records {input.records:q} --curves {input.curves:q} --training {input.training:q}"
        " --model-name {wildcards.model:q} --experiment overlap-fine-tuning"
        " {params.statistics:q} --output {output:q} 2>&1 | tee -- {log:q}"


rule fine_tuning:
    """Setting fine-tuning: new facts learnt by training some neurons only; claim C7"""
    input:
        expand(f"{FINE_TUNING}/summary.json", model=MODELS, subset=TUNED_SETS),


rule overlap:
    """Setting overlap: degenerate neurons among those that full fine-tuning changes; claim C6"""
    input:
        expand(f"{OVERLAP}/summary.json", model=MODELS),
