# The tables of a study. For each entry, tables.smk calls `dkn/tables/NAME.py`, which writes
# results/tables/NAME.*.
P_OVER_SETTING = "Brackets: bootstrap over subjects. p: adjusted over all contrasts of the setting in a model (Holm)."
REPORTED = CHECKOUT / "resources" / "reported_results.yaml"
TABLES = {}


def table(name, category, title, note, flags, checkout=("", ()), **inputs):
    """Add a table to the study: its place, title and reading aid in the report, its stage's flags, its input files.

    `checkout` is a flag with files of the checkout that the stage reads.
    """
    stated = {"category": category, "title": title, "note": note, "flags": flags, "checkout": checkout}
    TABLES[name] = {**stated, "inputs": inputs}


def table_of_setting(setting, category, title):
    """Add the table of a setting, the paper's or a control's; of degeneracy all groupings of the study are in it."""
    degeneracy = setting == "degeneracy"
    names = [f"degeneracy-{grouping}" for grouping in GROUPINGS] if degeneracy else of_setting(setting)
    switches = released(f"table-{setting}")
    table(
        setting.replace("-", "_"),
        category,
        title,
        P_OVER_SETTING,
        [*of_models(), *repeated("--experiment", names), f"--confidence={STUDY.statistics.confidence}", *switches],
        summaries=per_model(*map(SUMMARY, names)),
        comparisons=per_model("experiments/degeneracy/comparison.json") if degeneracy else [],
    )


table(
    "verdicts",
    VERDICTS,
    "the contrasts behind every verdict",
    "p is adjusted over all contrasts of a model (Holm).",
    [f"--verdicts={RESULTS}/verdicts.json"],
    verdicts=f"{RESULTS}/verdicts.json",
)
table(
    "seeds",
    VERDICTS,
    "main numbers over seeds",
    "Brackets: random effects over seeds, as many degrees of freedom as seeds but one; p is not adjusted.",
    [f"--seeds={RESULTS}/seeds.json"],
    seeds=f"{RESULTS}/seeds.json",
)
table(
    "reported",
    PAPER,
    "the paper's numbers beside this study's",
    "The paper states no intervals.",
    [*of_models(), *ALL_EXPERIMENTS],
    checkout=("--reported", [REPORTED]),
    summaries=SUMMARIES,
)
table_of_setting("degeneracy", DEGENERACY, "degeneracy by grouping")
table_of_setting("sharing", DEGENERACY, "components in other facts")
table_of_setting("suppression", ROBUSTNESS, "suppression")
table_of_setting("enhancement", ROBUSTNESS, "enhancement")
table_of_setting("ablation", ROBUSTNESS, "what is left of a fact without its knowledge neurons")
table_of_setting("fact-checking", FACT_CHECKING_RESULTS, "fact-checking")
table_of_setting("overlap", EVOLVABILITY, "overlap with what full fine-tuning changes")
table_of_setting("fine-tuning", EVOLVABILITY, "fine-tuning")
table(
    "contrasts",
    VERDICTS,
    "every contrast of the study",
    "p_holm is adjusted over the contrasts of a model's setting.",
    [*of_models(), *ALL_EXPERIMENTS, f"--confidence={STUDY.statistics.confidence}"],
    summaries=SUMMARIES,
)
table(
    "funnel",
    STRUCTURE,
    "facts left at every step",
    "Counts of facts; a step counts the facts that satisfy it alone.",
    [*of_models(), *repeated("--grouping", GROUPINGS), f"--shards={STUDY.attribution.shards}"],
    known=per_model("known.parquet"),
    completeness=per_model(*gather.facts("attribution/{scatteritem}.completeness.parquet")),
    neurons=per_model("knowledge_neurons.parquet"),
    distances=per_model("distances.parquet"),
    components=per_model(*(f"components/{grouping}.parquet" for grouping in GROUPINGS)),
)
table(
    "sensitivity",
    SENSITIVITY,
    "every point of the grid of settings",
    "Brackets: bootstrap over subjects, not adjusted for the number of points.",
    SENSITIVITY_FLAGS,
    records=SENSITIVITY_RECORDS,
)
table(
    "audit",
    AUDIT,
    "what each departure of the released code changes",
    "Changes in points (hundredths); brackets: bootstrap over subjects, not adjusted for the number of switches.",
    [*repeated("--audit", AUDITS), f"--confidence={STUDY.statistics.confidence}"],
    audits=AUDITS,
)
