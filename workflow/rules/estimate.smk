# What the study will cost, printed before anything runs; not part of `all`. No file comes out, not even a benchmark, so
# that it runs whenever it is asked for.
import json


rule estimate:
    """What the study will cost: time, memory and disk space; runs nothing else"""
    log:
        f"{RESULTS}/logs/estimate.log",
    conda:
        "../../envs/lm.yaml"
    resources:
        **ANALYSIS,
    params:
        code=code("estimate"),
        study=verbatim(json.dumps(config)),
        sources=of_checkout("--source", FACTS_SOURCES),
        shards=STUDY.attribution.shards,
    message:
        "Estimating what the study costs"
    shell:
        "python -m dkn estimate --study {params.study:q} {params.sources:q} --shards {params.shards:q} 2>&1 | tee -- {log:q}"
