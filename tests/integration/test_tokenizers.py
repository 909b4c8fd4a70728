"""Facts in the tokens of every kind of tokenizer: where an answer begins, which tokens it has, what is masked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from dkn.decoder.encoded_facts import EncodingSettings, encode
from dkn.decoder.loading import LanguageModel
from dkn.errors import UserError
from dkn.models.opening import read_tokenizer

BEGIN, END, UNKNOWN, MASK = "<s>", "</s>", "<unk>", "<mask>"
SPECIAL = [UNKNOWN, BEGIN, END]
FACTS = [
    ("In 2010, Valentino Rossi plays for", "Yamaha Motor Racing"),
    ("The capital of France is", "Paris"),
    ("The native language of Albert Einstein is", "German"),
    ("The author of “Don Quixote” is", "Miguel de Cervantes"),
    ("iPhone 5 is made by", "Apple Inc."),
]
TEXTS = [f"{prompt} {answer}." for prompt, answer in FACTS] * 3


def byte_level() -> Tokenizer:
    """As GPT-2, SmolLM2 and Llama 3 have it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def pieces(scheme: str, unigram: bool = False) -> Callable[[], Tokenizer]:
    """As SentencePiece makes it, by BPE (LLaMA 2, Mistral) or Unigram; a space stands before a text, or does not."""

    def make() -> Tokenizer:
        tokenizer = Tokenizer(models.Unigram() if unigram else models.BPE(unk_token=UNKNOWN, fuse_unk=True))
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=True)
        steps = [decoders.Replace("▁", " "), decoders.Fuse()]
        tokenizer.decoder = decoders.Sequence(
            steps + ([] if scheme == "never" else [decoders.Strip(content=" ", left=1)])
        )
        settings: dict[str, Any] = {"vocab_size": 150, "special_tokens": SPECIAL, "show_progress": False}
        trainer = trainers.UnigramTrainer(**settings, unk_token=UNKNOWN) if unigram else trainers.BpeTrainer(**settings)
        tokenizer.train_from_iterator(TEXTS, trainer)
        return tokenizer

    return make


def gemma() -> Tokenizer:
    """As Gemma has it: BPE over whole texts, spaces replaced, no space before a text."""
    tokenizer = pieces("never")()
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    return tokenizer


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "byte-level": byte_level,
    **{f"BPE, {scheme}": pieces(scheme) for scheme in ("always", "first", "never")},
    **{f"Unigram, {scheme}": pieces(scheme, unigram=True) for scheme in ("always", "first", "never")},
    "Gemma": gemma,
}
AROUND = {"nothing": "$A", "beginning": f"{BEGIN} $A", "both": f"{BEGIN} $A {END}", "end": f"$A {END}"}


@dataclass(frozen=True)
class Case:
    """A tokenizer as a model's folder has it, and the same without special tokens around a text."""

    model: LanguageModel
    plain: Tokenizer
    begins: bool


@pytest.fixture(params=[(kind, around) for kind in KINDS for around in AROUND], ids=lambda param: ", ".join(param))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    """Every kind, saved and read again by the study's own reader."""
    kind, around = request.param
    plain = KINDS[kind]()
    whole = Tokenizer.from_str(plain.to_str())
    numbers = [(token, whole.token_to_id(token)) for token in (BEGIN, END)]
    whole.post_processor = TemplateProcessing(single=AROUND[around], special_tokens=numbers)
    tokens = {"bos_token": BEGIN, "eos_token": END, "unk_token": UNKNOWN}
    PreTrainedTokenizerFast(tokenizer_object=whole, **tokens).save_pretrained(tmp_path)
    adapter: Any = SimpleNamespace(context=512)
    return Case(LanguageModel(adapter, read_tokenizer(tmp_path)), plain, BEGIN in AROUND[around])


