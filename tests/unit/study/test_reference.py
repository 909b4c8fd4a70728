"""The schema describes itself: the table for people and the JSON schema for editors say what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from dkn.errors import UserError
from dkn.families import FAMILIES, OBSTACLES
from dkn.study import reference
from dkn.study.config import Study
from dkn.study.protocol import SWITCHES
from dkn.study.reference import (
    BEGIN,
    END,
    FAMILIES_PAGE,
    SWITCHES_PAGE,
    editor_schema,
    editor_schema_text,
    family_table,
    keys,
    switch_table,
    table,
    with_table,
)
from dkn.study.values import Section
from tests.unit.study.configurations import DEFAULT, MODELS, OVERLAYS, ROOT, changed

STALE = "run `make reference`"
PAGE = (ROOT / reference.PAGE).read_text(encoding="utf-8")
KEYS = {key.path: key for key in keys(DEFAULT)}
VALIDATOR = Draft202012Validator(editor_schema())


def sections(kind: type[Section] = Section) -> Iterator[type[Section]]:
    """Yield every kind of section of the schema."""
    for below in kind.__subclasses__():
        yield from (below, *sections(below))


DESCRIBED = [
    pytest.param(field.description, id=f"{section.__name__}.{name}")
    for section in dict.fromkeys(sections())
    for name, field in section.model_fields.items()
]


def paths(value: Any, prefix: str = "") -> Iterator[str]:
    """Yield the path of every key below a part of config.yaml, as the table writes it."""
    for key, part in value.items():
        yield f"{prefix}{key}"
        if isinstance(part, dict):
            yield from paths(part, f"{prefix}{key}.")
        for entry in part if isinstance(part, list) else []:
            if isinstance(entry, dict):
                yield from paths(entry, f"{prefix}{key}[].")


# --- descriptions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("description", DESCRIBED)
def test_every_key_is_described_in_sentences(description: str | None) -> None:
    assert description, "a key of the configuration needs Field(description=…)"
    assert re.match(r"[A-Z`]", description)
    assert description.endswith(".")
    assert len(description.split()) > 3
    assert "  " not in description


def test_every_page_that_a_description_names_is_there() -> None:
    pages = {page for key in KEYS.values() for page in re.findall(r"docs/\S+\.md", key.meaning)}
    assert pages
    assert not [page for page in pages if not (ROOT / page).is_file()]


def test_every_key_that_a_description_names_with_its_path_is_there() -> None:
    named = {name for key in KEYS.values() for name in re.findall(r"`([a-z_0-9]+(?:\.[a-z_0-9]+)+)`", key.meaning)}
    keys_named = {name for name in named if not name.endswith((".json", ".html"))}
    assert "knowledge_neurons.fraction" in keys_named
    assert keys_named <= KEYS.keys()


# --- for people ---------------------------------------------------------------------------------------------


def test_the_page_has_the_table_of_the_schema() -> None:
    assert with_table(PAGE, table(DEFAULT)) == PAGE, STALE


def test_the_page_of_models_has_the_table_of_families() -> None:
    page = (ROOT / FAMILIES_PAGE).read_text(encoding="utf-8")
    assert with_table(page, family_table(), FAMILIES_PAGE) == page, STALE
    rows = family_table().splitlines()
    assert all(any(row.startswith(f"| `{name}` |") for row in rows) for name in FAMILIES)
    assert all(any(f"`{name}`" in row for row in rows) for name in OBSTACLES)


def test_the_page_of_the_audit_has_the_table_of_switches() -> None:
    page = (ROOT / SWITCHES_PAGE).read_text(encoding="utf-8")
    assert with_table(page, switch_table(), SWITCHES_PAGE) == page, STALE
    rows = switch_table().splitlines()
    assert all(any(row.startswith(f"| `{name}` |") for row in rows) for name in SWITCHES)


def test_every_key_of_the_default_study_is_in_the_table() -> None:
    assert set(paths(DEFAULT)) <= KEYS.keys()


def test_every_key_of_the_table_is_in_the_default_study_or_optional_there() -> None:
    """Only entries of other kinds, and the other form of a threshold, cannot be shown by config.yaml."""
    missing = KEYS.keys() - set(paths(DEFAULT))
    assert {path for path in missing if "[]." not in path} == {"clustering.tau1.quantile"}


def test_keys_stand_in_the_order_of_the_schema() -> None:
    assert [path for path in KEYS if "." not in path] == list(Study.model_fields)
    assert len(KEYS) == len(keys(DEFAULT))


@pytest.mark.parametrize(
    ("path", "values", "default"),
    [
        ("seed", "integer in 0 … 4,294,967,295", "`0`"),
        ("results", "path", "`results`"),
        ("facts", "section", ""),
        ("facts.sources", "list of at most 1000 sections", "see `config.yaml`"),
        ("facts.sources[].url", r"text that matches `^https?://[^\s#{}]+$`", "required"),
        ("facts.sources[].sha256", "text that matches `^[0-9a-f]{64}$` or null", "`null`"),
        ("facts.templates", "list of at most 1000 paths", "`[]`"),
        ("models[].source", "`hub`, `folder`, `gguf`, `wheel`, `trained`", "required"),
        ("models[].gpus", "integer in 1 … 64", "`1`"),
        ("models[].seeds", "integer in 1 … 100", "`1`"),
        ("models[].shape", "section or null", "`null`"),
        ("models[].shape.tied", "`true`, `false`", "required"),
        ("attribution.facts", "`known`, `unknown`, `all`", "`known`"),
        ("attribution.tolerance", "number > 0 and ≤ 1", "`0.001`"),
        ("attribution.floor", "number in 0 … 1", "`0.05`"),
        ("knowledge_neurons.cap", "integer in 1 … 1,000,000 or null", "`null`"),
        ("distances.fold_norm", "`true`, `false`", "`false`"),
        ("clustering.tau1", "number in 0 … 1,000 or section", "`0.05`"),
        ("clustering.tau1.quantile", "number ≥ 0 and < 1", "required"),
        ("functional_test.tau2", "number in -1,000 … 1,000", "`0.1`"),
        ("experiments.fine_tuning.epochs", "integer in 1 … 10,000", "`12`"),
        (
            "experiments.fine_tuning.learning_rates",
            "list of at most 20 numbers > 0 and ≤ 1",
            "`[0.0005, 0.0015, 0.0045]`",
        ),
        ("estimate.known", "list of 2 numbers > 0 and ≤ 1", "`[0.05, 1.0]`"),
    ],
)
def test_values_and_defaults_in_words(path: str, values: str, default: str) -> None:
    assert (KEYS[path].values, KEYS[path].default) == (values, default)


def test_a_key_of_some_entries_says_of_which() -> None:
    expected = " It belongs to entries with `source: hub` or `source: gguf` or `source: wheel`."
    assert KEYS["models[].shape"].meaning.endswith(expected)
    assert KEYS["facts.sources[].sha256"].meaning.endswith(" It belongs to entries with `path` or `url`.")
    assert not [path for path in ("models[].name", "facts.sources[].url") if "It belongs" in KEYS[path].meaning]


def test_a_row_has_four_cells_and_links_to_the_pages_it_names() -> None:
    rows = table(DEFAULT).splitlines()
    assert all(len(re.split(r"(?<!\\)\|", row)) == 6 for row in rows)
    assert "docs/" not in table(DEFAULT)
    assert "[models-and-facts.md](models-and-facts.md)" in next(row for row in rows if row.startswith("| `models` "))


@pytest.mark.parametrize("page", ["", BEGIN, f"{END}\n{BEGIN}", f"{BEGIN}\n{BEGIN}\n{END}", f"{BEGIN}\n{END}\n{END}"])
def test_a_page_without_its_two_comments_is_refused(page: str) -> None:
    with pytest.raises(UserError, match="each once and in this order"):
        with_table(page, "")


def test_the_command_writes_all_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in (reference.PAGE.parent, reference.EDITOR_SCHEMA.parent):
        folder.mkdir()
    reference.CONFIG.write_text((ROOT / "config.yaml").read_text())
    reference.PAGE.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    reference.SWITCHES_PAGE.write_text(f"{BEGIN}\n{END}\n")
    reference.FAMILIES_PAGE.write_text(f"{BEGIN}\n{END}\n")
    reference.main()
    assert switch_table() in reference.SWITCHES_PAGE.read_text(encoding="utf-8")
    assert family_table() in reference.FAMILIES_PAGE.read_text(encoding="utf-8")
    assert reference.PAGE.read_text(encoding="utf-8") == f"before\n{BEGIN}\n{table(DEFAULT)}\n{END}\nafter\n"
    assert reference.EDITOR_SCHEMA.read_text(encoding="utf-8") == editor_schema_text()


# --- for editors --------------------------------------------------------------------------------------------


def test_the_schema_for_editors_is_the_schemas() -> None:
    assert (ROOT / reference.EDITOR_SCHEMA).read_text(encoding="utf-8") == editor_schema_text(), STALE
    Draft202012Validator.check_schema(editor_schema())


@pytest.mark.parametrize("path", [ROOT / "config.yaml", *OVERLAYS], ids=lambda path: path.name)
def test_what_ships_fits_the_schema_that_its_first_line_names(path: Path) -> None:
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())
    assert named
    assert (path.parent / named[1]).resolve() == (ROOT / reference.EDITOR_SCHEMA).resolve()
    assert not list(VALIDATOR.iter_errors(yaml.safe_load(path.read_text())))


@pytest.mark.parametrize(
    "overlay",
    [
        {},
        {"attribution": {}},
        {"estimate": {"gpu": {"peak_tflops": {"float32": 67}}}},
        {"clustering": {"tau1": {"quantile": 0.5}}},
        {"figures": {"example_fact": "a_P54_2012"}, "cache": None},
        {"models": list(MODELS.values())},
        {"facts": {"sources": [{"path": "own.jsonl"}, {"url": "https://a.org/b", "sha256": "0" * 64}]}},
    ],
    ids=str,
)
def test_parts_of_a_study_fit(overlay: dict[str, Any]) -> None:
    assert not list(VALIDATOR.iter_errors(overlay))


@pytest.mark.parametrize(
    "change",
    [
        ("sead", 1),
        ("experiments.degeneracy.subsets", 3),
        ("models.1.layer", 3),
        ("models.1.layers", ...),
        ("models.1.source", "torrent"),
        ("models.1", {**MODELS["hub"], "shape": {"architecture": "gpt2"}}),
        ("models.1", {**MODELS["folder"], "shape": None}),
        ("models", []),
        ("facts.sources", [{"path": "a", "url": "https://a.org"}]),
        ("facts.sources", [{"bundled": "templama"}]),
        ("seed", "zero"),
        ("seed", True),
        ("distances.fold_norm", "yes"),
        ("attribution.nodes", 0),
        ("attribution.tolerance", 0),
        ("attribution.floor", 1.1),
        ("clustering.tau1", "median"),
        ("clustering.tau1", {}),
        ("compute.device", "gpu"),
        ("compute", None),
        ("groupings.methods", ["ntc", "amig", "amig"]),
        ("sensitivity.tau2", [0.1, 0.1]),
        ("estimate.subsets", [20]),
    ],
    ids=str,
)
def test_a_mistake_does_not_fit(change: tuple[str, Any]) -> None:
    assert len(list(VALIDATOR.iter_errors(changed(change)))) == 1


def test_every_key_in_an_editor_has_its_meaning_and_no_other_is_allowed() -> None:
    schema = editor_schema()
    for section in (schema, *schema["$defs"].values()):
        assert section["additionalProperties"] is False
        assert all(node["description"] for node in section["properties"].values())
