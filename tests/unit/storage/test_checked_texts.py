"""Checksums beside text files: what was written is read, and anything else is refused in one line."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dkn.errors import UserError
from dkn.storage.checked_texts import read_checked, write_checksums
from tests.unit.one_line import line_of


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table in two files with checksums."""
    files = [tmp_path / "funnel.csv", tmp_path / "funnel.md"]
    for file in files:
        file.write_text(f"é, {file.suffix}\n", encoding="utf-8")
    write_checksums(files)
    return files[0]


def test_what_was_written_is_read(table: Path) -> None:
    assert read_checked(table) == "é, .csv\n"
    assert read_checked(table.with_suffix(".md")) == "é, .md\n"
    checked = subprocess.run(["sha256sum", "--check", "funnel.sha256"], cwd=table.parent, check=True)  # noqa: S607
    assert checked.returncode == 0


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "edited": (lambda path: path.write_text("1\n"), "funnel.csv: is damaged or edited"),
    "emptied": (lambda path: path.write_text(""), "funnel.csv: is damaged or edited"),
    "no text": (lambda path: path.write_bytes(b"\xff\xfe"), "funnel.csv: is damaged or edited"),
    "no checksum": (lambda path: path.with_suffix(".sha256").write_bytes(b"\xff\n"), "states no checksum of funnel"),
    "of another": (lambda path: path.with_suffix(".sha256").write_text(f"{'0' * 64}  a.csv\n"), "states no checksum"),
    "twice": (
        lambda path: path.with_suffix(".sha256").write_text(path.with_suffix(".sha256").read_text() * 2),
        "is damaged or edited",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_anything_else_is_refused(damage: str, table: Path) -> None:
    spoil, message = DAMAGES[damage]
    spoil(table)
    with pytest.raises(UserError) as caught:
        read_checked(table)
    assert message in line_of(caught)
    assert "snakemake --cores 1 --force" in str(caught.value)


@pytest.mark.parametrize("suffix", [".csv", ".sha256"])
def test_a_missing_file_is_named(suffix: str, table: Path) -> None:
    table.with_suffix(suffix).unlink()
    with pytest.raises(FileNotFoundError, match=rf"funnel\{suffix}"):
        read_checked(table)