def test_an_answers_tokens_are_those_of_prompt_and_answer_together(case: Case) -> None:
    """The beginning token once, before the prompt; nothing after the answer; no token of both."""
    beginning = [case.plain.token_to_id(BEGIN)] if case.begins else []
    for prompt, answer in FACTS:
        fact = encode(case.model, "f", prompt, answer)
        assert fact.prompt == [*beginning, *case.plain.encode(prompt).ids]
        assert fact.prompt + fact.answer == [*beginning, *case.plain.encode(f"{prompt} {answer}").ids]
        assert fact.special == len(beginning)


def test_an_answers_tokens_are_the_text_that_follows_the_prompt(case: Case) -> None:
    """What a model says after the prompt is read by the same rule: its tokens hold the answer and the space before."""
    for prompt, answer in FACTS:
        fact = encode(case.model, "f", prompt, answer)
        text = [case.model.tokenizer.decode(fact.prompt[fact.special :] + fact.answer[:n]) for n in (0, None)]
        assert text == [prompt, f"{prompt} {answer}"]
        assert case.model.tokenizer.convert_ids_to_tokens(fact.answer[:1])[0][0] in "▁Ġ"


def test_an_answer_alone_has_the_first_space_that_the_tokenizer_gives_it(case: Case) -> None:
    """The released code's tokens of an answer differ from those in a sentence, unless each text begins with a space."""
    beginning = [case.plain.token_to_id(BEGIN)] if case.begins else []
    scheme = getattr(case.plain.pre_tokenizer, "prepend_scheme", "never")
    for prompt, answer in FACTS:
        alone = encode(case.model, "f", prompt, answer, EncodingSettings("alone")).answer
        together = encode(case.model, "f", prompt, answer).answer
        assert alone == [*beginning, *case.plain.encode(answer).ids]
        assert (alone[len(beginning) :] == together) == (scheme != "never")


# --- the mask -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_is_the_tokenizers_own_or_the_end_of_a_text(kind: str, tmp_path: Path) -> None:
    adapter: Any = SimpleNamespace(context=512)
    found, trained = [], KINDS[kind]().to_str()
    for number, mask in enumerate(({}, {"mask_token": MASK})):
        inner = Tokenizer.from_str(trained)
        inner.add_special_tokens([AddedToken(token, normalized=False) for token in mask.values()])
        folder = tmp_path / str(number)
        PreTrainedTokenizerFast(tokenizer_object=inner, eos_token=END, **mask).save_pretrained(folder)
        found.append(LanguageModel(adapter, read_tokenizer(folder)))
    assert [model.mask_token for model in found] == [
        *(found[0].tokenizer.convert_tokens_to_ids(END), found[1].tokenizer.convert_tokens_to_ids(MASK)),
    ]
    one, other = (encode(model, "f", *FACTS[0]) for model in found)
    assert (one.prompt, one.answer) == (other.prompt, other.answer), "a mask changes no fact"


def test_a_tokenizer_with_neither_is_one_line(tmp_path: Path) -> None:
    PreTrainedTokenizerFast(tokenizer_object=byte_level()).save_pretrained(tmp_path)
    adapter: Any = SimpleNamespace(context=512)
    with pytest.raises(UserError, match="neither a mask nor an end-of-text token"):
        _ = LanguageModel(adapter, read_tokenizer(tmp_path)).mask_token


# --- where prompt and answer cannot be told apart -----------------------------------------------------------


def test_a_token_of_both_prompt_and_answer_is_refused() -> None:
    """A tokenizer may join words, as one of BPE over whole texts does whose vocabulary has such a piece."""
    tree = json.loads(gemma().to_str())
    size = len(tree["model"]["vocab"])
    tree["model"]["vocab"]["s▁"] = size
    tree["model"]["merges"].insert(0, ["s", "▁"])
    inner = Tokenizer.from_str(json.dumps(tree))
    inner.pre_tokenizer = None  # type: ignore[assignment]
    adapter: Any = SimpleNamespace(context=512)
    model = LanguageModel(adapter, PreTrainedTokenizerFast(tokenizer_object=inner, eos_token=END))
    with pytest.raises(UserError) as caught:
        encode(model, "f", "The capital of France is", "Paris")
    assert str(caught.value) == (
        "fact f: the tokenizer joins the end of 'The capital of France is' with the answer 'Paris'"
    )
