# Distances between knowledge neurons, their topology, and the components that pass the functional test.


rule distances:
    input:
        model=MODEL_FOLDER,
        neurons=rules.knowledge_neurons.output,
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
        **model_job(Work.PASSES, 60),
    params:
        code=code("distances"),
        released=released("distances"),
        max_span=optional("--max-span", STUDY.distances.max_span),
        fold_norm=["--fold-norm"] if STUDY.distances.fold_norm else [],
        compute=compute,
    message:
        "Measuring distances between the knowledge neurons of {wildcards.model}"
    shell:
        "python -m dkn distances --model {input.model:q} --neurons {input.neurons:q} {params.max_span:q}"
        " {params.fold_norm:q} {params.released:q} --output {output:q} {params.compute:q} --gpus {resources.gpu:q} 2>&1 | tee -- {log:q}"


rule candidates_ntc:
    input:
        neurons=rules.knowledge_neurons.output,
        distances=rules.distances.output,
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
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=code("candidates-ntc"),
        released=released("candidates-ntc"),
        clustering=CLUSTERING,
    message:
        "Clustering the knowledge neurons of {wildcards.model} by persistent homology"
    shell:
        "python -m dkn candidates-ntc --neurons {input.neurons:q} --distances {input.distances:q}"
        " {params.clustering:q} {params.released:q} --dimension 1 --output {output.candidates:q} --diagrams {output.diagrams:q}"
        " 2>&1 | tee -- {log:q}"


rule candidates_groupings:
    input:
        neurons=rules.knowledge_neurons.output,
        distances=rules.distances.output,
    output:
        of_groupings("candidates/GROUPING.parquet", CLUSTERINGS),
    log:
        f"{RESULTS}/logs/{{model}}/candidates_groupings.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/candidates_groupings.tsv"
    conda:
        "../../envs/topology.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=code("candidates-groupings"),
        released=released("candidates-groupings"),
        methods=repeated("--method", CLUSTERINGS),
        output=lambda wildcards, output: repeated("--output", output),
        min_size=STUDY.clustering.min_size,
        dbscan=STUDY.groupings.dbscan.min_samples,
        hdbscan=STUDY.groupings.hdbscan.min_samples,
        max_groups=STUDY.groupings.max_groups,
        variance=STUDY.groupings.kmeans.variance,
        restarts=STUDY.groupings.kmeans.restarts,
        seed=STUDY.seed,
    message:
        "Clustering the knowledge neurons of {wildcards.model} by other algorithms"
    shell:
        "python -m dkn candidates-groupings --neurons {input.neurons:q} --distances {input.distances:q}"
        " {params.methods:q} {params.output:q} --min-size {params.min_size:q} --dbscan-min-samples {params.dbscan:q}"
        " --hdbscan-min-samples {params.hdbscan:q} --max-groups {params.max_groups:q} --variance {params.variance:q}"
        " --restarts {params.restarts:q} {params.released:q} --seed {params.seed:q} 2>&1 | tee -- {log:q}"


rule candidates_amig:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        known=rules.known.output,
        neurons=rules.knowledge_neurons.output,
    output:
        f"{RESULTS}/{{model}}/candidates/amig.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/candidates_amig.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/candidates_amig.tsv"
    conda:
        "../../envs/lm.yaml"
    threads: STUDY.compute.threads
    resources:
        **model_job(Work.PASSES, 120),
    params:
        code=code("candidates-amig"),
        released=released("candidates-amig"),
        tried=STUDY.groupings.amig.neurons,
        matters=STUDY.groupings.amig.matters,
        batch=STUDY.compute.batch,
        compute=compute,
    message:
        "Trying pairs of knowledge neurons of {wildcards.model}"
    shell:
        "python -m dkn candidates-amig --model {input.model:q} --facts {input.facts:q} --known {input.known:q}"
        " --neurons {input.neurons:q} --tried {params.tried:q} --matters {params.matters:q} --batch {params.batch:q}"
        " {params.released:q}"
        " --output {output:q} {params.compute:q} --gpus {resources.gpu:q} 2>&1 | tee -- {log:q}"


rule candidates_random:
    input:
        neurons=rules.knowledge_neurons.output,
        candidates=rules.candidates_ntc.output.candidates,
    output:
        of_groupings("candidates/GROUPING.parquet", TESTED_CONTROLS),
    log:
        f"{RESULTS}/logs/{{model}}/candidates_random.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/candidates_random.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        **ANALYSIS,
    params:
        code=code("candidates-random"),
        controls=repeated("--control", TESTED_CONTROLS),
        output=lambda wildcards, output: repeated("--output", output),
        repeats=STUDY.groupings.random.repeats,
        seed=STUDY.seed,
    message:
        "Drawing the groups of NTC's tested controls in {wildcards.model}"
    shell:
        "python -m dkn candidates-random --neurons {input.neurons:q} --candidates {input.candidates:q}"
        " {params.controls:q} {params.output:q} --repeats {params.repeats:q} --seed {params.seed:q} 2>&1 | tee -- {log:q}"


# NTC's components, which all experiments need, and those of the groupings that they are compared with, in jobs of their
# own: a figure of NTC alone waits for no other grouping.
rule components:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        known=rules.known.output,
        neurons=rules.knowledge_neurons.output,
        candidates=of_groupings("candidates/GROUPING.parquet", [NTC]),
    output:
        of_groupings("components/GROUPING.parquet", [NTC]),
    log:
        f"{RESULTS}/logs/{{model}}/components.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/components.tsv"
    conda:
        "../../envs/lm.yaml"
    threads: STUDY.compute.threads
    resources:
        **model_job(Work.PASSES, 120),
    params:
        code=code("components"),
        released=released("components"),
        test=STUDY.functional_test.test,
        tau2=STUDY.functional_test.tau2,
        candidates=lambda wildcards, input: repeated("--candidates", input.candidates),
        output=lambda wildcards, output: repeated("--output", output),
        batch=STUDY.compute.batch,
        compute=compute,
    message:
        "Testing which components of {wildcards.model} can express their fact"
    shell:
        "python -m dkn components --model {input.model:q} --facts {input.facts:q} --known {input.known:q}"
        " --neurons {input.neurons:q} {params.candidates:q} {params.output:q} --test {params.test:q} --tau2 {params.tau2:q}"
        " {params.released:q} --batch {params.batch:q} {params.compute:q} --gpus {resources.gpu:q} 2>&1 | tee -- {log:q}"


use rule components as components_of_others with:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        known=rules.known.output,
        neurons=rules.knowledge_neurons.output,
        candidates=of_groupings("candidates/GROUPING.parquet", OTHER_GROUPINGS),
    output:
        of_groupings("components/GROUPING.parquet", OTHER_GROUPINGS),
    log:
        f"{RESULTS}/logs/{{model}}/components_of_others.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/components_of_others.tsv"
    message:
        "Testing the components of other groupings of {wildcards.model}"
