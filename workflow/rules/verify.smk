# What the study found, in three small files, and how it compares with the kept outcome of the same study; not part of `all`.
NO_NUMBERS = {"results", "sensitivity", "audit", "figures", "explorer", "estimate", "compute", "cache", "container"}
REPEATED = {"verdicts", "seeds", "reported", "contrasts"}  # tables whose numbers are in other tables too
OF_OUTCOME = [f"{RESULTS}/tables/{name}.csv" for name in TABLES if name not in ON_REQUEST | REPEATED]
OUTCOME = f"{RESULTS}/outcome"
REFERENCE = CHECKOUT / "reference" / STUDY.reference if STUDY.reference else None


rule make_outcome:
    """The files of `outcome`"""
    input:
        models=expand(MODEL_FOLDER, model=MODELS),
        tables=OF_OUTCOME,
        verdicts=rules.make_verdicts.output,
    output:
        study=f"{OUTCOME}/study.json",
        numbers=f"{OUTCOME}/numbers.csv",
        verdicts=f"{OUTCOME}/verdicts.csv",
    log:
        f"{RESULTS}/logs/outcome.log",
    benchmark:
        f"{RESULTS}/benchmarks/outcome.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        **ANALYSIS,
    params:
        code=code("outcome"),
        models=of_models(),
        tables=repeated("--table", OF_OUTCOME),
        study=verbatim(STUDY.model_dump_json(exclude={*NO_NUMBERS, "reference"})),
    message:
        "Collecting what the study found"
    shell:
        "python -m dkn outcome {params.models:q} {params.tables:q} --verdicts {input.verdicts:q}"
        " --study {params.study:q} --output {output.study:q} 2>&1 | tee -- {log:q}"


rule make_reproduction:
    """The file of `verify`"""
    input:
        **dict(rules.make_outcome.output.items()),
    output:
        multiext(f"{OUTCOME}/reproduction", csv=".csv", markdown=".md"),
    log:
        f"{RESULTS}/logs/reproduction.log",
    benchmark:
        f"{RESULTS}/benchmarks/reproduction.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        **ANALYSIS,
    params:
        code=code("verify", *sorted(REFERENCE.glob("*")) if REFERENCE else ()),
        reference=of_checkout("--reference", [REFERENCE] if REFERENCE else []),
    message:
        "Comparing the study with its reference"
    shell:
        "python -m dkn verify --study {input.study:q} {params.reference:q} --output {output.csv:q} 2>&1 | tee -- {log:q}"


rule outcome:
    """What the study found, in three small files"""
    input:
        rules.make_outcome.output,


rule verify:
    """Whether the study's numbers and verdicts are those of its kept reference"""
    input:
        rules.make_reproduction.output,
