"""The reference of the configuration's keys, made from the schema: a table for people, a JSON schema for editors.

``python -m dkn.study.reference``, run in the folder of config.yaml, writes both, the table of the departures of the
released code, and that of the families of models (``make reference``).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dkn.errors import UserError
from dkn.families import FAMILIES, OBSTACLES, Family
from dkn.study.config import Study
from dkn.study.protocol import GROUPS, SWITCHES

CONFIG = Path("config.yaml")
PAGE = Path("docs/configuration.md")
SWITCHES_PAGE = Path("docs/audit.md")
FAMILIES_PAGE = Path("docs/models.md")
EDITOR_SCHEMA = Path("config/schema.json")
BEGIN = "<!-- keys: made from the schema by make reference -->"
END = "<!-- end of keys -->"
SHORT_LIST = 6  # entries of a list that is still shown as a default
ENTRY = "[]"  # stands behind a list's key for any of its entries
REQUIRED = "required"

Node = dict[str, Any]  # a part of a JSON schema
_MISSING = object()


def full_schema() -> Node:
    """Return the JSON schema of a whole study, keys in the order of the schema."""
    return _without_titles(Study.model_json_schema())


def _without_titles(node: Any) -> Any:
    """Return a schema without the titles that repeat each key as a heading."""
    if isinstance(node, dict):
        kept = {key: part for key, part in node.items() if key != "title" or not isinstance(part, str)}
        return {key: _without_titles(part) for key, part in kept.items()}
    return [_without_titles(part) for part in node] if isinstance(node, list) else node


def _target(node: Node, definitions: Node) -> Node:
    """Return the definition that a schema refers to, or the schema itself."""
    return definitions[node["$ref"].rpartition("/")[2]] if "$ref" in node else node


def _alternatives(node: Node, definitions: Node) -> list[Node]:
    """Return the schemas of which a value has one, references resolved."""
    node = _target(node, definitions)
    return [_target(part, definitions) for part in node.get("oneOf") or node.get("anyOf") or [node]]


# --- for editors --------------------------------------------------------------------------------------------------


def editor_schema() -> Node:
    """Return the JSON schema by which an editor completes and checks config.yaml and its overlays.

    An overlay states some keys, and dictionaries are merged: nothing is required in a section. A list is replaced
    whole, as is a value that may be a number or a section: in these everything stays required.
    """
    schema = full_schema()

    def allow_parts(section: Node) -> None:
        section.pop("required", None)
        for node in section["properties"].values():
            if "$ref" in node:
                allow_parts(_target(node, schema["$defs"]))

    allow_parts(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def editor_schema_text() -> str:
    """Return the content of config/schema.json."""
    return json.dumps(editor_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


# --- for people ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """One key of the configuration.

    Attributes:
        path: the keys that lead to it, joined by dots; ``[]`` behind a list's key stands for any of its entries.
        values: what is allowed there, in words.
        default: the value in config.yaml, or of an entry that leaves the key out; ``REQUIRED`` where an entry may not.
        meaning: the schema's description.
    """

    path: str
    values: str
    default: str
    meaning: str


def _number(value: float) -> str:
    """Return a bound as people write it: whole numbers with all their digits, in groups of three."""
    return f"{round(value):,}" if value == round(value) else f"{value:g}"


def _condition(node: Node) -> str:
    """Return the range of a number in words, led by a space; empty for any number."""
    if "minimum" in node and "maximum" in node:
        return f" in {_number(node['minimum'])} … {_number(node['maximum'])}"
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {_number(node[key])}" for key, sign in signs.items() if key in node]
    return f" {' and '.join(bounds)}" if bounds else ""


def _words(node: Node, definitions: Node, plural: bool = False) -> str:
    """Return what is allowed by a schema in words: one value of it, or several."""
    alternatives = _alternatives(node, definitions)
    if len(alternatives) > 1:
        found = dict.fromkeys(_words(part, definitions, plural) for part in alternatives)
        return " or ".join(found)
    node = alternatives[0]
    ending = "s" if plural else ""
    if "const" in node or "enum" in node:
        return ", ".join(f"`{value}`" for value in node.get("enum", [node.get("const")]))
    if node["type"] == "null":
        return "null"
    if node["type"] == "boolean":
        return "`true`, `false`"
    if node["type"] == "object":
        return f"section{ending}"
    if node["type"] == "array":
        most = node.get("maxItems")
        count = f"{most} " if most and most == node.get("minItems") else f"at most {most} " if most else ""
        return f"list of {count}{_words(node['items'], definitions, plural=True)}"
    if node["type"] == "string":
        if node.get("format") == "path":
            return f"path{ending}"
        return f"text{ending} that match{'' if plural else 'es'} `{node['pattern']}`" if "pattern" in node else "text"
    return f"{node['type']}{ending}{_condition(node)}"


def _yaml(value: Any) -> str:
    """Return a scalar, or a list of scalars, as YAML in one line of code."""
    text = yaml.safe_dump([value], default_flow_style=True, width=1000).strip()
    return f"`{text[1:-1]}`"


def _default(node: Node, value: Any, required: bool) -> str:
    """Return the cell of a key's default.

    Args:
        node: the key's schema.
        value: what config.yaml has there, or ``_MISSING``.
        required: whether the section that the key lies in may not leave it out.
    """
    if value is _MISSING:
        return REQUIRED if required else _yaml(node["default"])
    if isinstance(value, Mapping):
        return ""
    if isinstance(value, list) and (len(value) > SHORT_LIST or any(isinstance(entry, dict | list) for entry in value)):
        return "see `config.yaml`"
    return _yaml(value)


def _merged(sections: Sequence[Node]) -> Iterator[tuple[str, list[Node]]]:
    """Yield every key of a list's kinds of entries, with the entries that have it."""
    for name in dict.fromkeys(name for section in sections for name in section["properties"]):
        yield name, [section for section in sections if name in section["properties"]]


