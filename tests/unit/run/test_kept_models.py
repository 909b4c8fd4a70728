"""Prepared models that are set aside for a run: put back where it made no new one, deleted where it did."""

from __future__ import annotations

from pathlib import Path

import pytest

from dkn.errors import UserError
from dkn.run.kept_models import kept, put_back, set_aside
from tests.unit.one_line import line_of


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Two prepared models, and the place of a third that has never been."""
    found = [tmp_path / name / "model" for name in "abc"]
    for folder in found[:2]:
        make(folder, "first")
    return found


def make(folder: Path, text: str) -> None:
    """Prepare a model, a link among its files."""
    folder.mkdir(parents=True)
    (folder / "weights").write_text(text)
    (folder / "link").symlink_to(folder.parent / "elsewhere")


def weights(folder: Path) -> str | None:
    """What a model holds; None where there is none."""
    return (folder / "weights").read_text() if folder.is_dir() else None


def test_a_model_is_put_back_where_there_is_no_new_one(folders: list[Path]) -> None:
    set_aside(folders)
    assert [weights(folder) for folder in folders] == [None] * 3
    make(folders[0], "second")
    assert put_back(folders) == [folders[1]]
    assert [weights(folder) for folder in folders] == ["second", "first", None]
    assert (folders[1] / "link").is_symlink()
    assert not any(kept(folder).exists() for folder in folders)


def test_after_a_killed_run_the_newest_model_stays(folders: list[Path]) -> None:
    set_aside(folders)
    make(folders[0], "second")
    set_aside(folders)  # the next run
    assert [weights(kept(folder)) for folder in folders] == ["second", "first", None]
    assert put_back(folders) == folders[:2]
    assert [weights(folder) for folder in folders] == ["second", "first", None]


def test_a_folder_that_cannot_be_renamed_is_one_line(folders: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(UserError) as caught:
        set_aside(folders)
    assert line_of(caught).startswith(f"{folders[0]}: cannot be written (Permission denied)")
