# The neuron explorer: one self-contained HTML page per model, from stored records only.

EXPLORER = [WORKFLOW / "dkn" / "pages" / f"explorer.{kind}" for kind in ("html", "css", "js")]


rule make_explorer:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        known=rules.known.output,
        neurons=rules.knowledge_neurons.output,
        distances=rules.distances.output,
        diagrams=rules.candidates_ntc.output.diagrams,
        components=f"{RESULTS}/{{model}}/components/ntc.parquet",
        records=f"{RESULTS}/{{model}}/experiments/degeneracy-ntc/records.parquet",
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
        code=code("explorer", *EXPLORER),
        released=released("explorer"),
        template=of_checkout("--template", EXPLORER[:1]),
        folder=lambda wildcards, output: Path(output[0]).parent,
        clustering=CLUSTERING,
        test=STUDY.functional_test.test,
        tau2=STUDY.functional_test.tau2,
        sample=optional("--sample", STUDY.explorer.facts),
        seed=STUDY.seed,
    message:
        "Making the neuron explorer of {wildcards.model}"
    shell:
        "python -m dkn explorer --model {params.folder:q} --facts {input.facts:q} {params.template:q}"
        " {params.clustering:q} --test {params.test:q} --tau2 {params.tau2:q}"
        " {params.sample:q} {params.released:q} --seed {params.seed:q} --output {output:q} 2>&1 | tee -- {log:q}"


rule explorer:
    """Every model's page of neurons, one fact at a time"""
    input:
        expand(rules.make_explorer.output, model=MODELS),
