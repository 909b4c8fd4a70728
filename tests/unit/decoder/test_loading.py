"""How a model is loaded: onto the GPUs there are, and only where its weights fit and its numbers are finite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    GPT2LMHeadModel,
)

from dkn.decoder.encoded_facts import encode
from dkn.decoder.loading import devices_of, load
from dkn.errors import UserError
from dkn.models import opening
from tests.unit.model_folders import TEXT, change_tensors, ends_texts
from tests.unit.one_line import line_of


@pytest.mark.parametrize(
    ("device", "gpus", "visible", "expected"),
    [
        ("auto", 1, 0, ["cpu"]),
        ("auto", 2, 0, ["cpu"]),
        ("cpu", 2, 4, ["cpu"]),
        ("auto", 1, 4, ["cuda:0"]),
        ("auto", 0, 4, ["cuda:0"]),
        ("cuda", 3, 4, ["cuda:0", "cuda:1", "cuda:2"]),
        ("cuda", 3, 2, ["cuda:0", "cuda:1"]),
    ],
)
def test_a_model_goes_onto_the_gpus_there_are(
    device: str, gpus: int, visible: int, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: visible)
    assert list(map(str, devices_of(device, gpus))) == expected


@pytest.mark.parametrize(("device", "said"), [("cuda", "PyTorch sees no GPU"), ("gpu", "allowed: auto, cpu, cuda")])
def test_a_device_that_is_not_there_is_one_line(device: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(UserError, match=said):
        devices_of(device, 1)


def test_weights_that_do_not_fit_the_device_are_one_line(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_to_move(*_arguments: object, **_settings: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.\nAt length.")

    monkeypatch.setattr(GPT2LMHeadModel, "to", refuse_to_move)
    with pytest.raises(UserError) as caught:
        load(saved, device="cpu")
    message = line_of(caught)
    assert message.startswith(f"{saved}: 0.0 GB of float32 weights do not fit")
    assert all(part in message for part in ("on cpu", "bfloat16", "`gpus`", "compute.device"))


WEIGHT, BIAS = "transformer.h.1.mlp.c_proj.weight", "transformer.h.1.mlp.c_fc.bias"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", [WEIGHT, "transformer.wte.weight", "transformer.ln_f.bias"])
def test_a_weight_that_is_not_finite_is_named(name: str, number: float, local: Path) -> None:
    """Even one that the first tokens never meet."""
    change_tensors(local, lambda tensors: tensors[name].view(-1)[-1:].fill_(number))
    with pytest.raises(UserError) as caught:
        load(local, device="cpu")
    assert line_of(caught) == f"{local}: not finite (NaN or infinite) in float32: tensor {name}"


def test_large_weights_whose_sum_overflows_are_finite(local: Path) -> None:
    change_tensors(local, lambda tensors: tensors["transformer.wpe.weight"].fill_(3e38))
    with pytest.raises(UserError, match=r"not finite .* in float32: the output of "):
        load(local, device="cpu")


def test_weights_beyond_float16_are_named_with_what_to_do(local: Path) -> None:
    change_tensors(local, lambda tensors: tensors[WEIGHT].view(-1)[:1].fill_(1e5))
    load(local, device="cpu")
    load(local, device="cpu", dtype="bfloat16")
    with pytest.raises(UserError) as caught:
        load(local, device="cpu", dtype="float16")
    assert line_of(caught).startswith(f"{local}: not finite (NaN or infinite) in float16: tensor {WEIGHT}; ")
    assert "use dtype: float32 or bfloat16" in line_of(caught)


def test_an_overflow_on_the_way_names_the_first_module(local: Path) -> None:
    """Weights that float16 holds, and products that it does not."""
    change_tensors(local, lambda tensors: (tensors[WEIGHT].fill_(6e4), tensors[BIAS].fill_(100)))
    with pytest.raises(UserError) as caught:
        load(local, device="cpu", dtype="float16")
    assert "in float16: the output of transformer.h.1.mlp.c_proj; " in line_of(caught)


def test_answers_follow_prompts_though_the_tokenizer_ends_texts(local: Path) -> None:
    expected = load(local, device="cpu")
    ends_texts(local)
    found = load(local, device="cpu")
    prompt, answer = TEXT.rsplit(" ", 1)
    assert encode(found, "x", prompt, answer) == encode(expected, "x", prompt, answer)


@pytest.mark.parametrize("what", ["AutoModelForCausalLM", "AutoTokenizer"])
def test_too_little_memory_is_one_line(what: str, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any, **_settings: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(getattr(opening, what), "from_pretrained", refuse)
    with pytest.raises(UserError) as caught:
        load(saved, device="cpu")
    assert line_of(caught).startswith(f"{saved}: not enough memory to load the ")
