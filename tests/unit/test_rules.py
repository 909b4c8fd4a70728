"""The rules' commands: whatever the configuration holds is text to the shell, and nothing ties a study to its place."""

from __future__ import annotations

import copy
import importlib
import inspect
import json
import re
import shlex
import string
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from dkn.errors import UserError
from dkn.facts.addresses import public
from dkn.stages import stage_module, stages
from dkn.study.config import Study, parse_config
from dkn.study.protocol import CHOICES
from tests.unit.default_study import DEFAULT
from tests.workflow_rules import ROOT, Job, jobs_of_a_run, workflow_rules

RESOURCES = ROOT / "resources" / "facts"
DRAWN = ("figure-", "table-")  # stages whose flags stand in the lists of figures and tables
# What a shell, Snakemake or a command line could take for something else than text.
PIECES = [
    *("$(touch ran)", "`touch ran`", ";touch ran;", "|tee ran", ">ran", "<ran", "&", "&&touch ran", "\n touch ran\n"),
    *("'", '"', "\\", "(2)", "#1", "*", "?", "[a]", "!x", "$HOME", "%s", "=", ",", " ", "  ", "~", "-x", "--x", "\t"),
    *("é☃", "\u202e", "{x}", "{{", "}", "{wildcards.model}", "{params.seed:u}", "GROUPING", "#sha256=ab", "2>&1"),
]
WHEEL = {"name": "packed", "source": "wheel", "package": "name", "version": "1", "sha256": "0" * 64}
PART = {"package": "name", "version": "1", "sha256": "0" * 64}
WHEELS = {"name": "parts", "source": "wheel"}
HUB = {"name": "fetched", "source": "hub", "repo": "owner/name", "revision": "main"}


def asked(source: dict[str, Any], *templates: str) -> dict[str, Any]:
    """The section of the facts with one source."""
    return {"facts": {"sources": [source], "most": None, "templates": list(templates)}}


# Every key of the schema that holds any text, with the part of a configuration that has it there.
KEYS: dict[str, Callable[[str], dict[str, Any]]] = {
    "results": lambda text: {"results": text},
    "facts.sources.path": lambda text: asked({"path": text}),
    "facts.sources.url": lambda text: asked({"url": f"https://a.org/{text}"}),
    "facts.sources.sha256": lambda text: asked({"path": "x", "sha256": text}),
    "facts.templates": lambda text: asked({"bundled": "static"}, text),
    "models.name": lambda text: {"models": [{"name": text, "source": "folder", "path": "x"}]},
    "models.path": lambda text: {"models": [{"name": "linked", "source": "folder", "path": text}]},
    "models.repo": lambda text: {"models": [{**HUB, "repo": f"owner/{text}"}]},
    "models.revision": lambda text: {"models": [{**HUB, "revision": text}]},
    "models.package": lambda text: {"models": [{**WHEEL, "package": text}]},
    "models.version": lambda text: {"models": [{**WHEEL, "version": text}]},
    "models.sha256": lambda text: {"models": [{**WHEEL, "sha256": text}]},
    "models.paths": lambda text: {"models": [{"name": "cut", "source": "gguf", "paths": [text]}]},
    "models.packages.package": lambda text: {"models": [{**WHEELS, "packages": [{**PART, "package": text}]}]},
    "models.packages.version": lambda text: {"models": [{**WHEELS, "packages": [{**PART, "version": text}]}]},
    "models.packages.sha256": lambda text: {"models": [{**WHEELS, "packages": [{**PART, "sha256": text}]}]},
    "figures.example_fact": lambda text: {"figures": {"example_fact": text}},
    "reference": lambda text: {"reference": text},
    "cache": lambda text: {"cache": text},
    "container": lambda text: {"container": text},
}


def text_keys(schema: dict[str, Any], definitions: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[str]:
    """The keys of a JSON schema that hold text which is none of a few given ones."""
    schema = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if schema.get("type") == "string" and not {"enum", "const"} & schema.keys():
        yield ".".join(path)
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *([schema["items"]] if "items" in schema else ())):
        yield from text_keys(part, definitions, path)
    for name, part in schema.get("properties", {}).items():
        yield from text_keys(part, definitions, (*path, name))


def test_every_key_that_holds_text_is_tried() -> None:
    schema = Study.model_json_schema()
    assert set(text_keys(schema, schema["$defs"])) == set(KEYS)


