# Sensitivity: the degeneracy experiment over a grid of settings, from stored attributions; not part of `all`.
from itertools import product

import pandas as pd
from snakemake.utils import Paramspace

# What a point changes before the clustering makes a job; tau1, the tests and tau2 share its model evaluations.
GRID = Paramspace(
    pd.DataFrame(product(STUDY.sensitivity.fractions, STUDY.sensitivity.quantiles), columns=["fraction", "quantile"])
)


rule sensitivity_records:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        known=rules.known.output,
        scores=rules.knowledge_neurons.input.scores,
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
        **model_job(Work.PASSES, 240),
    params:
        code=code("experiment-sensitivity"),
        released=released("experiment-sensitivity"),
        scores=lambda wildcards, input: repeated("--scores", input.scores),
        which=STUDY.attribution.facts,
        point=GRID.instance,
        tau1=repeated("--tau1", STUDY.sensitivity.tau1),
        tests=repeated("--test", STUDY.sensitivity.tests),
        tau2=repeated("--tau2", STUDY.sensitivity.tau2),
        sample=optional("--sample", STUDY.sensitivity.facts),
        max_subsets=STUDY.sensitivity.max_subsets,
        partitions=STUDY.sensitivity.partitions,
        cap=optional("--cap", STUDY.knowledge_neurons.cap),
        max_span=optional("--max-span", STUDY.distances.max_span),
        fold_norm=["--fold-norm"] if STUDY.distances.fold_norm else [],
        persistence=STUDY.clustering.persistence,
        min_size=STUDY.clustering.min_size,
        seed=STUDY.seed,
        batch=STUDY.compute.batch,
        compute=compute,
    message:
        "Measuring degeneracy of {wildcards.model} at KN fraction {wildcards.fraction}, quantile {wildcards.quantile}"
    shell:
        "python -m dkn experiment-sensitivity --model {input.model:q} --model-name {wildcards.model:q} --facts {input.facts:q}"
        " --known {input.known:q} {params.scores:q} --which {params.which:q} --fraction {params.point[fraction]:q}"
        " --quantile {params.point[quantile]:q} {params.tau1:q} {params.tests:q} {params.tau2:q} {params.sample:q}"
        " --max-subsets {params.max_subsets:q} --partitions {params.partitions:q} {params.cap:q} {params.max_span:q}"
        " {params.fold_norm:q} --persistence {params.persistence:q} --min-size {params.min_size:q}"
        " {params.released:q} --seed {params.seed:q} --batch {params.batch:q} --output {output:q} {params.compute:q} --gpus {resources.gpu:q} 2>&1 | tee -- {log:q}"


SENSITIVITY_RECORDS = expand(
    f"{RESULTS}/{{model}}/sensitivity/{{point}}.parquet", model=MODELS, point=list(GRID.instance_patterns)
)
OWN_TAU1 = [] if hasattr(STUDY.clustering.tau1, "quantile") else [f"--tau1={STUDY.clustering.tau1}"]
SENSITIVITY_FLAGS = [
    *repeated("--records", SENSITIVITY_RECORDS),
    f"--fraction={STUDY.knowledge_neurons.fraction}",
    f"--quantile={STUDY.clustering.quantile}",
    *OWN_TAU1,
    f"--test={STUDY.functional_test.test}",
    f"--tau2={STUDY.functional_test.tau2}",
    *STATISTICS,
]


rule sensitivity:
    """On request: the degeneracy experiment over a grid of settings"""
    input:
        multiext(f"{RESULTS}/tables/sensitivity", ".csv", ".md", ".tex"),
        multiext(f"{RESULTS}/figures/sensitivity", ".pdf", ".png", ".csv"),
