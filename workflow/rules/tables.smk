# Tables: each a target of its own, from stored records only, as CSV and Markdown.


rule table_funnel:
    input:
        known=expand(rules.known.output, model=MODELS),
        neurons=expand(rules.knowledge_neurons.output, model=MODELS),
        distances=expand(rules.distances.output, model=MODELS),
        components=expand(rules.components.output, model=MODELS),
        code=code("table-funnel"),
    output:
        csv=f"{RESULTS}/tables/funnel.csv",
        markdown=f"{RESULTS}/tables/funnel.md",
    log:
        f"{RESULTS}/logs/table_funnel.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_funnel.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        models=of_models("--model", ""),
        groupings=repeated("--grouping", GROUPINGS),
    message:
        "Counting the facts left at every step"
    shell:
        "python -m dkn table-funnel {params.models} {params.groupings} --output {output.csv} 2>&1 | tee {log}"


rule tables:
    input:
        rules.table_funnel.output,
