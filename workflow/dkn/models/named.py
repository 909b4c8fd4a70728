"""A model by whatever names it: a prepared folder, a folder in Hugging Face's layout, a GGUF file, or a hub name.

What is not prepared yet is prepared in a scratch folder, by the functions of the stages ``model-folder``,
``model-gguf`` and ``model-hub``.
"""

from __future__ import annotations

import re
from pathlib import Path

from dkn.errors import UserError
from dkn.models.gguf_files import leaving_out, require_gguf, whole_files
from dkn.models.gguf_weights import convert_gguf
from dkn.models.sources import finish, hub_snapshot, link_folder
from dkn.models.weights import json_object
from dkn.storage.files import atomic_folder

_HUB_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*/[A-Za-z0-9_][A-Za-z0-9._-]*")


def is_prepared(folder: Path) -> bool:
    """Tell whether a stage has prepared a folder: its provenance.json has the checksums of the model's files."""
    path = folder / "provenance.json"
    if not path.is_file():
        return False
    try:
        return isinstance(json_object(path).get("files"), dict)
    except UserError:
        return False


def short_name(model: str) -> str:
    """Return what a model is called: the name of its entry in a study, of its folder, of its file, or on the hub."""
    path = Path(model)
    if not path.exists():
        return model
    own = path.resolve()
    if own.name == "model" and is_prepared(own):
        return own.parent.name  # of results/NAME/model
    return own.stem if own.is_file() else own.name


def _from_hub(repo: str, revision: str, target: Path) -> None:
    with atomic_folder(target) as folder:
        try:
            snapshot = hub_snapshot(repo, revision)
        except UserError as error:  # which speaks of a study's configuration
            raise UserError(str(error).replace("use `source: folder`", "name its folder here")) from None
        link_folder(snapshot, folder)
        finish(folder, "model-hub", {"repo": repo, "revision": revision, "commit": snapshot.name})


def _from_folder(path: Path, target: Path) -> None:
    with atomic_folder(target) as folder:
        link_folder(path, folder)
        finish(folder, "model-folder", {"path": str(path)})


def _from_gguf(path: Path, target: Path, scratch: Path) -> None:
    with leaving_out(scratch), atomic_folder(target) as folder:
        require_gguf([path])
        convert_gguf(whole_files([path], scratch), folder)
        finish(folder, "model-gguf", {"path": [str(path)], "sha256": None}, [path])


def prepared_folder(model: str, revision: str | None, scratch: Path) -> Path:
    """Return a prepared folder of a model, which is the model's own where it is prepared already.

    Args:
        model: a folder (a study's folder of the model's results too), a .gguf file, or the name of a model of the
            Hugging Face hub, ``owner/name``. What exists here is never looked for on the hub.
        revision: the hub's commit, branch or tag, which a hub name needs and nothing else takes.
        scratch: an existing folder for what is prepared now.
    Raises:
        UserError: there is no such model, it cannot be prepared, or the revision is missing or has no use.
    """
    path, target = Path(model), scratch / "model"
    if not model.strip():
        raise UserError("the model's name is empty; allowed: a folder, a .gguf file, or a hub name, owner/name")
    if path.exists():
        if revision is not None:
            raise UserError(f"{model}: is here, and a revision is for models of the hub; leave it out")
        if path.is_file():
            _from_gguf(path, target, scratch)
        elif prepared := [folder for folder in (path, path / "model") if is_prepared(folder)]:
            return prepared[0]
        else:
            _from_folder(path, target)
        return target
    if not _HUB_NAME.fullmatch(model) or model.endswith(".gguf"):
        raise UserError(f"{model}: no such folder or .gguf file, and no name on the hub either, which is owner/name")
    if revision is None:
        raise UserError(
            f"{model}: no such folder here; a model of the hub needs a revision (a commit, a branch or a tag), so that "
            f"what is asked stays the same"
        )
    _from_hub(model, revision, target)
    return target
