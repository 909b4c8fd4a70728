# Degenerate knowledge neurons: from facts and a language model to the paper's figures. See README.md.
from snakemake.utils import min_version

min_version("9.27")


configfile: f"{workflow.basedir}/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


containerized: STUDY.container  # of the rules that follow


include: "workflow/rules/facts.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/attribution.smk"
include: "workflow/rules/structure.smk"
include: "workflow/rules/experiments.smk"
include: "workflow/rules/perturbation.smk"
include: "workflow/rules/fact_checking.smk"
include: "workflow/rules/fine_tuning.smk"
include: "workflow/rules/ablation.smk"
include: "workflow/rules/sharing.smk"
include: "workflow/rules/sensitivity.smk"
include: "workflow/rules/audit.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/list_of_figures.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/list_of_tables.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/verify.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/end.smk"
include: "workflow/rules/explorer.smk"
include: "workflow/rules/index.smk"
include: "workflow/rules/estimate.smk"


rule all:
    default_target: True
    input:
        rules.figures.input,
        rules.tables.input,
        rules.verdicts.input,
        rules.complexity.input,
        rules.reported.input,
        rules.report.input,
        rules.explorer.input,
        rules.index.input,
    message:
        "The study is complete"


rule facts:
    input:
        f"{RESULTS}/facts/facts.parquet",


rule models:
    input:
        expand(f"{RESULTS}/{{model}}/model", model=MODELS),


rule experiments:
    input:
        SUMMARIES,
