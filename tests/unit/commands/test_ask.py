"""The command that asks for one fact: text, JSON and page, and mistakes in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.unit.model_folders import change_json
from tests.unit.stage_runs import status_of

FACT = ["the capital of France is", "Paris", "--device=cpu"]


def test_it_prints_a_screen_of_text(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["ask", *FACT, "--model", str(saved)]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("the capital of France is … Paris\n")
    assert "N, all knowledge neurons" in printed.out
    assert not printed.err


def test_json_and_page_come_together(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, config = tmp_path / "made" / "fact.html", tmp_path / "config.yaml"
    config.write_text("knowledge_neurons: {cap: 3}\n")
    given = ["--model", str(saved), "--config", str(config), "--html", str(path), "--json", "--id", "paris"]
    assert status_of(["ask", *FACT, *given]) == 0
    said = json.loads(capsys.readouterr().out)
    assert len(said["knowledge_neurons"]) == 3
    assert said["provenance"]["settings"]["fact_id"] == "paris"
    assert path.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["", "Paris", "--model=model"], "error: the prompt '': empty"),
        (["x", "Paris", "--model=absent"], "error: absent: no such folder"),
        (
            ["x", "Paris", "--model=owner/name"],
            "error: owner/name: no such folder here; a model of the hub needs a rev",
        ),
        (["x", "Paris", "--model=mamba"], "error: mamba: model family 'mamba' has no adapter"),
        (["x", "Paris", "--model=model", "--config=absent.yaml"], "error: absent.yaml: cannot be read"),
        (["x", "Paris", "--model=model", "--dtype=int8"], "error: unknown dtype 'int8'"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str],
    said: str,
    saved: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("model", "mamba"):
        shutil.copytree(saved, name)
    change_json(Path("mamba/config.json"), model_type="mamba")
    assert status_of(["ask", *arguments, "--device=cpu"]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(said)
    assert printed.err.count("\n") == 1
    assert not printed.out
