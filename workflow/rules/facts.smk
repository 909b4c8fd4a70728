# All facts of the study, validated, with their wordings and splits. `downloads` outlives reruns: it is no output.
BUNDLED = [Path(path) for path in bundled_templates(STUDY, RESOURCES)]
BUNDLED += [RESOURCES / f"{source.bundled}.jsonl" for source in STUDY.facts.sources if isinstance(source, BundledFacts)]


# Short, or a download: on a cluster it runs where Snakemake runs, since nodes often have no network.
rule make_facts:
    """The file of `facts`"""
    input:
        sources=[source.path for source in STUDY.facts.sources if isinstance(source, PathFacts)],
        templates=STUDY.facts.templates,
    output:
        f"{RESULTS}/facts/facts.parquet",
    log:
        f"{RESULTS}/logs/facts.log",
    benchmark:
        f"{RESULTS}/benchmarks/facts.tsv"
    localrule: True
    conda:
        "../../envs/lm.yaml"
    resources:
        **ANALYSIS,
    params:
        code=code("facts", *BUNDLED),
        stated=verbatim(config["facts"]),
        sources=of_checkout("--source", FACTS_SOURCES),
        templates=of_checkout("--templates", TEMPLATES),
        seed=STUDY.seed,
        most=optional("--most", STUDY.facts.most),
        downloads=f"{RESULTS}/facts/downloads.json",
    message:
        "Reading and validating the facts"
    shell:
        "python -m dkn facts {params.sources:q} {params.templates:q} --seed {params.seed:q} {params.most:q} --output {output:q}"
        " --downloads {params.downloads:q} 2>&1 | tee -- {log:q}"