def _kind(section: Node) -> str:
    """Return how to tell an entry of this kind: by its ``source``, or by the key that it must have."""
    source = section["properties"].get("source", {}).get("const")
    return f"source: {source}" if source else section["required"][0]


def _belongs(name: str, having: Sequence[Node], sections: Sequence[Node]) -> str:
    """Return a sentence on the entries that may have a key, led by a space; empty where that is clear."""
    kinds = [_kind(section) for section in having]
    if len(having) == len(sections) or kinds == [name]:
        return ""
    return f" It belongs to entries with {' or '.join(f'`{kind}`' for kind in kinds)}."


def _keys(sections: Sequence[Node], values: Any, prefix: str, definitions: Node) -> Iterator[Key]:
    """Yield the keys of a section, or of the kinds of entries of a list, each followed by those below it.

    Args:
        sections: schemas of the section, or of every kind of entry.
        values: what config.yaml has there; None inside the entries of a list.
        prefix: the path of the section with a dot at its end.
        definitions: of the whole schema.
    """
    for name, having in _merged(sections):
        nodes = [section["properties"][name] for section in having]
        value = values.get(name, _MISSING) if isinstance(values, Mapping) else _MISSING
        meanings = dict.fromkeys(node["description"] for node in nodes)
        yield Key(
            path=f"{prefix}{name}",
            values=", ".join(dict.fromkeys(_words(node, definitions) for node in nodes)),
            default=_default(nodes[0], value, name in having[0].get("required", [])),
            meaning=" ".join(meanings) + _belongs(name, having, sections),
        )
        inner = [part for node in nodes for part in _alternatives(node, definitions)]
        entries = [part for node in inner if "items" in node for part in _alternatives(node["items"], definitions)]
        for parts, below, path in ((inner, value, "."), (entries, None, f"{ENTRY}.")):
            if found := [part for part in parts if "properties" in part]:
                yield from _keys(found, below, f"{prefix}{name}{path}", definitions)


def keys(config: Mapping[str, Any]) -> list[Key]:
    """Return every key of the configuration in the order of the schema.

    Args:
        config: the content of config.yaml, for the defaults.
    """
    schema = full_schema()
    return list(_keys([schema], config, "", schema["$defs"]))


