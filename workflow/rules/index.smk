# The front page of the results: findings, figures and tables in one file that opens without a network.
INDEX = [WORKFLOW / "dkn" / "pages" / f"index.{kind}" for kind in ("html", "css", "js")]
# In the paper's order: how the components are found, what they do, and what they are good for.
ORDER = [VERDICTS, PAPER, STRUCTURE, DEGENERACY, ROBUSTNESS, FACT_CHECKING_RESULTS, EVOLVABILITY, SIZE]
IN_CAPTIONS = {"models": {"__all__": {"name"}}, "statistics": {"confidence"}, "claims": True, "seed": True}
CONTENTS = {
    "study": STUDY.model_dump(mode="json", include=IN_CAPTIONS),
    "models": {name: {"repo": getattr(entry, "repo", None)} for name, entry in MODELS.items()},
    "experiments": of_study(GROUPINGS),
    "released": STUDY.released,
    "sections": [
        {
            "title": category.partition(". ")[2],
            "figures": {name: stated["title"] for name, stated in of_category(FIGURES, category, "title").items()},
            "tables": of_category(TABLES, category, "title", "note"),
        }
        for category in ORDER
    ],
}


rule make_index:
    """The file of `index`"""
    input:
        rules.figures.input,
        rules.tables.input,
        summaries=SUMMARIES,
        verdicts=rules.make_verdicts.output,
        complexity=rules.make_complexity.output,
        numbers=[f"{RESULTS}/figures/{drawn}.rst" for drawn in FIGURES if drawn not in ON_REQUEST],
        checksums=[f"{RESULTS}/tables/{written}.sha256" for written in TABLES if written not in ON_REQUEST],
    output:
        f"{RESULTS}/index.html",
    log:
        f"{RESULTS}/logs/index.log",
    benchmark:
        f"{RESULTS}/benchmarks/index.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        **ANALYSIS,
    params:
        code=code("index", *INDEX, *sorted((WORKFLOW / "report").glob("*.rst"))),
        models=of_models(),
        experiments=ALL_EXPERIMENTS,
        contents=verbatim(json.dumps(CONTENTS)),
        template=of_checkout("--template", INDEX[:1]),
        words=of_checkout("--words", [WORKFLOW / "report" / "table.rst"]),
    message:
        "Making the front page of the results"
    shell:
        "python -m dkn index {params.models:q} {params.experiments:q} --contents {params.contents:q}"
        " --verdicts {input.verdicts:q} --complexity {input.complexity:q} {params.template:q} {params.words:q}"
        " --output {output:q} 2>&1 | tee -- {log:q}"


rule index:
    """The front page of the results, the report and every model's explorer"""
    input:
        rules.make_index.output,
        rules.report.input,
        rules.explorer.input,
