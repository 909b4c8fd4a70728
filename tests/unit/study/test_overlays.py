"""What Snakemake drops when it lays configurations over each other is refused, with file, line and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.utils import update_config

from dkn.errors import UserError
from dkn.study.overlays import check_overlays
from tests.unit.study.configurations import OVERLAYS, ROOT, changed


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def lines_of(text: str, tree: dict[str, Any] | None = None, given: dict[str, Any] | None = None) -> list[str]:
    """Return the complaints about an overlay ``o.yaml`` of this text; none where it is taken."""
    path = Path.cwd() / "o.yaml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    try:
        check_overlays([ROOT / "config.yaml", path], given or {}, changed() if tree is None else tree)
    except UserError as error:
        return str(error).split("\n")
    return []


@pytest.mark.parametrize("path", OVERLAYS, ids=lambda path: path.name)
def test_what_ships_is_taken(path: Path) -> None:
    tree = changed()
    update_config(tree, yaml.safe_load(path.read_text()))
    check_overlays([ROOT / "config.yaml", str(path)], {}, tree)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("seed: 1\nseed: 2\n", ["o.yaml:2: seed: is given twice in one section"]),
        ("seed: 1\n'seed': 1\n", ["o.yaml:2: seed: is given twice in one section"]),
        ("models:\n- name: a\n  name: b\n", ["o.yaml:3: models.1.name: is given twice in one section"]),
        (
            '{"seed": 1,\n\t"compute": {"batch": 1, "batch": 2}}',
            ["o.yaml: compute.batch: is given twice in one section"],
        ),
        ("a: &a {b: 1, b: 2}\nc: *a\n", ["o.yaml:1: c.b: is given twice in one section"] * 2),
        ("compute: {batch: 1}\nexplorer: {facts: 1}\n", []),
        ("", []),
    ],
    ids=repr,
)
def test_a_key_that_is_given_twice_is_named_with_its_line(text: str, lines: list[str]) -> None:
    assert [line.replace(": a.b:", ": c.b:") for line in lines_of(text)] == lines


@pytest.mark.parametrize("place", ["clustering.tau1", "seed", "models", "sensitivity.tau2"])
def test_an_empty_section_in_place_of_a_value_is_refused(place: str) -> None:
    overlay: Any = {}
    for step in reversed(place.split(".")):
        overlay = {step: overlay}
    line = f"{place}: {{}} is an empty section, and this key takes a value"
    assert lines_of(yaml.safe_dump(overlay)) == [f"o.yaml: {line}"]
    assert lines_of("", given=overlay) == [f"--config: {line}"]


def test_an_empty_section_in_place_of_a_section_changes_nothing() -> None:
    assert not lines_of("attribution: {}\n")
    assert not lines_of("{}")
    assert not lines_of("clustering: {tau1: {}}", changed(("clustering.tau1", {"quantile": 0.5})))


@pytest.mark.parametrize(
    "text",
    [
        "__use_yte__: true\nseed: ?1 + 1\n",
        "'__use_yte__': false\n",
        "<<: {__use_yte__: true}\n",
        "<<: [{seed: 1}, {<<: {__use_yte__: true}}]\n",
        "compute: &a {__use_yte__: true}\n<<: *a\n",
        '{"__use_yte__": true}',
    ],
)
def test_a_configuration_that_is_a_program_is_refused(text: str) -> None:
    (line,) = lines_of(text)
    assert line.startswith("o.yaml: __use_yte__: a configuration holds values, not expressions")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: [\n", "is neither JSON nor YAML"),
        ("a: \udcff\n", "is no text in UTF-8"),
        ("a: \0\n", "is neither JSON nor YAML"),
        ("[" * 5000, "levels deep"),
        ("- " * 3000 + "a", "levels deep"),
    ],
    ids=["broken", "bytes", "nul", "deep flow", "deep block"],
)
def test_a_file_that_is_no_configuration_is_one_line(text: str, what: str) -> None:
    (line,) = lines_of(text)
    assert line.startswith("o.yaml: ")
    assert what in line


def test_a_file_that_is_not_there_is_one_line() -> None:
    with pytest.raises(UserError, match=r"^none\.yaml: cannot be read: No such file or directory$"):
        check_overlays(["none.yaml"], {}, {})


def test_a_file_of_aliases_ends() -> None:
    lines = ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10))]
    assert not lines_of("\n".join(lines))
    assert not lines_of(
        "\n".join(["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n}]}}" for n in range(1, 9))])
    )
