# Figures: each a target of its own, from stored records only, as PDF, PNG, the CSV of what it shows and its numbers.

for drawn, stated in FIGURES.items():

    rule:
        name:
            f"figure_{drawn}"
        input:
            **stated["inputs"],
            code=code(f"figure-{drawn.replace('_', '-')}"),
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
            stage=f"figure-{drawn.replace('_', '-')}",
            flags=stated["flags"],
        message:
            f"Drawing figure {drawn}"
        shell:
            "python -m dkn {params.stage} {params.flags} --output {output.pdf} 2>&1 | tee {log}"


rule figures:
    input:
        [
            f"{RESULTS}/figures/{drawn}.{kind}"
            for drawn in FIGURES
            if drawn != "sensitivity"
            for kind in ("pdf", "png", "csv")
        ],
