"""The packages that the code of every stage may import, under the stage's name as ``python -m dkn`` lists it."""

from __future__ import annotations

GROUND = (
    "storage/artefacts",
    "storage/files",
    "storage/parts",
    "storage/provenance",
    "storage/schemas",
    "storage/writing",
)  # of every stage, with the package root
CHECKED = "storage/checked_texts"
FOLDER = ("models/families", "models/files", "models/weights")
MODEL = (*FOLDER, "decoder", "models/opening", "models/prepared")
PREPARED = (*FOLDER, "models/opening", "models/sources", "models/tokens")
GGUF = tuple(f"models/gguf_{part}" for part in ("config", "files", "layout", "rotation", "tokenizer", "weights"))
SWITCHES = "study/protocol"
FACTS = ("facts/schema", "facts/stored", "facts/text", SWITCHES)
SOURCES = ("facts/addresses", "facts/schema", "facts/sources", "facts/template_files", "facts/text")
INTERVENTIONS = ("neurons/asking", "neurons/edits", "neurons/interventions", "neurons/stepwise")
TABLE = ("tables/saving", CHECKED)
SUMMARIES = ("statistics/inference", "study/names", "summaries/stored")
MEANS = ("statistics/weighted", "summaries/by_fact")
BY_FACT = (*SUMMARIES, *MEANS)
CLAIMS = ("paper/claims", "study/registry", *SUMMARIES)
OVER_SEEDS = ("study/names", "summaries/seeds", "summaries/wording")
FIGURE = ("figures/saving", "figures/style", "study/names", "summaries/wording")
HEADLINES = (*FIGURE, *CLAIMS, "paper/headlines", "paper/model_size")
SETTING_TABLE = ("paper/contrasts", "study/registry", "summaries/wording", "tables/lines", *TABLE, *SUMMARIES)
AUDITED = (
    *(
        "attribution",
        "audit",
        "experiments",
        "facts",
        "models/answer_loss",
        "neurons",
        "paper/claims",
        "paper/verdicts",
    ),
    *("statistics", "structure", "study", "summaries"),
)  # what an audit repeats
# Beside its own module: the packages and modules that a stage may depend on. Everything else is a stranger to it.
ALLOWED: dict[str, tuple[str, ...]] = {
    "ask": (
        *(*MODEL, *PREPARED, *GGUF, *FACTS, "facts/perturbed_prompts", "models/named", "one_fact", "pages"),
        *("attribution", "neurons", "structure", "study", "experiments/degeneracy", "experiments/perturbation"),
        "figures/style",
    ),
    "audit": (*MODEL, *FACTS, *AUDITED),
    "attribution": (*MODEL, *FACTS, "attribution", "storage/cache", "storage/shard_parts"),
    "candidates-amig": (*MODEL, *FACTS, *INTERVENTIONS, "neurons/sets", "structure", "study/names"),
    "candidates-groupings": ("structure", "study/names", SWITCHES),
    "candidates-ntc": ("structure", SWITCHES),
    "candidates-random": ("neurons/sets", "structure", "study/names"),
    "components": (*MODEL, *FACTS, *INTERVENTIONS, "neurons/sets", "structure/functional_test", "study/names"),
    "distances": (*MODEL, "neurons/sets", "structure/distances", SWITCHES),
    "estimate": (*SOURCES, "models/families", "run/benchmarks", "run/durations", "storage/completeness", "study"),
    "experiment-ablation": (
        *(*MODEL, *FACTS, "facts/sampling", *INTERVENTIONS, "neurons/sets", "study/names"),
        "experiments/ablation",
    ),
    "experiment-degeneracy": (
        *(*MODEL, *FACTS, *INTERVENTIONS, "neurons/other_facts", "neurons/sets", "structure/controls"),
        *("experiments/degeneracy", "study/names"),
    ),
    "experiment-fact-checking": (
        *(*MODEL, *FACTS, "attribution", "facts/same_answers", "facts/sampling", "neurons/sets", "study/names"),
        *("experiments/fact_checking", "experiments/statements"),
    ),
    "experiment-fact-checking-plm": (
        *(*MODEL, *FACTS, "facts/same_answers", "facts/sampling", "neurons/sets"),
        *("experiments/fact_checking_plm", "experiments/statements"),
    ),
    "experiment-fine-tuning": (
        *(*MODEL, *FACTS, "facts/same_answers", "facts/schema", "facts/text", "models/answer_loss"),
        *("neurons/sets", "neurons/tuning", "study/names", "experiments/fine_tuning", "experiments/learning_rates"),
        "experiments/tuning_questions",
    ),
    "experiment-overlap": ("experiments/overlap", "neurons/sets", "study/names"),
    "experiment-perturbation": (
        *(*MODEL, *FACTS, "facts/perturbed_prompts", *INTERVENTIONS, "neurons/other_facts"),
        *("neurons/sets", "study/names", "experiments/perturbation"),
    ),
    "experiment-sensitivity": (
        *(*MODEL, *FACTS, "attribution/selection", "facts/sampling", *INTERVENTIONS, "neurons/sets"),
        *(
            "neurons/other_facts",
            "structure",
            "experiments/degeneracy",
            "experiments/degeneracy_measures",
            "experiments/sensitivity",
            "study/names",
        ),
    ),
    "experiment-sharing": (
        *(*MODEL, *FACTS, "facts/same_answers", "facts/sampling", *INTERVENTIONS, "neurons/membership"),
        *("neurons/sets", "study/names", "experiments/sharing"),
    ),
    "explorer": (
        SWITCHES,
        "figures/style",
        "models/files",
        "models/weights",
        "pages",
        "structure/dendrogram",
        "structure/ntc",
        "structure/short_edges",
        "study/names",
    ),
    "facts": (*SOURCES, "facts/sampling"),
    "figure-ablation": (*FIGURE, *SUMMARIES),
    "figure-audit": (*FIGURE, "audit/stored", "figures/points", SWITCHES),
    "figure-audit-path": (*FIGURE, "audit/stored", "figures/points", SWITCHES),
    "figure-audit-verdicts": (*FIGURE, "audit/stored", SWITCHES),
    "figure-complexity": (*FIGURE, *SUMMARIES, "paper/model_size"),
    "figure-component-sizes": (*FIGURE, "statistics/inference"),
    "figure-degeneracy": HEADLINES,
    "figure-enhancement": (*HEADLINES, "figures/perturbation"),
    "figure-fact-checking": (
        *(*HEADLINES, SWITCHES, "statistics/detection", "statistics/draws", "statistics/roc"),
        "summaries/fact_checking",
    ),
    "figure-fine-tuning": HEADLINES,
    "figure-funnel": (*FIGURE, CHECKED, "summaries/funnel"),
    "figure-groupings": (*FIGURE, *SUMMARIES),
    "figure-kn-graph": (*FIGURE, "figures/example", "structure/dendrogram"),
    "figure-overlap": HEADLINES,
    "figure-persistence": (*FIGURE, "figures/example", "structure/dendrogram"),
    "figure-reported": (*FIGURE, CHECKED),
    "figure-seeds": (*FIGURE, *OVER_SEEDS),
    "figure-sensitivity": (*FIGURE, CHECKED, "statistics/inference"),
    "figure-sharing": (*FIGURE, *SUMMARIES, *MEANS, "summaries/sharing"),
    "figure-suppression": (*HEADLINES, "figures/perturbation"),
    "figure-verdicts": FIGURE,
    "index": (
        *(CHECKED, "figures/style", "pages", "paper/claims", "paper/verdicts", "statistics/simultaneous"),
        *("study/names", "study/registry", "statistics/inference", "summaries/stored", "summaries/wording"),
        "tables/reading",
    ),
    "knowledge-neurons": ("attribution/selection",),
    "known": (*MODEL, "facts/schema", "facts/text"),
    "model-check": PREPARED,
    "model-folder": PREPARED,
    "model-gguf": (*PREPARED, *GGUF),
    "model-hub": PREPARED,
    "model-size": (*CLAIMS, *OVER_SEEDS, "models/files", "models/weights", "paper/model_size"),
    "model-trained": ("facts/schema", "facts/text", "models"),
    "model-wheel": (*PREPARED, *GGUF),
    "outcome": ("paper/reproduction",),
    "seeds": (*CLAIMS, *OVER_SEEDS, "paper/model_size", "paper/seeds", "statistics/meta_analysis"),
    "summary-ablation": (*SUMMARIES, "summaries/ablation", *MEANS),
    "summary-degeneracy": (
        *(*SUMMARIES, SWITCHES, "experiments/degeneracy_measures", *MEANS),
        *(
            "summaries/degeneracy_means",
            "storage/completeness",
            "summaries/degeneracy",
            "summaries/funnel",
            "summaries/grouping_comparison",
        ),
    ),
    "summary-fact-checking": (
        *(*SUMMARIES, SWITCHES, "statistics/detection", "statistics/draws", "statistics/roc"),
        "summaries/fact_checking",
    ),
    "summary-fine-tuning": (*BY_FACT, SWITCHES, "statistics/draws", "summaries/fine_tuning"),
    "summary-overlap": (
        *(*SUMMARIES, "statistics/draws", *MEANS, "summaries/fine_tuning"),
        "summaries/overlap",
    ),
    "summary-perturbation": (*BY_FACT, SWITCHES, "summaries/perturbation"),
    "summary-sharing": (*SUMMARIES, *MEANS, "summaries/sharing"),
    "table-ablation": (*SETTING_TABLE, "summaries/ablation", *MEANS),
    "table-audit": (*TABLE, "audit/stored", "study/names", "summaries/wording", SWITCHES),
    "table-contrasts": (*SUMMARIES, "paper/contrasts", "study/registry", "summaries/wording", "tables/lines", *TABLE),
    "table-degeneracy": SETTING_TABLE,
    "table-enhancement": (*SETTING_TABLE, "tables/perturbation"),
    "table-fact-checking": (
        *(*SETTING_TABLE, SWITCHES, "statistics/detection", "statistics/draws", "statistics/roc"),
        "summaries/fact_checking",
    ),
    "table-fine-tuning": SETTING_TABLE,
    "table-funnel": (*TABLE, "storage/completeness", "study/names", "summaries/funnel"),
    "table-overlap": SETTING_TABLE,
    "table-page": (CHECKED, "tables/reading"),
    "table-reported": (*SUMMARIES, "study/registry", "summaries/wording", *TABLE),
    "table-seeds": (*TABLE, *OVER_SEEDS),
    "table-sensitivity": (
        *("statistics/inference", "study/names", *MEANS, "summaries/sensitivity"),
        *("summaries/wording", *TABLE),
    ),
    "table-sharing": (*SETTING_TABLE, *MEANS, "summaries/sharing"),
    "table-suppression": (*SETTING_TABLE, "tables/perturbation"),
    "table-verdicts": ("study/names", "summaries/wording", *TABLE),
    "verify": ("paper/reproduction", *TABLE),
    "verdicts": (
        *(*CLAIMS, *OVER_SEEDS, "paper/growth", "paper/model_size", "paper/verdicts"),
        "statistics/simultaneous",
    ),
}
