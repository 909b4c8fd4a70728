"""A real conda, and a channel on disk for it, where a Python package index is all that can be reached.

The environments take python and pip from their channel and everything else from the package index, so a channel with
two packages serves them: the interpreter that runs the tests, and pip's own wheel.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SUBDIRECTORY = "linux-64"
CHANNEL = "conda-forge"
LEFT_OUT = ("site-packages", "test", "idlelib", "turtledemo", "ensurepip", "__pycache__", "config-*")
PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"

# The package conda_lock is entered without running its own __init__, which wants packages that are not installed.
LAUNCHER = """#!{python} -I
import os, sys, types
from importlib.util import find_spec
folder = os.path.dirname(find_spec("conda_lock").origin)
sys.modules["conda_lock"] = types.ModuleType("conda_lock")
sys.modules["conda_lock"].__path__ = [folder]
sys.path.insert(0, os.path.join(folder, "_vendor"))
os.environ["CONDA_EXE"] = {conda!r}
if __name__ == "__main__":  # conda starts processes of its own, which import this file
    from conda.cli import main
    sys.exit(main())
"""

# As conda's own script does, a failure only returns: the shell that sources this goes on.
ACTIVATE = """code=$('{conda}' shell.posix activate "$1") || return
eval "$code"
"""

CONDARC = """channels: [{name}]
custom_channels: {{{name}: "file://{folder}"}}
channel_priority: strict
solver: classic
pkgs_dirs: [{root}/pkgs]
number_channel_notices: 0
notify_outdated_conda: false
auto_activate_base: false
aggressive_update_packages: []
"""


def install(root: Path, channels: Path) -> Path:
    """Put conda into a new folder, with a channel conda-forge below ``channels``; its program's path."""
    subprocess.run([sys.executable, "-m", "venv", root], check=True)
    pip = [root / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "-r", HERE / "requirements.txt"], check=True)
    conda = root / "condabin" / "conda"
    _write_program(conda, LAUNCHER.format(python=root / "bin" / "python", conda=str(conda)))
    _write_program(root / "bin" / "activate", ACTIVATE.format(conda=conda))
    (root / "conda-meta").mkdir()
    (root / "conda-meta" / "history").touch()
    (root / ".condarc").write_text(CONDARC.format(name=CHANNEL, folder=channels, root=root))
    channel = channels / CHANNEL
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*pip, "download", "--no-deps", "--dest", folder, "pip"], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        _package_pip(channel / "noarch", wheel)
    _package_python(channel / SUBDIRECTORY, root / "bin" / "patchelf")
    for name in ("noarch", SUBDIRECTORY):
        _write_index(channel / name)
    return conda


def _write_program(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def _package_python(folder: Path, patchelf: Path) -> None:
    """The running interpreter with its standard library, looking for its shared library beside itself."""
    base = Path(sys.base_prefix)
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name)
        (tree / "bin").mkdir()
        shutil.copy2(base / "bin" / PYTHON, tree / "bin" / PYTHON)
        for link in ("python", "python3"):
            (tree / "bin" / link).symlink_to(PYTHON)
        ignore = shutil.ignore_patterns(*LEFT_OUT)
        shutil.copytree(base / "lib" / PYTHON, tree / "lib" / PYTHON, symlinks=True, ignore=ignore)
        site = tree / "lib" / PYTHON / "site-packages"
        site.mkdir()
        (site / "README.txt").write_text("other packages go here\n")
        library = sysconfig.get_config_var("INSTSONAME")
        if sysconfig.get_config_var("Py_ENABLE_SHARED"):
            shutil.copy2(base / "lib" / library, tree / "lib" / library)
            subprocess.run([patchelf, "--set-rpath", "$ORIGIN/../lib", tree / "bin" / PYTHON], check=True)
        _write_package(folder, tree, {"name": "python", "version": platform.python_version(), "build": "0"})


def _package_pip(folder: Path, wheel: Path) -> None:
    """pip's wheel as a package for any interpreter; conda writes its program."""
    with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(wheel) as archive:
        archive.extractall(Path(name) / "site-packages")  # noqa: S202 - what pip itself fetched
        version = wheel.name.split("-")[1]
        index = {"name": "pip", "version": version, "build": "py_0", "depends": ["python"], "noarch": "python"}
        link = {"type": "python", "entry_points": ["pip = pip._internal.cli.main:main"]}
        _write_package(folder, Path(name), index, {"package_metadata_version": 1, "noarch": link})


def _write_package(folder: Path, tree: Path, index: dict[str, Any], link: dict[str, Any] | None = None) -> None:
    """Archive a folder of files with what conda wants to know of each."""
    files = sorted(path for path in tree.rglob("*") if path.is_symlink() or not path.is_dir())
    names = [str(path.relative_to(tree)) for path in files]
    paths = [
        {"_path": name, "path_type": "softlink"}
        if path.is_symlink()
        else {"_path": name, "path_type": "hardlink", "sha256": _sha256(path), "size_in_bytes": path.stat().st_size}
        for path, name in zip(files, names, strict=True)
    ]
    index = {"depends": [], "build_number": 0, **index, "subdir": folder.name}
    about = {"index.json": index, "paths.json": {"paths": paths, "paths_version": 1}, "link.json": link}
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "{name}-{version}-{build}.tar.bz2".format(**index)
    with tarfile.open(target, "w:bz2", compresslevel=1) as archive:
        for name, content in about.items():
            if content is not None:
                _add_text(archive, f"info/{name}", json.dumps(content))
        _add_text(archive, "info/files", "\n".join(names) + "\n")
        for path, name in zip(files, names, strict=True):
            archive.add(path, name, recursive=False)


def _add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(text.encode())
    archive.addfile(entry, io.BytesIO(text.encode()))


def _write_index(folder: Path) -> None:
    """``repodata.json``: what the folder's packages say of themselves, and their checksums."""
    packages = {}
    for path in folder.glob("*.tar.bz2"):
        with tarfile.open(path) as archive:
            index = archive.extractfile("info/index.json")
            assert index
            about = json.load(index)
        packages[path.name] = {**about, "sha256": _sha256(path), "size": path.stat().st_size}
    content = {"info": {"subdir": folder.name}, "packages": packages, "packages.conda": {}, "repodata_version": 1}
    (folder / "repodata.json").write_text(json.dumps(content))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
