# The figures of a study. For each entry, figures.smk calls `dkn/figures/NAME.py`, which draws
# results/figures/NAME.*, and workflow/report/NAME.rst is its caption.
SUMMARY = "experiments/{}/summary.json".format
RECORDS = "experiments/{}/records.parquet".format
FIGURES = {}
DRAWN_MODELS = of_models(ENTRIES)


def drawn_models(*paths):
    """Files below the folders of the models that figures draw: of an entry with several seeds the first one's.

    Figure `seeds` draws the others, and all tables have them.
    """
    return per_model(*paths, models=ENTRIES)


def figure(name, category, title, flags, **inputs):
    """Add a figure to the study: its place and title in the report, the flags of its stage, its input files by name."""
    FIGURES[name] = {"category": category, "title": title, "flags": flags, "inputs": inputs}


def figure_of_summaries(name, category, title, files):
    """Add a figure that is drawn from summaries alone."""
    figure(name, category, title, repeated("--summary", files), summaries=files)


def figure_files(name):
    """The files that a figure is made of; the PNG goes into the report."""
    files = {kind: f"{RESULTS}/figures/{name}.{kind}" for kind in ("pdf", "png", "csv")}
    shown = report(
        files["png"],
        caption=f"../report/{name}.rst",
        category=FIGURES[name]["category"],
        labels={"result": f"Figure: {FIGURES[name]['title']}"},
    )
    return {**files, "png": shown, "numbers": f"{RESULTS}/figures/{name}.rst"}


figure(
    "verdicts",
    VERDICTS,
    "every claim against every model",
    [f"--verdicts={RESULTS}/verdicts.json"],
    verdicts=f"{RESULTS}/verdicts.json",
)
figure(
    "seeds",
    VERDICTS,
    "main numbers, seed by seed and over seeds",
    [f"--seeds={RESULTS}/seeds.json"],
    seeds=f"{RESULTS}/seeds.json",
)
figure(
    "reported",
    PAPER,
    "the paper's numbers beside this study's",
    [f"--table={RESULTS}/tables/reported.csv"],
    table=f"{RESULTS}/tables/reported.csv",
    checksums=f"{RESULTS}/tables/reported.sha256",
)
figure_of_summaries(
    "degeneracy",
    DEGENERACY,
    "drop against the number of suppressed components",
    drawn_models(SUMMARY("degeneracy-ntc")),
)
figure_of_summaries(
    "groupings",
    DEGENERACY,
    "NTC beside the other groupings and the controls",
    [file for grouping in GROUPINGS for file in drawn_models(SUMMARY(f"degeneracy-{grouping}"))],
)
figure_of_summaries("sharing", DEGENERACY, "components in other facts", drawn_models(SUMMARY("sharing")))
EXAMPLE = {
    "facts": f"{RESULTS}/facts/facts.parquet",
    "known": drawn_models("known.parquet"),
    "distances": drawn_models("distances.parquet"),
    "neurons": drawn_models("knowledge_neurons.parquet"),
    "components": drawn_models("components/ntc.parquet"),
}
EXAMPLE_FLAGS = [
    f"--facts={EXAMPLE['facts']}",
    *DRAWN_MODELS,
    f"--quantile={STUDY.clustering.quantile}",
    *optional("--example", STUDY.figures.example_fact),
]
figure(
    "persistence",
    STRUCTURE,
    "persistence diagram and barcode of one fact",
    EXAMPLE_FLAGS,
    diagrams=drawn_models("diagrams.parquet"),
    **EXAMPLE,
)
figure("kn_graph", STRUCTURE, "knowledge neurons of one fact, across layers", EXAMPLE_FLAGS, **EXAMPLE)
figure(
    "component_sizes",
    STRUCTURE,
    "sizes of components",
    [f"--facts={EXAMPLE['facts']}", *DRAWN_MODELS, *STATISTICS],
    **{name: EXAMPLE[name] for name in ("facts", "neurons", "components")},
)
figure(
    "funnel",
    STRUCTURE,
    "facts left at every step",
    [f"--funnel={RESULTS}/tables/funnel.csv"],
    funnel=f"{RESULTS}/tables/funnel.csv",
    checksums=f"{RESULTS}/tables/funnel.sha256",
)
figure_of_summaries(
    "suppression",
    ROBUSTNESS,
    "suppressed neurons, on the query and on perturbed ones",
    drawn_models(*map(SUMMARY, of_setting("suppression"))),
)
figure_of_summaries(
    "enhancement",
    ROBUSTNESS,
    "enhanced neurons, on the query and on perturbed ones",
    drawn_models(*map(SUMMARY, of_setting("enhancement"))),
)
figure_of_summaries(
    "ablation",
    ROBUSTNESS,
    "what is left of a fact without its knowledge neurons",
    drawn_models(*map(SUMMARY, of_setting("ablation"))),
)
figure(
    "fact_checking",
    FACT_CHECKING_RESULTS,
    "true statements told from false ones",
    [*DRAWN_MODELS, *released("figure-fact-checking")],
    summaries=drawn_models(*map(SUMMARY, of_setting("fact-checking"))),
    records=drawn_models(*map(RECORDS, of_setting("fact-checking"))),
)
figure(
    "overlap",
    EVOLVABILITY,
    "where full fine-tuning changes neurons, and where D is",
    DRAWN_MODELS,
    changes=drawn_models("experiments/fine-tuning-all/changes.parquet"),
    members=drawn_models("experiments/overlap-fine-tuning/members.parquet"),
    summaries=drawn_models(SUMMARY("overlap-fine-tuning")),
)
figure(
    "fine_tuning",
    EVOLVABILITY,
    "new, old and paraphrased questions, by what was trained",
    repeated("--experiment", drawn_models(*(f"experiments/{name}" for name in of_setting("fine-tuning")))),
    summaries=drawn_models(*map(SUMMARY, of_setting("fine-tuning"))),
    trainings=drawn_models(*(f"experiments/{name}/training.json" for name in of_setting("fine-tuning"))),
)
figure(
    "complexity",
    SIZE,
    "main numbers against model size",
    [f"--complexity={RESULTS}/complexity.json"],
    complexity=f"{RESULTS}/complexity.json",
)
figure(
    "sensitivity",
    SENSITIVITY,
    "gap and coverage over the grid of settings",
    [f"--table={RESULTS}/tables/sensitivity.csv"],
    table=f"{RESULTS}/tables/sensitivity.csv",
    checksums=f"{RESULTS}/tables/sensitivity.sha256",
)
for drawn, title in {
    "audit": "what each departure of the released code changes",
    "audit_path": "from the text to the released code, step by step",
    "audit_verdicts": "verdicts that depend on a departure",
}.items():
    with_confidence = [] if drawn == "audit_verdicts" else [f"--confidence={STUDY.statistics.confidence}"]
    figure(drawn, AUDIT, title, [*repeated("--audit", AUDITS), *with_confidence], audits=AUDITS)
