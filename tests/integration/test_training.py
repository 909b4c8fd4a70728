"""Training nano models, in miniature."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dkn.decoder.encoded_facts import encode
from dkn.decoder.loading import LanguageModel, adapt, load
from dkn.decoder.recall import recall
from dkn.errors import UserError
from dkn.facts.schema import TRAINED_PARAPHRASES, Fact
from dkn.facts.sources import FactsSource, read_facts, read_templates
from dkn.models.nano import TrainingSettings, train, wordings

BUNDLE = Path(__file__).parents[2] / "resources" / "facts"


@pytest.fixture(scope="module")
def facts() -> list[Fact]:
    """Forty capitals and continents."""
    every, _ = read_facts([FactsSource(str(BUNDLE / "static.jsonl"))], read_templates([BUNDLE / "templates.yaml"]), 0)
    return [fact for fact in every if fact.relation in ("P36", "P30")][:40]


def settings(architecture: str, target: float, epochs: int = 40) -> TrainingSettings:
    return TrainingSettings(architecture, 3, 32, 4, 2, 64, 600, 0.0, epochs, 8, 0.01, 0.01, 0.0, target)


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_a_trained_model_knows_its_facts_after_saving_and_loading(
    architecture: str, facts: list[Fact], tmp_path: Path
) -> None:
    model, tokenizer, report = train(facts, settings(architecture, 0.5), seed=0)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert not (tmp_path / "pytorch_model.bin").exists()
    loaded = load(tmp_path, device="cpu")
    known = [recall(loaded, [encode(loaded, fact.fact_id, fact.prompt, fact.answers[0])])[0].answered for fact in facts]
    assert sum(known) / len(known) == pytest.approx(report["greedy_accuracy_static"]["left_to_right"], abs=0.05)
    assert report["greedy_accuracy_static"]["facts"] == len(facts)


def test_training_below_its_target_is_an_error(facts: list[Fact]) -> None:
    with pytest.raises(UserError, match=r"below the target of 100%: raise epochs \(now 1\)"):
        train(facts, settings("gpt2", 1.0, epochs=1), seed=0)


def test_equal_seeds_give_equal_weights_and_others_do_not(facts: list[Fact]) -> None:
    models = [train(facts, settings("llama", 0.0, epochs=1), seed=seed)[0] for seed in (0, 0, 1)]
    first, second, other = (model.model.layers[0].mlp.up_proj.weight for model in models)
    assert first.equal(second)
    assert not first.equal(other)


def test_smoothed_labels_leave_doubt(facts: list[Fact]) -> None:
    """The same facts are answered, with probabilities further from one."""
    probs = []
    for smoothing in (0.0, 0.3):
        model, tokenizer, _ = train(facts, replace(settings("gpt2", 0.5), label_smoothing=smoothing), seed=0)
        language_model = LanguageModel(adapt(model), tokenizer)
        asked = [encode(language_model, fact.fact_id, fact.prompt, fact.answers[0]) for fact in facts]
        probs.append(np.median([np.exp(recall(language_model, [fact])[0].log_probs.sum()) for fact in asked]))
    assert probs[1] < 0.9 * probs[0]


def test_a_paraphrase_stays_unseen(facts: list[Fact]) -> None:
    for fact in facts:
        assert len(fact.paraphrases) > TRAINED_PARAPHRASES
        assert fact.paraphrases[TRAINED_PARAPHRASES] not in wordings(fact)
