# The report: everything that is marked with `report(…)`, in one file that opens without a network.


localrules:
    make_report,


# A block of Python, so that it runs in Snakemake's own environment: it calls Snakemake, which the others do not have.
rule make_report:
    input:
        rules.figures.input,
        rules.tables.input,
        rules.verdicts.input,
        rules.complexity.input,
        rules.reported.input,
        pages=expand(rules.table_page.output, table=[name for name in TABLES if name != "sensitivity"]),
        captions=sorted(str(path) for path in (WORKFLOW / "report").glob("*.rst")),
        style=WORKFLOW / "report" / "style.css",
    output:
        f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    resources:
        mem_mb=growing(2000),
        runtime=growing(20),
    params:
        study=same_study(),
    message:
        "Building the report"
    run:
        build_report(shlex.split(params.study), rule, output[0], input.style, log[0])


rule report:
    input:
        rules.make_report.output,
