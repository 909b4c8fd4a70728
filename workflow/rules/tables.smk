# Tables: each a target of its own, from stored records only, as CSV, Markdown and LaTeX.
from dkn.experiments.registry import SETTINGS, of_setting

# The experiments of every setting's table; of degeneracy those of all groupings of the study.
TABLE_SETTINGS = {setting.replace("-", "_"): setting for setting in SETTINGS}
TABLE_EXPERIMENTS = {
    **{table: of_setting(setting) for table, setting in TABLE_SETTINGS.items()},
    "degeneracy": [f"degeneracy-{grouping}" for grouping in GROUPINGS],
}


rule table_funnel:
    input:
        known=expand(rules.known.output, model=MODELS),
        neurons=expand(rules.knowledge_neurons.output, model=MODELS),
        distances=expand(rules.distances.output, model=MODELS),
        components=expand(rules.components.output, model=MODELS),
        code=code("table-funnel"),
    output:
        multiext(f"{RESULTS}/tables/funnel", csv=".csv", markdown=".md", latex=".tex"),
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


rule table_setting:
    input:
        summaries=lambda wildcards: expand(
            f"{RESULTS}/{{model}}/experiments/{{experiment}}/summary.json",
            model=MODELS,
            experiment=TABLE_EXPERIMENTS[wildcards.table],
        ),
        comparisons=branch(
            lambda wildcards: wildcards.table == "degeneracy",
            then=expand(f"{RESULTS}/{{model}}/experiments/degeneracy/comparison.json", model=MODELS),
            otherwise=[],
        ),
        code=code("table-setting"),
    output:
        multiext(f"{RESULTS}/tables/{{table}}", csv=".csv", markdown=".md", latex=".tex"),
    log:
        f"{RESULTS}/logs/table_{{table}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_{{table}}.tsv"
    wildcard_constraints:
        table="|".join(TABLE_SETTINGS),
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        setting=lambda wildcards: TABLE_SETTINGS[wildcards.table],
        models=of_models("--model", ""),
        experiments=lambda wildcards: repeated("--experiment", TABLE_EXPERIMENTS[wildcards.table]),
        confidence=STUDY.statistics.confidence,
    message:
        "Writing table {wildcards.table}"
    shell:
        "python -m dkn table-setting --setting {params.setting} {params.models} {params.experiments}"
        " --confidence {params.confidence} --output {output.csv} 2>&1 | tee {log}"


rule tables:
    input:
        rules.table_funnel.output,
        multiext(f"{RESULTS}/tables/reported", ".csv", ".md", ".tex"),
        multiext(f"{RESULTS}/tables/contrasts", ".csv", ".md", ".tex"),
        expand(rules.table_setting.output, table=TABLE_SETTINGS),