def table(config: Mapping[str, Any]) -> str:
    """Return the table of docs/configuration.md in Markdown; pages of docs that a meaning names become links."""
    lines = ["| key | values | default | meaning |", "|---|---|---|---|"]
    for key in keys(config):
        meaning = re.sub(r"\bdocs/([a-z-]+\.md)", r"[\1](\1)", key.meaning)
        cells = [cell.replace("|", r"\|") for cell in (f"`{key.path}`", key.values, key.default, meaning)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def switch_table() -> str:
    """Return the table of docs/audit.md in Markdown: every departure of the released code, in the analysis's order."""
    lines = ["| switch | the paper's text | the released code |", "|---|---|---|"]
    for group in GROUPS:
        lines.append(f"| **{group}** | | |")
        for switch in SWITCHES.values():
            if switch.group == group:
                note = f" ({switch.note})" if switch.note else ""
                lines.append(f"| `{switch.name}` | {switch.text} | {switch.released}{note} |")
    return "\n".join(lines)


def _positions(family: Family) -> str:
    """Return how a family encodes positions, in words."""
    if family.positions:
        return "learned"
    words = ["rotation"] if family.rotation else []
    words += ["ALiBi"] if family.slopes or any("slopes" in changed for _, _, changed in family.variants) else []
    return " or ".join(words) + (" in some layers" if family.turned else "")


def _layer_kind(family: Family) -> str:
    """Return how attention and MLP follow one another, in words."""
    kinds = [family.parallel, *(changed["parallel"] for _, _, changed in family.variants if "parallel" in changed)]
    return " or ".join("side by side" if parallel else "in turn" for parallel in dict.fromkeys(kinds))


def _special(family: Family) -> str:
    """Return what else a family has that LLaMA has not, in words."""
    varied = {name for _, _, changed in family.variants for name in changed}
    facts = {
        "one matrix of queries, keys and values": family.fused,
        "norms of queries and keys": family.query_key_norms or "query_key_norms" in varied,
        "sliding windows": family.window,
        "norms on what is added": family.after_mlp,
        "norms on the sum": "after_sums" in varied,
        "capped scores": family.scores_cap,
        "capped logits": family.logits_cap,
        "clipped queries, keys and values": family.clip,
        "a factor of logits": family.logits_factor or family.logits_divisor,
        "factors of embeddings and of what is added": family.residual_factor,
        "one matrix of gate and up-projection": family.gate_and_up,
    }
    return ", ".join(words for words, has in facts.items() if has)


def family_table() -> str:
    """Return the tables of docs/models.md in Markdown: the families that have an adapter, and reasons of others."""
    lines = ["| `model_type` | among them | attention and MLP | positions | MLP | also |", "|---|---|---|---|---|---|"]
    for name, family in FAMILIES.items():
        gate = "gate" if family.gated else "no gate"
        cells = (family.among, _layer_kind(family), _positions(family), gate, _special(family))
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    lines += ["", "| refused `model_type` | because |", "|---|---|"]
    reasons = {reason: [name for name, own in OBSTACLES.items() if own == reason] for reason in OBSTACLES.values()}
    lines += [f"| {', '.join(f'`{name}`' for name in names)} | {reason} |" for reason, names in reasons.items()]
    return "\n".join(lines)


def with_table(page: str, made: str, path: Path = PAGE) -> str:
    """Return a page with the table between its two marker comments replaced.

    Args:
        page: the page.
        made: the table.
        path: the page's file, for the error.
    Raises:
        UserError: the page has not each of the two comments once, in their order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in after:
        raise UserError(f"{path}: needs the comments {BEGIN} and {END}, each once and in this order")
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def main() -> None:
    """Write the tables of three pages of docs and config/schema.json, below the current folder."""
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_table(page, table(config)), encoding="utf-8")
    switches = SWITCHES_PAGE.read_text(encoding="utf-8")
    SWITCHES_PAGE.write_text(with_table(switches, switch_table(), SWITCHES_PAGE), encoding="utf-8")
    families = FAMILIES_PAGE.read_text(encoding="utf-8")
    FAMILIES_PAGE.write_text(with_table(families, family_table(), FAMILIES_PAGE), encoding="utf-8")
    EDITOR_SCHEMA.write_text(editor_schema_text(), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except (UserError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
