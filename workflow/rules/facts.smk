# All facts of the study, validated, with their wordings and splits. `downloads` outlives reruns: it is no output.


rule make_facts:
    input:
        sources=[source for source in FACTS_SOURCES if "#" not in source and "://" not in source],
        templates=TEMPLATES,
        code=code("facts"),
    output:
        f"{RESULTS}/facts/facts.parquet",
    log:
        f"{RESULTS}/logs/facts.log",
    benchmark:
        f"{RESULTS}/benchmarks/facts.tsv"
    conda:
        "../../envs/lm.yaml"
    resources:
        **ANALYSIS,
    params:
        sources=" ".join(f"--source '{source}'" for source in FACTS_SOURCES),
        templates=" ".join(f"--templates '{path}'" for path in TEMPLATES),
        seed=STUDY.seed,
        downloads=f"{RESULTS}/facts/downloads.json",
    message:
        "Reading and validating the facts"
    shell:
        "python -m dkn facts {params.sources} {params.templates} --seed {params.seed} --output {output}"
        " --downloads {params.downloads} 2>&1 | tee {log}"
