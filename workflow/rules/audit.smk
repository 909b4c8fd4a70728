# The audit: what each departure of the released code does to the numbers; not part of `all`.
AUDITED = STUDY.model_dump_json(include=set(Audited.model_fields))
AUDITS = per_model("audit.json", models=ENTRIES)


rule audit_model:
    input:
        model=MODEL_FOLDER,
        facts=rules.make_facts.output,
        known=rules.known.output,
    output:
        f"{RESULTS}/{{model}}/audit.json",
    log:
        f"{RESULTS}/logs/{{model}}/audit.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/audit.tsv"
    conda:
        "../../envs/lm.yaml"
    threads: STUDY.compute.threads
    resources:
        **model_job(Work.AUDIT, 480),
    params:
        code=code("audit"),
        study=verbatim(AUDITED),
        batch=STUDY.compute.batch,
        compute=compute,
    message:
        "Auditing the departures of the released code on {wildcards.model}"
    shell:
        "python -m dkn audit --model {input.model:q} --model-name {wildcards.model:q} --facts {input.facts:q}"
        " --known {input.known:q} --study {params.study:q} --batch {params.batch:q} --output {output:q}"
        " {params.compute:q} --gpus {resources.gpu:q} 2>&1 | tee -- {log:q}"
