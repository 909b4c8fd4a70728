"""Text is read and written as UTF-8 whatever the locale says, by this library and by the jobs of a run."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dkn.run.jobs import before_every_job
from dkn.stages import PACKAGE

ROOT = PACKAGE.parents[1]
FILES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "benchmarks").glob("*.py"), ROOT / "envs" / "pin.py"])
TEXT = {"read_text", "write_text"}
PROCESSES = {"run", "Popen", "check_output"}  # of subprocess; they give bytes unless they are asked for text
NO_TEXT = {"os", "archive", "Image"}  # what is opened by os.open, out of a ZIP file and by Pillow is bytes


def without_encoding(source: str) -> Iterator[str]:
    """Every call that reads or writes text in the locale's encoding, as its line. pandas writes UTF-8 by itself."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or any(keyword.arg == "encoding" for keyword in node.keywords):
            continue
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        of = owner.id if isinstance(owner, ast.Name) else ""
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        given = [ast.unparse(argument) for argument in node.args] + [keywords.get("mode", "")]
        text = name in TEXT or (name in PROCESSES and bool({"text", "universal_newlines"} & keywords.keys()))
        opened = name in ("open", "fdopen", "NamedTemporaryFile", "TemporaryFile") and of not in NO_TEXT
        if text or (opened and not any(argument.strip("'").strip("rwxa+") == "b" for argument in given)):
            yield f"line {node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_text_file_names_its_encoding(path: Path) -> None:
    assert not list(without_encoding(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ("path.read_text()", True),
        ("path.open()", True),
        ("open(path, 'a')", True),
        ("table.with_suffix('.b').write_text(text, errors='replace')", True),
        ("subprocess.run(command, text=True)", True),
        ("path.read_text(encoding='utf-8')", False),
        ("path.open('rb')", False),
        ("open(path, mode='wb+')", False),
        ("os.open(path, os.O_RDONLY)", False),
        ("subprocess.run(command)", False),
    ],
)
def test_calls_without_an_encoding_are_found(call: str, found: bool) -> None:
    assert bool(list(without_encoding(call))) is found


def test_jobs_read_and_write_utf8_in_any_locale(tmp_path: Path) -> None:
    """What libraries open and what a stage prints, too; here in a locale that has no letter beyond ASCII."""
    (tmp_path / "text").write_text("ć – ✓", encoding="utf-8")
    code = before_every_job(PACKAGE.parent, with_conda=False) + """python -c 'print(open("text").read())'"""
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["/bin/bash", "-c", code]
    result = subprocess.run(command, cwd=tmp_path, env={**locale, "PATH": path}, capture_output=True, check=False)
    assert result.stdout.decode() == "ć – ✓\n", result.stderr
