# Sensitivity: the degeneracy experiment over a grid of settings, from stored attributions; not part of `all`.
from itertools import product

import pandas as pd
from snakemake.utils import Paramspace

# What a point changes before the clustering makes a job; tau1 and tau2 share its model evaluations.
GRID = Paramspace(
    pd.DataFrame(product(STUDY.sensitivity.fractions, STUDY.sensitivity.quantiles), columns=["fraction", "quantile"])
)


rule sensitivity_records:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        known=rules.known.output,
        scores=rules.knowledge_neurons.input.scores,
        code=code("sensitivity"),
    output:
        f"{RESULTS}/{{model}}/sensitivity/{GRID.wildcard_pattern}.parquet",
    log:
        f"{RESULTS}/logs/{{model}}/sensitivity/{GRID.wildcard_pattern}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/sensitivity/{GRID.wildcard_pattern}.tsv"
    wildcard_constraints:
        fraction=r"[\d.e-]+",
        quantile=r"[\d.e-]+",
    conda:
        "../../envs/lm.yaml"
    threads: STUDY.compute.threads
    resources:
        mem_mb=growing(8000, per_gb=3000),
        runtime=growing(240, per_gb=30),
        gpu=gpus,
    params:
        scores=lambda wildcards, input: " ".join(f"--scores {path}" for path in input.scores),
        which=STUDY.attribution.facts,
        point=GRID.instance,
        tau1=" ".join(f"--tau1 {value}" for value in STUDY.sensitivity.tau1),
        tau2=" ".join(f"--tau2 {value}" for value in STUDY.sensitivity.tau2),
        sample=optional("--sample", STUDY.sensitivity.facts),
        max_subsets=STUDY.sensitivity.max_subsets,
        partitions=STUDY.sensitivity.partitions,
        cap=optional("--cap", STUDY.knowledge_neurons.cap),
        max_span=optional("--max-span", STUDY.distances.max_span),
        fold_norm="--fold-norm" if STUDY.distances.fold_norm else "",
        persistence=STUDY.clustering.persistence,
        min_size=STUDY.clustering.min_size,
        test=STUDY.functional_test.test,
        seed=STUDY.seed,
        batch=STUDY.compute.batch,
        compute=compute,
    message:
        "Measuring degeneracy of {wildcards.model} at KN fraction {wildcards.fraction}, quantile {wildcards.quantile}"
    shell:
        "python -m dkn sensitivity --model {input.model} --model-name {wildcards.model} --facts {input.facts}"
        " --known {input.known} {params.scores} --which {params.which} --fraction {params.point[fraction]}"
        " --quantile {params.point[quantile]} {params.tau1} {params.tau2} {params.sample}"
        " --max-subsets {params.max_subsets} --partitions {params.partitions} {params.cap} {params.max_span}"
        " {params.fold_norm} --persistence {params.persistence} --min-size {params.min_size} --test {params.test}"
        " --seed {params.seed} --batch {params.batch} --output {output} {params.compute} --gpus {resources.gpu} 2>&1 | tee {log}"


rule table_sensitivity:
    input:
        records=expand(
            f"{RESULTS}/{{model}}/sensitivity/{{point}}.parquet", model=MODELS, point=list(GRID.instance_patterns)
        ),
        code=code("table-sensitivity"),
    output:
        multiext(f"{RESULTS}/tables/sensitivity", csv=".csv", markdown=".md", latex=".tex"),
    log:
        f"{RESULTS}/logs/table_sensitivity.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_sensitivity.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        records=lambda wildcards, input: " ".join(f"--records {path}" for path in input.records),
        fraction=STUDY.knowledge_neurons.fraction,
        quantile=STUDY.clustering.quantile,
        tau1="" if hasattr(STUDY.clustering.tau1, "quantile") else f"--tau1 {STUDY.clustering.tau1}",
        tau2=STUDY.functional_test.tau2,
        resamples=STUDY.statistics.resamples,
        confidence=STUDY.statistics.confidence,
        seed=STUDY.seed,
    message:
        "Gathering the grid of settings"
    shell:
        "python -m dkn table-sensitivity {params.records} --fraction {params.fraction} --quantile {params.quantile}"
        " {params.tau1} --tau2 {params.tau2} --resamples {params.resamples}"
        " --confidence {params.confidence} --seed {params.seed} --output {output.csv} 2>&1 | tee {log}"


rule figure_sensitivity:
    input:
        table=rules.table_sensitivity.output.csv,
        code=code("figure-sensitivity"),
    output:
        **figure("sensitivity", SENSITIVITY, "gap and coverage over the grid of settings"),
    log:
        f"{RESULTS}/logs/figure_sensitivity.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_sensitivity.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    message:
        "Drawing figure sensitivity"
    shell:
        "python -m dkn figure-sensitivity --table {input.table} --output {output.pdf} 2>&1 | tee {log}"


rule sensitivity:
    input:
        rules.table_sensitivity.output,
        rules.figure_sensitivity.output,
