# The report: everything that is marked with `report(…)`, in one file that opens without a network.

P_OVER_SETTING = "Brackets: bootstrap over subjects. p: adjusted over all contrasts of the setting in a model (Holm)."

# One line makes a table part of the report: its category, its title, and what a reader must know to read it.
TABLES = {
    "verdicts": (VERDICTS, "the contrasts behind every verdict", "p is adjusted over all contrasts of a model (Holm)."),
    "reported": (PAPER, "the paper's numbers beside this study's", "The paper states no intervals."),
    "degeneracy": (DEGENERACY, "degeneracy by grouping", P_OVER_SETTING),
    "suppression": (ROBUSTNESS, "suppression", P_OVER_SETTING),
    "enhancement": (ROBUSTNESS, "enhancement", P_OVER_SETTING),
    "fact_checking": (FACT_CHECKING_RESULTS, "fact-checking", P_OVER_SETTING),
    "overlap": (EVOLVABILITY, "overlap with what full fine-tuning changes", P_OVER_SETTING),
    "fine_tuning": (EVOLVABILITY, "fine-tuning", P_OVER_SETTING),
    "contrasts": (
        VERDICTS,
        "every contrast of the study",
        "p_holm is adjusted over the contrasts of a model's setting.",
    ),
    "funnel": (
        STRUCTURE,
        "facts left at every step",
        "Counts of facts; a step counts the facts that satisfy it alone.",
    ),
}


rule table_page:
    input:
        table=f"{RESULTS}/tables/{{table}}.md",
        code=code("table-page"),
    output:
        report(
            f"{RESULTS}/tables/{{table}}.html",
            caption="../report/table.rst",
            category=lambda wildcards: TABLES[wildcards.table][0],
            labels=lambda wildcards: {"result": f"Table: {TABLES[wildcards.table][1]}"},
        ),
    log:
        f"{RESULTS}/logs/table_page_{{table}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_page_{{table}}.tsv"
    wildcard_constraints:
        table="|".join(TABLES),
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        title=lambda wildcards: TABLES[wildcards.table][1],
        note=lambda wildcards: TABLES[wildcards.table][2],
    message:
        "Writing table {wildcards.table} as a page"
    shell:
        "python -m dkn table-page --table {input.table} --title {params.title:q} --note {params.note:q}"
        " --output {output} 2>&1 | tee {log}"


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
        pages=expand(rules.table_page.output, table=TABLES),
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
