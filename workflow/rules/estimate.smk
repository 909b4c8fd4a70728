# What the study will cost, printed before anything runs; not part of `all`. No file comes out, not even a benchmark, so
# that it runs whenever it is asked for.
import json
import shlex


rule estimate:
    input:
        code=code("estimate"),
    log:
        f"{RESULTS}/logs/estimate.log",
    conda:
        "../../envs/lm.yaml"
    resources:
        **ANALYSIS,
    params:
        study=shlex.quote(json.dumps(config)),
        sources=" ".join(f"--source '{source}'" for source in FACTS_SOURCES),
        shards=STUDY.attribution.shards,
    message:
        "Estimating what the study costs"
    shell:
        "python -m dkn estimate --study {params.study} {params.sources} --shards {params.shards} 2>&1 | tee {log}"
