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
        **ANALYSIS,
    params:
        folder=lambda wildcards, output: Path(output[0]).parent,
        clustering=CLUSTERING,
        test=STUDY.functional_test.test,
        tau2=STUDY.functional_test.tau2,
        sample=optional("--sample", STUDY.explorer.facts),
        seed=STUDY.seed,
    message:
        "Making the neuron explorer of {wildcards.model}"
    shell:
        "python -m dkn explorer --model {params.folder} --facts {input.facts} --template {input.html}"
        " {params.clustering} --test {params.test} --tau2 {params.tau2}"
        " {params.sample} --seed {params.seed} --output {output} 2>&1 | tee {log}"


rule explorer:
    input:
        expand(rules.make_explorer.output, model=MODELS),
