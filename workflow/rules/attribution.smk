# Integrated gradients in shards of facts, and the knowledge neurons they give.


rule attribution:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        known=rules.known.output,
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
        **model_job(Work.BRANCHES, 240),
    params:
        code=code("attribution"),
        released=released("attribution"),
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
        "python -m dkn attribution --model {input.model:q} --facts {input.facts:q} --known {input.known:q}"
        " --shard {wildcards.scatteritem:q} --which {params.which:q} --baseline {params.baseline:q}"
        " --quadrature {params.quadrature:q} --nodes {params.nodes:q} --tolerance {params.tolerance:q}"
        " --max-nodes {params.max_nodes:q} --floor {params.floor:q} --batch {params.batch:q} {params.released:q}"
        " --output {output.scores:q} --completeness {output.completeness:q} {params.compute:q} --gpus {resources.gpu:q} 2>&1 | tee -- {log:q}"


rule knowledge_neurons:
    input:
        scores=gather.facts(f"{RESULTS}/{{{{model}}}}/attribution/{{scatteritem}}.parquet"),
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
        code=code("knowledge-neurons"),
        scores=lambda wildcards, input: repeated("--scores", input.scores),
        fraction=STUDY.knowledge_neurons.fraction,
        cap=optional("--cap", STUDY.knowledge_neurons.cap),
    message:
        "Selecting the knowledge neurons of {wildcards.model}"
    shell:
        "python -m dkn knowledge-neurons {params.scores:q} --fraction {params.fraction:q} {params.cap:q}"
        " --output {output:q} 2>&1 | tee -- {log:q}"
