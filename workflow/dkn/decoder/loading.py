"""Loaded language models: weights from a prepared folder, on one device or several, behind their family's adapter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from dkn.decoder.adapters import Adapter
from dkn.decoder.placement import spread
from dkn.decoder.prefix import read_prompts
from dkn.errors import UserError
from dkn.models.families import require_family
from dkn.models.opening import one_line, read_model, read_tokenizer, require_tokens_inside
from dkn.models.prepared import require_as_prepared

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def adapt(model: PreTrainedModel, devices: Sequence[torch.device] = ()) -> Adapter:
    """Return the adapter of a loaded model, which goes into evaluation mode, without gradients of its parameters.

    Args:
        devices: the devices that the model is moved to, spread over them if there are several; none leaves it in place.
    Raises:
        torch.OutOfMemoryError: the weights do not fit on the devices.
        UserError: the family has no adapter, weights or logits are not finite, or the adapter does not reproduce the
            model's own logits.
    """
    require_family(model.config.model_type)
    model.eval().requires_grad_(False)
    adapter = Adapter(model)
    if devices:
        spread(adapter, devices)
    _check_weights(model)
    _check_parity(adapter)
    return adapter


def _not_finite(model: PreTrainedModel, what: str) -> UserError:
    """Return an error about the first numbers of a model that are NaN or infinite."""
    half = "; float16 ends at 65504: use dtype: float32 or bfloat16" if model.dtype == torch.float16 else ""
    return UserError(f"not finite (NaN or infinite) in {str(model.dtype).removeprefix('torch.')}: {what}{half}")


@torch.no_grad()
def _check_weights(model: PreTrainedModel) -> None:
    """Raise unless all weights are finite; a sum shows in one pass that they are, since NaN and infinity stay in it."""
    for name, weight in model.named_parameters():
        if not weight.sum(dtype=torch.float32).isfinite() and not weight.isfinite().all():
            raise _not_finite(model, f"tensor {name}")


def _first_overflow(model: PreTrainedModel, tokens: torch.Tensor) -> str:
    """Return the name of the first module of a model whose output for some token ids is not finite."""
    found: list[str] = []

    def look(name: str, output: object) -> None:
        tensor = output[0] if isinstance(output, tuple) else output
        if not found and isinstance(tensor, torch.Tensor) and not tensor.isfinite().all():
            found.append(name)

    def hook(name: str) -> Callable[[nn.Module, object, object], None]:
        return lambda _module, _inputs, output: look(name, output)

    handles = [module.register_forward_hook(hook(name)) for name, module in model.named_modules() if name]
    model(tokens)
    for handle in handles:
        handle.remove()
    return f"the output of {found[0]}" if found else "the logits"


@torch.no_grad()
def _check_parity(adapter: Adapter) -> None:
    """Raise unless the adapter's steps give the model's own logits, at every position of a short text.

    A model may be of a known family and still have a setting that the family's adapter does not know.
    """
    vocabulary = adapter.model.config.vocab_size
    tokens = (torch.arange(6, device=adapter.device) * 7919 + 11) % vocabulary
    expected = adapter.model(tokens[None]).logits[0].float()
    if not expected.isfinite().all():
        raise _not_finite(adapter.model, _first_overflow(adapter.model, tokens[None]))
    if not expected.any():
        raise UserError("the model's logits are 0 for every token: a factor in its config.json, or its weights are 0")
    prefix = read_prompts(adapter, [tokens.tolist()], [range(len(tokens))])
    logits = adapter.unembed(adapter.final_norm(prefix.final[0]))
    if not logits.isfinite().all():
        raise _not_finite(adapter.model, "the logits of the adapter's steps")
    difference = float((logits - expected).abs().max() / expected.abs().max())
    if not difference < (1e-4 if adapter.model.dtype == torch.float32 else 0.1):
        raise UserError(
            f"the {adapter.model.config.model_type} adapter does not reproduce this model's logits (relative "
            f"difference {difference:.3g}): its config changes something the adapter does not know, or the family's "
            f"description in workflow/dkn/families.py is wrong"
        )


@dataclass(frozen=True)
class LanguageModel:
    """A loaded model, as its adapter, and its tokenizer."""

    adapter: Adapter
    tokenizer: PreTrainedTokenizerBase

    @property
    def mask_token(self) -> int:
        """The token that replaces a masked token: the tokenizer's mask token, else its end-of-text token.

        Raises:
            UserError: the tokenizer has neither.
        """
        for token in (self.tokenizer.mask_token_id, self.tokenizer.eos_token_id):
            if token is not None:
                return token
        raise UserError("the tokenizer has neither a mask nor an end-of-text token; the amig baseline needs one")


def devices_of(device: str, gpus: int) -> list[torch.device]:
    """Return the devices that a model is spread over.

    Args:
        device: ``cpu``, ``cuda``, or ``auto`` for GPUs where PyTorch sees any, else the CPU.
        gpus: the most GPUs; a number below 1 counts as 1.
    Raises:
        UserError: ``device`` is unknown, or it is ``cuda`` and PyTorch sees no GPU.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise UserError(f"unknown device {device!r}; allowed: auto, cpu, cuda")
    visible = 0 if device == "cpu" else torch.cuda.device_count()
    if device == "cuda" and not visible:
        raise UserError("device cuda: PyTorch sees no GPU here; use compute.device: auto or cpu, or PyTorch with CUDA")
    if not visible:
        return [torch.device("cpu")]
    return [torch.device("cuda", number) for number in range(min(max(gpus, 1), visible))]


