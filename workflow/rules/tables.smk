# Tables: each a target of its own, from stored records only, as CSV, Markdown and LaTeX with their checksums, and as a
# page for the report.

for written, stated in TABLES.items():

    rule:
        name:
            f"table_{written}"
        input:
            **stated["inputs"],
        output:
            multiext(f"{RESULTS}/tables/{written}", csv=".csv", markdown=".md", latex=".tex", checksums=".sha256"),
        log:
            f"{RESULTS}/logs/table_{written}.log",
        benchmark:
            f"{RESULTS}/benchmarks/table_{written}.tsv"
        conda:
            "../../envs/analysis.yaml"
        resources:
            **ANALYSIS,
        params:
            code=code(f"table-{written.replace('_', '-')}", *stated["checkout"][1]),
            stage=f"table-{written.replace('_', '-')}",
            flags=verbatim(stated["flags"]),
            checkout=of_checkout(*stated["checkout"]),
        message:
            f"Writing table {written}"
        shell:
            "python -m dkn {params.stage:q} {params.checkout:q} {params.flags:q} --output {output.csv:q} 2>&1 | tee -- {log:q}"

    described(f"table_{written}", f"Table: {stated['title']}")


rule table_page:
    input:
        table=f"{RESULTS}/tables/{{table}}.md",
        checksums=f"{RESULTS}/tables/{{table}}.sha256",
    output:
        report(
            f"{RESULTS}/tables/{{table}}.html",
            caption="../report/table.rst",
            category=lambda wildcards: TABLES[wildcards.table]["category"],
            labels=lambda wildcards: {"result": f"Table: {TABLES[wildcards.table]['title']}"},
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
        **ANALYSIS,
    params:
        code=code("table-page"),
        title=lambda wildcards: TABLES[wildcards.table]["title"],
        note=lambda wildcards: TABLES[wildcards.table]["note"],
    message:
        "Writing table {wildcards.table} as a page"
    shell:
        "python -m dkn table-page --table {input.table:q} --title {params.title:q} --note {params.note:q}"
        " --output {output:q} 2>&1 | tee -- {log:q}"


rule tables:
    """All tables of the study"""
    input:
        [
            f"{RESULTS}/tables/{written}.{kind}"
            for written in TABLES
            if written not in ON_REQUEST
            for kind in ("csv", "md", "tex")
        ],
