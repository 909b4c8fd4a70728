# The neuron explorer: one self-contained HTML page per model, from stored records only.


rule make_explorer:
    input:
        multiext(str(WORKFLOW / "dkn" / "pages" / "explorer"), html=".html", css=".css", js=".js"),
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        known=rules.known.output,
        neurons=rules.knowledge_neurons.output,
        distances=rules.distances.output,
        diagrams=rules.candidates_ntc.output.diagrams,
        components=f"{RESULTS}/{{model}}/components/ntc.parquet",
        records=f"{RESULTS}/{{model}}/experiments/degeneracy-ntc/records.parquet",
        code=code("explorer"),
    output:
        f"{RESULTS}/{{model}}/explorer.html",
    log:
        f"{RESULTS}/logs/{{model}}/explorer.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/explorer.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        folder=lambda wildcards, output: Path(output[0]).parent,
        persistence=STUDY.clustering.persistence,
        tau1=getattr(STUDY.clustering.tau1, "quantile", STUDY.clustering.tau1),
        tau1_is_quantile="--tau1-is-quantile" if hasattr(STUDY.clustering.tau1, "quantile") else "",
        quantile=STUDY.clustering.quantile,
        min_size=STUDY.clustering.min_size,
        test=STUDY.functional_test.test,
        tau2=STUDY.functional_test.tau2,
        sample=optional("--sample", STUDY.explorer.facts),
        seed=STUDY.seed,
    message:
        "Making the neuron explorer of {wildcards.model}"
    shell:
        "python -m dkn explorer --model {params.folder} --facts {input.facts} --template {input.html}"
        " --persistence {params.persistence} --tau1 {params.tau1} {params.tau1_is_quantile}"
        " --quantile {params.quantile} --min-size {params.min_size} --test {params.test} --tau2 {params.tau2}"
        " {params.sample} --seed {params.seed} --output {output} 2>&1 | tee {log}"


rule explorer:
    input:
        expand(rules.make_explorer.output, model=MODELS),
