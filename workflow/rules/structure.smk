# Distances between knowledge neurons, their topology, and the components that pass the functional test.


rule distances:
    input:
        model=MODEL_FOLDER,
        neurons=rules.knowledge_neurons.output,
        code=code("distances"),
    output:
        f"{RESULTS}/{{model}}/distances.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/distances.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/distances.tsv"
    conda:
        "../../envs/lm.yaml"
    threads: STUDY.compute.threads
    resources:
        mem_mb=6000,
        runtime=60,
    params:
        max_span=optional("--max-span", STUDY.distances.max_span),
        fold_norm="--fold-norm" if STUDY.distances.fold_norm else "",
        compute=compute,
    message:
        "Measuring distances between the knowledge neurons of {wildcards.model}"
    shell:
        "python -m dkn distances --model {input.model} --neurons {input.neurons} {params.max_span}"
        " {params.fold_norm} --output {output} {params.compute} 2>&1 | tee {log}"


rule candidates_ntc:
    input:
        neurons=rules.knowledge_neurons.output,
        distances=rules.distances.output,
        code=code("candidates"),
    output:
        candidates=f"{RESULTS}/{{model}}/candidates/ntc.parquet",
        diagrams=f"{RESULTS}/{{model}}/diagrams.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/candidates_ntc.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/candidates_ntc.tsv"
    conda:
        "../../envs/topology.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        persistence=STUDY.clustering.persistence,
        tau1=getattr(STUDY.clustering.tau1, "quantile", STUDY.clustering.tau1),
        tau1_is_quantile="--tau1-is-quantile" if hasattr(STUDY.clustering.tau1, "quantile") else "",
        quantile=STUDY.clustering.quantile,
        min_size=STUDY.clustering.min_size,
    message:
        "Clustering the knowledge neurons of {wildcards.model} by persistent homology"
    shell:
        "python -m dkn candidates --neurons {input.neurons} --distances {input.distances}"
        " --persistence {params.persistence} --tau1 {params.tau1} {params.tau1_is_quantile} --quantile {params.quantile}"
        " --min-size {params.min_size} --dimension 1 --output {output.candidates} --diagrams {output.diagrams}"
        " 2>&1 | tee {log}"


rule components:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        known=rules.known.output,
        neurons=rules.knowledge_neurons.output,
        candidates=f"{RESULTS}/{{model}}/candidates/{{grouping}}.parquet",
        code=code("components"),
    output:
        f"{RESULTS}/{{model}}/components/{{grouping}}.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/components_{{grouping}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/components_{{grouping}}.tsv"
    conda:
        "../../envs/lm.yaml"
    threads: STUDY.compute.threads
    resources:
        mem_mb=6000,
        runtime=120,
    params:
        test=STUDY.functional_test.test,
        tau2=STUDY.functional_test.tau2,
        batch=STUDY.compute.batch,
        compute=compute,
    message:
        "Testing which {wildcards.grouping} components of {wildcards.model} can express their fact"
    shell:
        "python -m dkn components --model {input.model} --facts {input.facts} --known {input.known}"
        " --neurons {input.neurons} --candidates {input.candidates} --test {params.test} --tau2 {params.tau2}"
        " --batch {params.batch} --output {output} {params.compute} 2>&1 | tee {log}"
