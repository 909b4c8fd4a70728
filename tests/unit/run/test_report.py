"""The Snakemake that makes the report: nothing that it shows becomes part of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from docutils.core import publish_parts
from hypothesis import given
from hypothesis import strategies as st

from dkn.run.report import DOCUTILS, without_tags
from dkn.stages import PACKAGE
from tests.unit.hostile_texts import TEXTS


@given(st.dictionaries(TEXTS, st.lists(TEXTS), max_size=3))
def test_json_without_tags_is_the_same_json(value: dict[str, list[str]]) -> None:
    written = without_tags(json.dumps)(value)
    assert "<" not in written
    assert json.loads(written) == value


@pytest.mark.parametrize(
    "directive", [".. include:: {}", ".. raw:: html\n   :file: {}", ".. raw:: html\n\n   <b>x</b> {}"]
)
def test_captions_can_include_no_file_and_no_html(
    directive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCUTILSCONFIG", str(DOCUTILS))
    (tmp_path / "secret").write_text("<b>secret</b>")
    said = publish_parts(directive.format(tmp_path / "secret"), writer="html", settings_overrides={"report_level": 5})
    assert "<b>" not in said["body"]
    assert "secret</b>" not in said["body"]


SNAKEFILE = r"""
report: "first.rst"

rule shown:
    output: report("a.txt", caption="caption.rst")
    params: flags=["--example=</script><img src=x onerror=alert(1)>"]
    shell: "echo x > {output}"
"""


def test_a_parameter_cannot_end_the_script_that_holds_it(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "secret").write_text("a secret")
    (tmp_path / "first.rst").write_text("First page\n\n.. raw:: html\n\n   <i id=raw>\n")
    (tmp_path / "caption.rst").write_text("Its caption\n\n.. include:: secret\n")
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    for command in (["snakemake", "--cores", "1"], ["dkn.run.report", "--report", "report.html"]):
        subprocess.run([sys.executable, "-m", *command], cwd=tmp_path, env=environment, check=True, capture_output=True)
    report = (tmp_path / "report.html").read_text("utf-8")
    assert "onerror=alert(1)" in report
    assert "<img src=x" not in report
    assert "First page" in report
    assert "Its caption" in report
    assert "a secret" not in report
    assert "<i id=raw" not in report.replace("\\u003c", "<").replace("&lt;i id=raw", "")