def load(folder: Path, device: str = "auto", dtype: str = "float32", gpus: int = 1) -> LanguageModel:
    """Load a model from a prepared folder of safetensors weights and tokenizer files; no code in it is executed.

    Args:
        folder: a folder in Hugging Face's layout.
        device: ``cpu``, ``cuda``, or ``auto`` for a GPU where there is one.
        dtype: the weights' type on the device: ``float32``, ``bfloat16`` or ``float16``.
        gpus: the most GPUs that the model is spread over; fewer where fewer are visible.
    Raises:
        UserError: the folder holds no whole model, its tensors are not those of its architecture, a token lies outside
            the embeddings, numbers are not finite, ``dtype`` or ``device`` is unknown, or the weights do not fit.
    """
    if dtype not in DTYPES:
        raise UserError(f"unknown dtype {dtype!r}; allowed: {', '.join(DTYPES)}")
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder}: no model here (config.json is missing)")
    devices = devices_of(device, gpus)
    tokenizer = read_tokenizer(folder)
    model = read_model(folder, DTYPES[dtype])
    require_tokens_inside(tokenizer, model, folder)
    try:
        with one_line(folder, "the model"):
            return LanguageModel(adapt(model, devices), tokenizer)
    except UserError as error:
        raise UserError(f"{folder}: {str(error).removeprefix(f'{folder}: ')}") from None
    except torch.OutOfMemoryError:
        size = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
        raise UserError(
            f"{folder}: {size / 1e9:.1f} GB of {dtype} weights do not fit on {', '.join(map(str, devices))}; spread "
            f"the model over more GPUs (its `gpus`), or use dtype: bfloat16, larger devices, or compute.device: cpu"
        ) from None


def open_model(folder: Path, device: str, dtype: str, threads: int, gpus: int) -> LanguageModel:
    """Let PyTorch use ``threads`` CPU threads, and load a prepared model as ``load`` does.

    Args:
        folder, device, dtype, gpus: as ``load`` takes them.
        threads: the number of CPU threads, at least 1.
    Raises:
        UserError: a file is not the one that was prepared, or as ``load`` raises it.
    """
    torch.set_num_threads(threads)
    require_as_prepared(folder)
    return load(folder, device, dtype, gpus)
