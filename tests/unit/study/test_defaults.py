"""The default study of the package, and overlays that are laid over it without Snakemake."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from dkn.errors import UserError
from dkn.study import defaults
from dkn.study.config import parse_config
from dkn.study.defaults import default_file, laid_over, study_with
from tests.unit.one_line import line_of
from tests.unit.study.configurations import DEFAULT, OVERLAYS, ROOT, changed


def test_the_defaults_are_the_clones() -> None:
    assert default_file() == ROOT / "config.yaml"
    assert study_with() == parse_config(DEFAULT)


def test_an_installation_takes_its_own_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lib" / "dkn"
    package.mkdir(parents=True)
    monkeypatch.setattr(defaults, "PACKAGE", package)
    with pytest.raises(UserError) as caught:
        default_file()
    assert "config.yaml: the defaults are missing" in line_of(caught)
    (tmp_path / "config.yaml").write_text("clone")
    assert default_file() == tmp_path / "config.yaml"
    (package / "config.yaml").write_text("installation")
    assert default_file() == package / "config.yaml"


@pytest.mark.parametrize("path", OVERLAYS, ids=lambda path: path.name)
def test_an_overlay_is_laid_over_as_snakemake_does(path: Path) -> None:
    expected, before = changed(), changed()
    overlay = yaml.safe_load(path.read_text())
    update_config(expected, overlay)
    assert laid_over(before, overlay) == expected
    assert before == DEFAULT
    assert study_with(path) == parse_config(expected)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("- 1\n", "must be a section"),
        ("", "must be a section"),
        ("seed: [", "neither JSON nor YAML"),
        ("functional_test: {tau2: high}\n", "functional_test.tau2"),
        ("functional_tests: {tau2: 0.1}\n", "functional_tests"),
        ("seed: 1\nseed: 2\n", "is given twice"),
    ],
)
def test_a_wrong_overlay_is_one_line(text: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "overlay.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError) as caught:
        study_with(path)
    assert said in line_of(caught)
