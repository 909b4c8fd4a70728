# The report: everything that is marked with `report(…)`, in one file that opens without a network.
STYLE = WORKFLOW / "report" / "style.css"
WORDS = [*sorted((WORKFLOW / "report").glob("*.rst")), WORKFLOW / "report" / "docutils.conf"]


# It calls Snakemake, so it runs where Snakemake runs, in its own environment and in no container.
rule make_report:
    input:
        rules.figures.input,
        rules.tables.input,
        rules.verdicts.input,
        rules.complexity.input,
        rules.reported.input,
        pages=expand(rules.table_page.output, table=[name for name in TABLES if name not in ON_REQUEST]),
    output:
        f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    handover: True
    container:
        None
    resources:
        mem_mb=growing(2000),
        runtime=growing(20),
    params:
        code=code(None, STYLE, *WORDS, WORKFLOW / "dkn" / "run" / "report.py"),
        snakemake=lambda wildcards, input: same_study(),
        style=of_checkout("--report-stylesheet", [STYLE]),
    message:
        "Building the report"
    shell:
        "env -u PYTHONNOUSERSITE {params.snakemake:q} --cores 1 --nolock --rerun-incomplete"
        " --report={output:q} {params.style:q} make_report > {log:q} 2>&1"


rule report:
    input:
        rules.make_report.output,