def refusal(key: str, text: str) -> str:
    """How a study with this text at a key is refused; empty where it is not."""
    try:
        parse_config({**copy.deepcopy(DEFAULT), **KEYS[key](text)})
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("key", KEYS)
def test_a_text_that_is_refused_is_refused_by_its_key(key: str) -> None:
    for piece in [*PIECES, "", "\0", "\ud800", "a/../b", "x" * 5000]:
        for text in (piece, f"a{piece}", f"{piece}b", f"a{piece}b"):
            message = refusal(key, text)
            if message:
                assert message.startswith(f"config: {key.partition('.')[0]}"), message
                assert key.rpartition(".")[2] in message, message
                assert "\n" not in message


def as_odd_as_accepted(key: str) -> str:
    """All pieces that a key accepts in one text."""
    text = "1" + "b".join(piece for piece in PIECES if not refusal(key, f"1{piece}b")) + "b"
    assert not refusal(key, text), text
    return text


@dataclass(frozen=True)
class Hostile:
    """A study of odd texts: its folder, the texts by their keys, and its jobs."""

    folder: Path
    texts: dict[str, str]
    jobs: list[Job]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    folder = tmp_path_factory.mktemp("study")
    texts = {key: as_odd_as_accepted(key) for key in KEYS if not key.endswith("sha256")}
    parts = {key: KEYS[key](text) for key, text in texts.items()}
    facts = folder / f"f{texts['facts.sources.path']}"
    facts.write_text("\n".join((RESOURCES / "static.jsonl").read_text().splitlines()[:2]) + "\n")
    templates = yaml.safe_load((RESOURCES / "templates.yaml").read_text())
    own = {"P0": next(iter(templates.values()))}
    (folder / f"t{texts['facts.templates']}").write_text(yaml.safe_dump(own))
    (folder / f"m{texts['models.path']}").mkdir()
    (folder / f"p{texts['models.paths']}").write_bytes(b"GGUF")
    study = {
        "results": texts["results"],
        "facts": {
            "sources": [{"path": facts.name}, *parts["facts.sources.url"]["facts"]["sources"]],
            "templates": [f"t{texts['facts.templates']}"],
        },
        "models": [
            {"name": texts["models.name"], "source": "folder", "path": f"m{texts['models.path']}"},
            {**HUB, "repo": f"owner/{texts['models.repo']}", "revision": texts["models.revision"]},
            {**WHEEL, "package": texts["models.package"], "version": texts["models.version"]},
            {"name": "cut", "source": "gguf", "paths": [f"p{texts['models.paths']}"], "sha256": "0" * 64},
        ],
        "figures": {"example_fact": texts["figures.example_fact"]},
        "estimate": {"facts": 100},
        "reference": texts["reference"],
        "cache": f"c{texts['cache']}",
        "container": texts["container"],
    }
    (folder / "odd.yaml").write_text(yaml.safe_dump(study, allow_unicode=True), encoding="utf-8")
    targets = ["all", "sensitivity", "seeds", "estimate", "verify"]
    return Hostile(folder, texts, jobs_of_a_run(targets, folder, ["odd.yaml"]))


def test_every_value_of_a_command_is_quoted() -> None:
    """``:q`` quotes a value, or each word of a list; quotes around it would end where the value has some."""
    for rule in workflow_rules():
        assert not set(rule.command) & set("'\"`$"), rule.name
        for _, field, form, _ in string.Formatter().parse(rule.command):
            assert field is None or form == "q", f"{rule.name}: {field}"


def test_odd_texts_come_out_as_single_words(hostile: Hostile) -> None:
    texts = hostile.texts
    assert all(len(texts[key]) > 100 for key in ("results", "facts.sources.path", "models.path"))
    words: dict[str, list[str]] = {}
    for job in hostile.jobs:
        words.setdefault(job.rule, []).extend(shlex.split(job.command))
        pieces = list(shlex.shlex(job.command, posix=True, punctuation_chars=True))
        operators = [piece for piece in pieces if set(piece) <= set("();<>|&")]
        assert operators == ([">", ">&"] if job.rule == "make_report" else [">&", "|"]), job.command
    results = texts["results"]
    example = parse_config(
        {**DEFAULT, **KEYS["figures.example_fact"](texts["figures.example_fact"])}
    ).figures.example_fact
    assert "{x}" in str(example)
    expected = {
        "make_facts": [
            f"--source=f{texts['facts.sources.path']}#sha256=",  # it has this in its name, so an empty one follows
            f"--source={public('https://a.org/' + texts['facts.sources.url'])}",
            f"--templates=t{texts['facts.templates']}",
            f"{results}/facts/facts.parquet",
            f"{results}/facts/downloads.json",
            f"{results}/logs/facts.log",
        ],
        "model_folder": [f"m{texts['models.path']}", f"{results}/{texts['models.name']}/model"],
        "model_hub": [f"owner/{texts['models.repo']}", texts["models.revision"]],
        "model_wheel": [f"--package={texts['models.package']}", f"--version={texts['models.version']}"],
        "model_gguf": [f"--path=p{texts['models.paths']}", f"--sha256={'0' * 64}"],
        "figure_persistence": [f"--example={example}", f"--model={results}/packed"],
        "figure_kn_graph": [f"--example={example}"],
        "make_report": [f"--report={results}/report.html", f"{results}/logs/report.log"],
        "sensitivity_records": [f"--scores={results}/packed/attribution/1-of-2.parquet"],
    }
    for rule, required in expected.items():
        assert set(required) <= set(words[rule]), rule
    estimate = words["estimate"]
    assert json.loads(estimate[estimate.index("--study") + 1])["figures"]["example_fact"] in texts.values()


