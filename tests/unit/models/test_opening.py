"""Models as transformers opens them: tensors against the architecture, tokens against the embeddings."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from dkn.__main__ import main
from dkn.errors import UserError
from dkn.models.opening import read_model, read_tokenizer, require_opens
from tests.unit.model_folders import END, TEXT, bpe, change_json, change_tensors, ends_texts, prepare, shard
from tests.unit.one_line import line_of

Tensors = dict[str, torch.Tensor]
MLP = "transformer.h.1.mlp."


def renamed(tensors: Tensors, rename: Callable[[str], str]) -> None:
    """Give every tensor another name."""
    for name in list(tensors):
        tensors[rename(name)] = tensors.pop(name)


def add(name: str, *shape: int) -> Callable[[Tensors], None]:
    """Add a tensor of zeros."""
    return lambda tensors: tensors.update({name: torch.zeros(shape)})


def drop(prefix: str) -> Callable[[Tensors], None]:
    """Remove the tensors of this prefix."""
    return lambda tensors: [tensors.pop(name) for name in list(tensors) if name.startswith(prefix)]  # type: ignore[func-returns-value]


UNFIT: dict[str, tuple[Callable[[Tensors], object], str]] = {
    "one layer's MLP is missing": (drop(MLP), f"lack 4 of the model's tensors: {MLP}c_fc.bias, {MLP}c_fc.weight, "),
    "one bias is missing": (drop(f"{MLP}c_fc.bias"), f"lack 1 of the model's tensors: {MLP}c_fc.bias"),
    "all names have a prefix": (
        lambda tensors: renamed(tensors, lambda name: f"model.{name}"),
        "the model's tensors: ",
    ),
    "a bias that the architecture lacks": (add(f"{MLP}gate.bias", 16), f"no place: {MLP}gate.bias"),
    "a bias named like a mask": (add("transformer.h.0.attn.bias", 16), "no place: transformer.h.0.attn.bias"),
    "a bias named nearly like a mask": (
        add("transformer.h.0.own_attn.bias", 1, 1, 4, 4),
        "no place: transformer.h.0.own",
    ),
    "a weight under two names": (add("h.0.ln_1.bias", 16), "no place: transformer.h.0.ln_1.bias"),
    "another shape": (
        lambda tensors: tensors.update({f"{MLP}c_fc.weight": torch.zeros(16, 63)}),
        f"tensor {MLP}c_fc.weight is 16 by 63, the architecture of config.json needs 16 by 64",
    ),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_tensors_that_are_not_the_architectures_are_named(
    kind: str, local: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before a model is prepared, when it is loaded, and in the command that makes the check alone."""
    spoil, cause = UNFIT[kind]
    change_tensors(local, spoil)
    for ask in (require_opens, read_model):
        with pytest.raises(UserError) as caught:
            ask(local)
        assert line_of(caught).startswith(f"{local}: ")
        assert cause in line_of(caught)
    capsys.readouterr()
    assert main(["model-folder", "--output", str(tmp_path / "out" / "model"), "--path", str(local)]) == 1
    assert capsys.readouterr().err == f"error: {caught.value}\n"
    assert main(["model-check", "--path", str(local), "--path", str(local)]) == 1
    assert capsys.readouterr() == (2 * f"{caught.value}\n", "error: 2 of 2 model folders cannot be used\n")
    assert not list((tmp_path / "out").iterdir())


def without_prefix(tensors: Tensors) -> None:
    """Name tensors as older checkpoints do, with the masks that those have."""
    renamed(tensors, lambda name: name.removeprefix("transformer."))
    tensors["h.0.attn.bias"] = torch.ones(1, 1, 32, 32).tril()
    tensors["h.0.attn.masked_bias"] = torch.tensor(-1e4)


def with_tied(tensors: Tensors) -> None:
    """Store the tied unembedding too."""
    tensors["lm_head.weight"] = tensors["transformer.wte.weight"].clone()


@pytest.mark.parametrize("change", [without_prefix, with_tied])
def test_what_other_versions_save_opens(change: Callable[[Tensors], None], local: Path) -> None:
    expected = read_model(local).state_dict()
    change_tensors(local, change)
    require_opens(local)
    found = read_model(local).state_dict()
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_shards_open_and_no_weight_is_read_for_the_check(local: Path) -> None:
    shard(local)
    require_opens(local)
    assert {weight.device.type for weight in read_model(local, device="meta").parameters()} == {"meta"}


