# Integrated gradients in shards of facts, and the knowledge neurons they give.


rule attribution:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        known=rules.known.output,
        code=code("attribution"),
    output:
        scores=f"{RESULTS}/{{model}}/attribution/{{scatteritem}}.parquet",
        completeness=f"{RESULTS}/{{model}}/attribution/{{scatteritem}}.completeness.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/attribution/{{scatteritem}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/attribution/{{scatteritem}}.tsv"
    conda:
        "../../envs/lm.yaml"
    threads: STUDY.compute.threads
    resources:
        **model_job(8000, 240),
    params:
        which=STUDY.attribution.facts,
        baseline=STUDY.attribution.baseline,
        quadrature=STUDY.attribution.quadrature,
        nodes=STUDY.attribution.nodes,
        tolerance=STUDY.attribution.tolerance,
        max_nodes=STUDY.attribution.max_nodes,
        floor=STUDY.attribution.floor,
        batch=STUDY.compute.batch,
        compute=compute,
    message:
        "Attributing facts of {wildcards.model}, shard {wildcards.scatteritem}"
    shell:
        "python -m dkn attribution --model {input.model} --facts {input.facts} --known {input.known}"
        " --shard {wildcards.scatteritem} --which {params.which} --baseline {params.baseline}"
        " --quadrature {params.quadrature} --nodes {params.nodes} --tolerance {params.tolerance}"
        " --max-nodes {params.max_nodes} --floor {params.floor} --batch {params.batch}"
        " --output {output.scores} --completeness {output.completeness} {params.compute} --gpus {resources.gpu} 2>&1 | tee {log}"


rule knowledge_neurons:
    input:
        scores=gather.facts(f"{RESULTS}/{{{{model}}}}/attribution/{{scatteritem}}.parquet"),
        code=code("knowledge-neurons"),
    output:
        f"{RESULTS}/{{model}}/knowledge_neurons.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/knowledge_neurons.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/knowledge_neurons.tsv"
    conda:
        "../../envs/lm.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(20),
    params:
        scores=lambda wildcards, input: " ".join(f"--scores {path}" for path in input.scores),
        fraction=STUDY.knowledge_neurons.fraction,
        cap=optional("--cap", STUDY.knowledge_neurons.cap),
    message:
        "Selecting the knowledge neurons of {wildcards.model}"
    shell:
        "python -m dkn knowledge-neurons {params.scores} --fraction {params.fraction} {params.cap}"
        " --output {output} 2>&1 | tee {log}"
