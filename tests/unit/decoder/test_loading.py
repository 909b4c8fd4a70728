"""Where a model is loaded: on the GPUs there are, and weights that do not fit there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import (
    GPT2LMHeadModel,
)

from dkn.decoder.loading import devices_of, load
from dkn.errors import UserError
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
