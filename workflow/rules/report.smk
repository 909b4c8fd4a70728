# The report: everything that is marked with `report(…)`, in one file that opens without a network.
STYLE = WORKFLOW / "report" / "style.css"
WORDS = [*sorted((WORKFLOW / "report").glob("*.rst")), WORKFLOW / "report" / "docutils.conf"]


# It calls Snakemake, so it runs where Snakemake runs, in its own environment and in no container.
rule make_report:
    """The file of `report`"""
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
        target=named("make_report"),
        style=of_checkout("--report-stylesheet", [STYLE]),
    message:
        "Building the report"
    shell:
        "env -u PYTHONNOUSERSITE {params.snakemake:q} --cores 1 --nolock --rerun-incomplete"
        " --report={output:q} {params.style:q} {params.target:q} > {log:q} 2>&1"


rule report:
    """The report, one file to open in a browser"""
    input:
        rules.make_report.output,


AUDIT_FILES = [
    *multiext(f"{RESULTS}/tables/audit", ".csv", ".md", ".tex"),
    *expand(
        f"{RESULTS}/figures/{{drawn}}.{{kind}}",
        drawn=["audit", "audit_path", "audit_verdicts"],
        kind=["pdf", "png", "csv"],
    ),
]


# Like rule make_report, which does not hold the audit: it would plan it again after every change.
rule make_audit_report:
    """The report of `audit`"""
    input:
        AUDIT_FILES,
        f"{RESULTS}/tables/audit.html",
    output:
        f"{RESULTS}/audit.html",
    log:
        f"{RESULTS}/logs/audit_report.log",
    benchmark:
        f"{RESULTS}/benchmarks/audit_report.tsv"
    handover: True
    container:
        None
    resources:
        mem_mb=growing(2000),
        runtime=growing(20),
    params:
        code=code(None, STYLE, *WORDS, WORKFLOW / "dkn" / "run" / "report.py"),
        snakemake=lambda wildcards, input: same_study(),
        target=named("make_audit_report"),
        style=of_checkout("--report-stylesheet", [STYLE]),
    message:
        "Building the report of the audit"
    shell:
        "env -u PYTHONNOUSERSITE {params.snakemake:q} --cores 1 --nolock --rerun-incomplete"
        " --report={output:q} {params.style:q} {params.target:q} > {log:q} 2>&1"


rule audit:
    """On request: what each departure of the released code does to the numbers; takes long"""
    input:
        rules.make_audit_report.input,
        rules.make_audit_report.output,
