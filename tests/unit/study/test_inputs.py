"""The configuration's models and facts: every source is read, and every mistake is one line a user can act on."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dkn.study.config import parse_config
from dkn.study.inputs import RESERVED_ENDINGS, RESERVED_NAMES, GgufModel, WheelModel
from tests.unit.study.configurations import MODELS, PARTS, ROOT, changed, complaint, complaints

TRAINED_WITH_DEFAULTS = ("weight_decay", "label_smoothing")  # config.yaml states them all the same

EITHER = "source wheel needs either package, version and sha256, or packages"

# --- models -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", MODELS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_models_of_every_source(source: str, dtype: str) -> None:
    model = parse_config(changed(("models.1", {**MODELS[source], "dtype": dtype}))).models[1]
    assert (model.source, model.dtype) == (source, dtype)


@pytest.mark.parametrize("source", MODELS)
def test_an_unknown_key_of_a_model_is_named_with_its_sources_keys(source: str) -> None:
    line = complaint(("models.1", {**MODELS[source], "layer": 3}))
    assert line.startswith("models.2.layer: unknown key; allowed: ")
    own = {
        **{"hub": {"shape"}, "gguf": {"paths", "sha256", "shape"}, "wheel": {"packages", "shape"}},
        "trained": {"seeds"},
    }
    optional = {"dtype", "gpus", "training_gpus"} | own.get(source, set())
    assert set(MODELS[source]) | optional == set(line.partition("allowed: ")[2].split(", "))


@pytest.mark.parametrize(
    ("source", "field", "value", "kind"),
    [
        ("trained", "layers", "eight", "integer"),
        ("hub", "revision", 1234567, "string"),
        ("wheel", "version", 0.1, "string"),
        ("folder", "path", None, "string"),
        ("folder", "name", 3, "string"),
    ],
)
def test_a_models_value_of_the_wrong_type_is_named_with_the_right_one(
    source: str, field: str, value: object, kind: str
) -> None:
    line = complaint(("models.1", {**MODELS[source], field: value}))
    assert line.startswith(f"models.2.{field}: ")
    assert kind in line
    assert repr(value) in line


def test_a_shape_names_its_missing_keys() -> None:
    shape = {"architecture": "gpt2", "layers": 2, "width": 8, "heads": 2, "kv_heads": 2, "neurons": 8, "tied": True}
    lines = complaints(("models.1", {**MODELS["hub"], "shape": shape}))
    assert lines == [f"models.2.shape.{key}: missing" for key in ("vocabulary", "context")]


@pytest.mark.parametrize(
    ("sizes", "cause"),
    [
        ({"kv_heads": 3}, "heads must be a multiple of kv_heads (found 4 and 3)"),
        ({"kv_heads": 8}, "heads must be a multiple of kv_heads (found 4 and 8)"),
        ({"width": 10}, "width must be a multiple of heads (found 10 and 4), or state head_size"),
    ],
    ids=str,
)
def test_heads_of_a_shape_divide(sizes: dict[str, int], cause: str) -> None:
    shape = {"architecture": "gpt2", "layers": 2, "width": 8, "heads": 4, "kv_heads": 2, "neurons": 8, "tied": True}
    shape |= {"vocabulary": 300, "context": 64, **sizes}
    assert complaint(("models.1", {**MODELS["hub"], "shape": shape})) == f"models.2.shape: {cause}"
    stated = {**shape, "kv_heads": 2, "head_size": 2}
    assert parse_config(changed(("models.1", {**MODELS["hub"], "shape": stated})))


@pytest.mark.parametrize(
    ("field", "value", "bound"),
    [
        ("vocabulary", 299, "300"),
        ("dropout", 1, "1"),
        ("learning_rate", 0, "0"),
        ("target", 2, "1"),
        ("layers", 0, "1"),
    ],
)
def test_a_trained_models_value_out_of_range_is_named_with_its_bound(field: str, value: object, bound: str) -> None:
    line = complaint((f"models.1.{field}", value))
    where, _, what = line.partition(": ")
    assert where == f"models.2.{field}"
    assert bound in what.replace(f"(found {value!r})", "")


@pytest.mark.parametrize(
    ("field", "allowed"), [("architecture", ["gpt2", "llama"]), ("dtype", ["float32", "bfloat16", "float16"])]
)
def test_an_unknown_choice_of_a_model_is_named_with_the_known_ones(field: str, allowed: list[str]) -> None:
    line = complaint((f"models.1.{field}", "other"))
    assert line.startswith(f"models.2.{field}: ")
    assert all(repr(choice) in line for choice in [*allowed, "other"])


@pytest.mark.parametrize(
    ("source", "field"),
    [
        (source, key)
        for source, model in MODELS.items()
        for key in (model if source not in ("gguf", "wheel") else ["name"])
        if key not in ("source", *TRAINED_WITH_DEFAULTS)
    ],
)
def test_a_missing_field_of_a_model_is_named(source: str, field: str) -> None:
    entry = {key: value for key, value in MODELS[source].items() if key != field}
    assert complaint(("models.1", entry)) == f"models.2.{field}: missing"


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({"source": "gguf"}, "source gguf needs exactly one of path, paths"),
        ({"source": "gguf", "path": "a", "paths": ["b"]}, "source gguf needs exactly one of path, paths"),
        ({"source": "wheel"}, f"{EITHER}; missing: package, version, sha256"),
        ({"source": "wheel", "package": "p", "sha256": "0" * 64}, f"{EITHER}; missing: version"),
        ({"source": "wheel", "packages": PARTS, "version": "1.0"}, EITHER),
        ({**MODELS["wheel"], "packages": PARTS}, EITHER),
    ],
    ids=str,
)
def test_an_entry_says_in_one_way_where_its_file_is(entry: dict[str, Any], line: str) -> None:
    assert complaint(("models.1", {"name": "m", **entry})) == f"models.2: {line}"


def test_parts_are_listed_in_order() -> None:
    entries = [
        MODELS["gguf"],
        {"name": "cut", "source": "gguf", "paths": ["b", "./a"], "sha256": "0" * 64},
        {**MODELS["wheel"], "name": "w"},
        {"name": "ws", "source": "wheel", "packages": PARTS},
    ]
    models = parse_config(changed(("models", entries))).models
    parts = [model.parts for model in models if isinstance(model, GgufModel | WheelModel)]
    assert parts[:2] == [["models/m.gguf"], ["b", "a"]]
    assert [part.model_dump() for part in parts[2]] == [{"package": "p", "version": "1.0", "sha256": "0" * 64}]  # type: ignore[union-attr]
    assert [part.model_dump() for part in parts[3]] == PARTS  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        ({"source": "gguf", "paths": []}, "paths"),
        ({"source": "gguf", "paths": ["a", 3]}, "paths.2"),
        ({"source": "gguf", "paths": ["~/a"]}, "paths.1"),
        ({"source": "wheel", "packages": []}, "packages"),
        ({"source": "wheel", "packages": [{**PARTS[0], "sha256": "0"}]}, "packages.1.sha256"),
        ({"source": "wheel", "packages": [{**PARTS[0], "colour": 1}]}, "packages.1.colour"),
        ({"source": "wheel", "packages": [PARTS[0], {"package": "p", "version": "1"}]}, "packages.2.sha256"),
    ],
    ids=str,
)
def test_a_mistake_in_a_part_is_named(entry: dict[str, Any], where: str) -> None:
    assert complaint(("models.1", {"name": "m", **entry})).startswith(f"models.2.{where}: ")


@pytest.mark.parametrize(
    "change", [("models.1.source", "torrent"), ("models.1.source", ...)], ids=["unknown", "missing"]
)
def test_an_unknown_or_missing_source_is_named_with_the_known_ones(change: tuple[str, Any]) -> None:
    line = complaint(change)
    assert line.startswith("models.2")
    assert "source" in line
    assert all(source in line for source in ("hub", "folder", "gguf", "wheel", "trained"))


def test_an_unknown_source_does_not_print_the_whole_entry() -> None:
    assert "learning_rate" not in complaint(("models.1.source", "torrent"))


def test_a_model_that_is_no_entry_is_named() -> None:
    line = complaint(("models.1", "gpt2"))
    assert line.startswith("models.2: ")
    assert "'gpt2'" in line


def test_two_models_of_one_name_are_named() -> None:
    line = complaint(("models.1.name", "gpt2-nano"))
    assert "models" in line
    assert "'gpt2-nano'" in line


@pytest.mark.parametrize("name", RESERVED_NAMES)
def test_a_reserved_name_is_refused(name: str) -> None:
    line = complaint(("models.1.name", name))
    assert line.startswith("models.2.name: ")
    assert repr(name) in line
    assert "another name" in line


def test_names_of_the_results_are_those_that_the_rules_write() -> None:
    """A model of such a name would have its folder where a rule has a file, or other files."""
    text = "".join(path.read_text() for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")))
    written = re.findall(r"\{RESULTS\}/(?:(logs|benchmarks)/)?([^/\"' )]+)(/?)", text)
    named = [(folder, name, slash) for folder, name, slash in written if not name.startswith(("{model}", "{{model}}"))]
    top = {name for folder, name, _ in named if not folder and "{" not in name}
    assert top | {"logs", "benchmarks"} == set(RESERVED_NAMES)
    assert all(name.endswith(RESERVED_ENDINGS) and not slash for folder, name, slash in named if folder)


@pytest.mark.parametrize("name", ["Report.HTML", "FACTS", "facts.log", "figure_funnel.log", "table_page_funnel.TSV"])
def test_a_name_of_a_log_or_in_capitals_is_refused(name: str) -> None:
    assert "of the results; choose another name" in complaint(("models.1.name", name))


@pytest.mark.parametrize("name", ["explorer", "sensitivity", "report", "gpt2-xl", "Llama-2-7b.v1", "log"])
def test_a_name_of_nothing_in_the_results_is_taken(name: str) -> None:
    assert parse_config(changed(("models.1.name", name)))


@pytest.mark.parametrize("name", ["a/b", "", "-a", ".a", "a b", "..", "ä", ".snakemake", "a" * 101])
def test_a_name_that_is_no_folder_name_is_refused(name: str) -> None:
    line = complaint(("models.1.name", name))
    assert line.startswith("models.2.name: ")
    assert "[A-Za-z0-9" in line or "100 characters" in line
    assert repr(name)[:20] in line


@pytest.mark.parametrize(
    ("source", "field", "value", "expected"),
    [
        ("hub", "repo", "gpt2", "/"),
        ("hub", "repo", "https://huggingface.co/org/name", "/"),
        ("wheel", "sha256", "ABC", "64"),
        ("wheel", "package", "", "1 char"),
        ("folder", "path", "", "1 char"),
    ],
)
def test_a_malformed_text_is_named_with_its_form(source: str, field: str, value: str, expected: str) -> None:
    line = complaint(("models.1", {**MODELS[source], field: value}))
    assert line.startswith(f"models.2.{field}: ")
    assert expected in line.replace(repr(value), "")


@pytest.mark.parametrize(
    "sizes",
    [{"width": 98}, {"heads": 5, "kv_heads": 5}, {"width": 12, "heads": 4}, {"kv_heads": 3}],
    ids=str,
)
def test_sizes_that_do_not_divide_are_refused(sizes: dict[str, int]) -> None:
    line = complaint(*[(f"models.1.{field}", value) for field, value in sizes.items()])
    assert line.startswith("models.2")
    assert all(field in line for field in ("width", "heads", "kv_heads"))


# --- facts sources ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    [
        {"bundled": "temporal"},
        {"bundled": "static"},
        {"bundled": "common"},
        {"path": "own.jsonl"},
        {"path": "own.jsonl.gz", "sha256": "0" * 64},
        {"url": "https://a.org/b.jsonl"},
        {"url": "http://a.org/b.jsonl", "sha256": "0" * 64},
    ],
    ids=str,
)
def test_facts_of_every_source(entry: dict[str, Any]) -> None:
    assert parse_config(changed(("facts.sources", [entry]))).facts.sources[0].model_dump(exclude_unset=True) == entry


@pytest.mark.parametrize(
    "entry", [{}, {"file": "a"}, {"path": "a", "url": "https://a.org"}, "static", None, {"sha256": "0" * 64}], ids=str
)
def test_a_facts_source_of_no_one_kind_is_named_with_the_kinds(entry: object) -> None:
    line = complaint(("facts.sources.1", entry))
    assert line.startswith("facts.sources")
    assert "2" in line
    assert all(kind in line for kind in ("bundled", "path", "url"))


@pytest.mark.parametrize(
    ("entry", "field", "expected"),
    [
        ({"bundled": "static", "colour": 1}, "colour", ["unknown key", "allowed: bundled"]),
        ({"bundled": "static", "sha256": "0" * 64}, "sha256", ["unknown key", "allowed: bundled"]),
        ({"path": "a", "colour": 1}, "colour", ["unknown key", "allowed: path, sha256"]),
        ({"url": "https://a.org", "colour": 1}, "colour", ["unknown key", "allowed: url, sha256"]),
        ({"bundled": "templama"}, "bundled", ["'temporal'", "'static'", "'common'", "'templama'"]),
        ({"path": "a", "sha256": "abc"}, "sha256", ["64", "'abc'"]),
        ({"path": 3}, "path", ["string", "3"]),
        ({"url": "ftp://a.org"}, "url", ["https?://", "'ftp://a.org'"]),
    ],
    ids=str,
)
def test_a_mistake_in_a_facts_source_is_one_line(entry: dict[str, Any], field: str, expected: list[str]) -> None:
    line = complaint(("facts.sources.1", entry))
    assert line.startswith(f"facts.sources.2.{field}: ")
    assert all(part in line for part in expected)


# --- addresses ----------------------------------------------------------------------------------------------


def test_an_address_without_encryption_needs_a_checksum_or_a_word() -> None:
    entry = {"url": "http://a.org/b.jsonl"}
    line = complaint(("facts.sources.1", entry))
    assert line.startswith("facts.sources.2: url begins with http://")
    assert line.endswith("allowed: https://, or a sha256, or allow_http: true")
    for more in ({"sha256": "0" * 64}, {"allow_http": True}, {"url": "http://127.0.0.1:8000/b.jsonl"}):
        assert parse_config(changed(("facts.sources.1", {**entry, **more})))


@pytest.mark.parametrize(
    "url", ["https://", "https://a b", "https://a/{x}", "https://a/#b", "https://[::1", "http://:80/", "https://a:1x/"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    assert complaint(("facts.sources.1", {"url": url, "sha256": "0" * 64})).startswith("facts.sources.2")


@pytest.mark.parametrize("url", ["https://u:secret@a.org/x y", "https://a.org/x?token=secret&b={}", "ftp://u:secret@a"])
def test_a_message_about_an_address_shows_no_password(url: str) -> None:
    line = complaint(("facts.sources.1", {"url": url}))
    assert "***" in line
    assert "secret" not in line


def test_a_trained_model_far_beyond_a_nano_model_is_refused() -> None:
    line = complaint(("models.1.layers", 1000), ("models.1.width", 80_000))
    assert line.startswith("models.2: layers, width, neurons and vocabulary make a model of about ")