# Commands as bash sees them: what would be run keeps its arguments in a file instead.
INSTEAD = """
keep() { printf '%s\\0' "$#" "$@" >> "$KEPT"; }
python() { keep "$@"; }
env() { keep "$@"; }
tee() { cat > "$KEPT.log"; }
"""


def test_a_shell_passes_odd_texts_on_and_runs_none(hostile: Hostile, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    (folder / hostile.texts["results"] / "logs").mkdir(parents=True)
    script = tmp_path / "commands.sh"
    script.write_text(INSTEAD + "\n".join(job.command for job in hostile.jobs) + "\n", encoding="utf-8")
    kept = tmp_path / "kept"
    result = subprocess.run(
        ["/bin/bash", str(script)],
        cwd=folder,
        env={"KEPT": str(kept), "PATH": "/usr/bin:/bin", "HOME": "/home/me"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    found = kept.read_text(encoding="utf-8").split("\0")
    for job in hostile.jobs:
        words = shlex.split(job.command)
        passed = words[1 : words.index(">" if job.rule == "make_report" else "2>&1")]
        count = int(found.pop(0))
        assert found[:count] == passed, job.rule
        del found[:count]
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    assert files == [Path(hostile.texts["results"], "logs", "report.log")]


def test_nothing_that_a_rerun_depends_on_says_where_the_checkout_lies(hostile: Hostile) -> None:
    """So that a finished study can be moved, with or without the workflow."""
    for job in hostile.jobs:
        assert not [text for text in job.compared if str(ROOT) in text or str(hostile.folder) in text], job.rule


def rules_with_stages() -> Iterator[tuple[str, str, str]]:
    """The name, the stage and the text of every rule whose command runs a stage, as the files have them."""
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        for text in re.split(r"^(?=(?:rule|use rule) )", path.read_text(), flags=re.MULTILINE)[1:]:
            stage = re.search(r"python -m dkn ([\w-]+)", text)
            if stage:
                yield text.split()[1].rstrip(":"), stage[1], text


def test_figures_and_tables_have_their_switches_among_their_flags() -> None:
    rules = ROOT / "workflow" / "rules"
    figures, tables = ((rules / f"list_of_{kind}.smk").read_text() for kind in ("figures", "tables"))
    named = set(re.findall(r'\*released\("([a-z-]+)"\)', figures))
    assert {name for name in CHOICES if name.startswith("figure-")} == named
    assert 'released(f"table-{setting}")' in tables, "a table of a setting is given whatever reaches it"


def test_exactly_the_rules_that_switches_reach_take_them() -> None:
    """Suppression and enhancement are one stage, of which each target takes other choices."""
    several = re.compile(r"^experiment-(suppression|enhancement)-(values|weights)$")
    taking = {several.sub("experiment-perturbation", name) for name in CHOICES if not name.startswith(DRAWN)}
    seen = set()
    for name, stage, text in rules_with_stages():
        taken = "{params.released:q}" in text
        assert taken == (stage in taking), name
        if taken:
            said = re.search(r"released=(?:lambda wildcards: )?released\((.*)\),", text)
            assert said, name
            of = said[1].format(wildcards=SimpleNamespace(setting="suppression", site="values"))
            assert several.sub("experiment-perturbation", of.strip('f"')) == stage, name
            seen.add(stage)
    assert seen == taking


@pytest.mark.parametrize("parameter", ["released", "gated"])
def test_a_command_is_given_the_switches_that_it_takes(parameter: str) -> None:
    given = {stage for _, stage, text in rules_with_stages() if f"{{params.{parameter}:q}}" in text}
    taking = {
        stage
        for stage in stages()
        if parameter in inspect.signature(importlib.import_module(stage_module(stage)).main).parameters
        and not stage.startswith(DRAWN)
    }
    assert given == taking
    if parameter == "gated":
        assert all("model_of_switches(" in text for _, stage, text in rules_with_stages() if stage in given)
