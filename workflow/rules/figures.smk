# Figures: each a target of its own, from stored records only, as PDF, PNG, the CSV of what it shows and its numbers.

for drawn, stated in FIGURES.items():

    rule:
        name:
            f"figure_{drawn}"
        input:
            **stated["inputs"],
        output:
            **figure_files(drawn),
        log:
            f"{RESULTS}/logs/figure_{drawn}.log",
        benchmark:
            f"{RESULTS}/benchmarks/figure_{drawn}.tsv"
        conda:
            "../../envs/analysis.yaml"
        resources:
            **ANALYSIS,
        params:
            code=code(f"figure-{drawn.replace('_', '-')}"),
            stage=f"figure-{drawn.replace('_', '-')}",
            flags=verbatim(stated["flags"]),
        message:
            f"Drawing figure {drawn}"
        shell:
            "python -m dkn {params.stage:q} {params.flags:q} --output {output.pdf:q} 2>&1 | tee -- {log:q}"

    described(f"figure_{drawn}", f"Figure: {stated['title']}")


rule figures:
    """All figures of the study"""
    input:
        [
            f"{RESULTS}/figures/{drawn}.{kind}"
            for drawn in FIGURES
            if drawn not in ON_REQUEST
            for kind in ("pdf", "png", "csv")
        ],