def test_an_untied_unembedding_must_be_there(local: Path) -> None:
    change_json(local / "config.json", tie_word_embeddings=False)
    with pytest.raises(UserError, match=r"lack 1 of the model's tensors: lm_head\.weight"):
        require_opens(local)


# --- tokens -------------------------------------------------------------------------------------------------


def save_tokenizer(folder: Path, **settings: Any) -> PreTrainedTokenizerFast:
    """Another tokenizer for the saved model."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe()._tokenizer, **settings)
    tokenizer.save_pretrained(folder)
    return tokenizer


@pytest.mark.parametrize(
    ("settings", "cause"),
    [
        ({"eos_token": END, "mask_token": "<mask>"}, "the tokenizer's mask token has the id 271"),
        ({"eos_token": "<end>"}, "the tokenizer's eos token has the id 271"),
        ({"eos_token": END, "extra_special_tokens": ["<more>"]}, "token '<more>' has the id 271"),
    ],
)
def test_a_token_beyond_the_embeddings_is_named(settings: dict[str, Any], cause: str, local: Path) -> None:
    rows = save_tokenizer(local, eos_token=END).vocab_size
    save_tokenizer(local, **settings)
    with pytest.raises(UserError) as caught:
        require_opens(local)
    assert cause.replace("271", str(rows)) in line_of(caught)
    assert f"the embeddings have {rows} rows" in line_of(caught)


@pytest.mark.parametrize("start", ["", END], ids=["end only", "start and end"])
def test_a_tokenizer_that_appends_the_end_does_so_no_more(start: str, local: Path) -> None:
    plain = bpe().encode(TEXT).ids
    as_saved = ends_texts(local, start)
    end = as_saved.eos_token_id
    before = [end] if start else []
    assert as_saved(TEXT)["input_ids"] == [*before, *plain, end]
    assert read_tokenizer(local)(TEXT)["input_ids"] == [*before, *plain]


def test_a_tokenizer_that_cannot_be_kept_from_it_is_one_line(local: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_saved = ends_texts(local)

    class Slow:
        """A tokenizer without a backend whose ending could be changed."""

        convert_ids_to_tokens = as_saved.convert_ids_to_tokens

        def __call__(self, text: str, **settings: Any) -> Any:
            return as_saved(text, **settings)

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *_arguments, **_settings: Slow())
    with pytest.raises(UserError) as caught:
        read_tokenizer(local)
    assert f"ends every text with {END}, so that no answer can follow" in line_of(caught)


@pytest.mark.parametrize("content", ["{}", '{"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0}}}', "null"])
def test_a_tokenizer_that_cannot_be_read_is_one_line(content: str, local: Path) -> None:
    (local / "tokenizer.json").write_text(content)
    with pytest.raises(UserError) as caught:
        require_opens(local)
    assert line_of(caught).startswith(f"{local}: ")
    assert "Traceback" not in line_of(caught)


# --- what a library raises ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [{"n_embd": "16"}, {"n_layer": -1}, {"n_head": 3}, {"n_inner": 10**18}, {"activation_function": "none such"}],
)
def test_a_config_that_makes_no_model_is_one_line(config: dict[str, Any], local: Path) -> None:
    change_json(local / "config.json", **config)
    with pytest.raises(UserError) as caught:
        require_opens(local)
    assert line_of(caught).startswith(f"{local}: ")


NO_MEMORY = [
    MemoryError(),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: tried 4 GB"
    ),
    RuntimeError("unable to mmap 4 bytes from file </m>: Cannot allocate memory (12)"),
]


@pytest.mark.parametrize("error", NO_MEMORY, ids=lambda error: type(error).__name__)
def test_too_little_memory_is_one_line(error: Exception, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_settings: object) -> None:
        raise error

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", refuse)
    with pytest.raises(UserError, match="not enough memory to load the weights"):
        read_model(saved)


def test_code_in_a_folder_is_not_run(local: Path, tmp_path: Path) -> None:
    """``auto_map`` names code of the folder; the architecture is the library's own."""
    (local / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    for name in ("config.json", "tokenizer_config.json"):
        change_json(local / name, auto_map=dict.fromkeys(("AutoConfig", "AutoModelForCausalLM"), "own.Own"))
    require_opens(local)
    read_model(prepare(local, tmp_path / "model"))
    assert not (tmp_path / "ran").exists()
    assert json.loads((local / "config.json").read_text())["auto_map"]
