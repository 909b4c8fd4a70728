"""The front page of a study's results, ``index.html``: what was found, every figure and table, and what was not run.

The page is one file that fetches nothing. Its numbers are those of the stored verdicts, tables and captions.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from PIL import Image

from dkn.figures.style import VERDICT_LOOKS
from dkn.pages import captions
from dkn.pages.findings import IN_WORDS, claims, headline, judged, listed, meanings, models_of, not_judged
from dkn.paper.claims import READINGS
from dkn.paper.verdicts import NOT_RUN, TOO_FEW
from dkn.storage.checked_texts import read_checked
from dkn.study.names import NTC
from dkn.study.registry import EXPERIMENTS
from dkn.tables.reading import Cells, blocks

# What a page can be asked for beside a plain run: the target that makes it, its files, and what it is.
ON_REQUEST = {
    "sensitivity": (
        ("figures/sensitivity.png", "tables/sensitivity.csv"),
        "how much the degeneracy experiment depends on its settings",
    ),
    "audit": (("audit.html",), "what each departure of the authors' released code changes"),
}
PAPERS_MODELS = {"GPT-2": "openai-community/gpt2", "LLaMA2-7b": "meta-llama/Llama-2-7b-hf"}


@dataclass(frozen=True)
class Stored:
    """What the study found.

    Attributes:
        verdicts: the rows of verdicts.json.
        sizes: the number of parameters of every model.
        summaries: the summaries by model and experiment.
        provenance: what made the page.
    """

    verdicts: Sequence[Mapping[str, Any]]
    sizes: Mapping[str, int]
    summaries: Mapping[str, Mapping[str, Mapping[str, Any]]]
    provenance: Mapping[str, Any]


@dataclass(frozen=True)
class Sources:
    """Where a page's parts lie.

    Attributes:
        results: the folder of the study's results, in which the page lies, too.
        words: the folder with the words of captions.
    """

    results: Path
    words: Path


def sentence(text: str) -> str:
    """Return a title with a capital at its beginning, unless it begins with a name."""
    return text[:1].upper() + text[1:]


def embedded(png: Path) -> dict[str, Any]:
    """Return an image as a data address without loss, a third as long as the PNG's, with its size in pixels."""
    with Image.open(png) as image:
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "WEBP", lossless=True, method=4)
        data = base64.b64encode(buffer.getvalue()).decode()
        address = Markup(f"data:image/webp;base64,{data}")  # noqa: S704 no character of it is markup
        return {"address": address, "width": image.width, "height": image.height}


def figure(name: str, title: str, study: Mapping[str, Any], sources: Sources) -> dict[str, Any]:
    """Return what the page shows of a figure.

    Args:
        name: its name.
        title: what it shows.
        study: the parts of the configuration that captions name.
        sources: where its files lie.
    """
    files = sources.results / "figures"
    text = captions.words((sources.words / f"{name}.rst").read_text(encoding="utf-8"), study)
    return {
        "name": name,
        "title": sentence(title),
        "image": embedded(files / f"{name}.png"),
        "alternative": f"{sentence(title)}. {captions.lead(text)}",
        "caption": captions.rendered(text),
        "numbers": captions.numbers(files / f"{name}.rst"),
        "files": {kind.upper(): f"figures/{name}.{kind}" for kind in ("csv", "pdf", "png")},
    }


def stored_cells(markdown: Path) -> Cells:
    """Return the table of a stored text in Markdown.

    Raises:
        UserError: the file is damaged.
        ValueError: it holds no table.
    """
    cells = next((block for block in blocks(read_checked(markdown)) if isinstance(block, Cells)), None)
    if cells is None:
        raise ValueError(f"{markdown}: holds no table")
    return cells


def table(name: str, title: str, note: str, study: Mapping[str, Any], sources: Sources) -> dict[str, Any]:
    """Return what the page shows of a table.

    Args:
        name: its name.
        title, note: what it shows, and what a reader must know to understand it.
        study: the parts of the configuration that captions name.
        sources: where its files lie.
    Raises:
        UserError: the stored table is damaged.
    """
    given = {"params": {"title": title, "note": note}, "wildcards": {"table": name}}
    text = captions.words((sources.words / "table.rst").read_text(encoding="utf-8"), study, **given)
    return {
        "name": name,
        "title": sentence(title),
        "caption": captions.rendered(text),
        "cells": stored_cells(sources.results / "tables" / f"{name}.md"),
        "files": {kind.upper(): f"tables/{name}.{kind}" for kind in ("csv", "md", "tex")},
    }


def shown_files(contents: Mapping[str, Any], results: Path) -> list[Path]:
    """Return the stored files of the figures and tables that the page shows."""
    return [
        results / kind / f"{name}{end}"
        for kind, ends in {"figures": (".png", ".rst"), "tables": (".md",)}.items()
        for part in contents["sections"]
        for name in part[kind]
        for end in ends
    ]


def sections(contents: Mapping[str, Any], sources: Sources) -> list[dict[str, Any]]:
    """Return the page's sections of figures and tables, in the order of the contents, those that have any."""
    study = contents["study"]
    return [
        {
            "id": f"part-{number}",
            "title": part["title"],
            "figures": [figure(name, title, study, sources) for name, title in part["figures"].items()],
            "tables": [table(name, **about, study=study, sources=sources) for name, about in part["tables"].items()],
        }
        for number, part in enumerate(contents["sections"], start=1)
        if part["figures"] or part["tables"]
    ]


def models(contents: Mapping[str, Any], sizes: Mapping[str, int], funnel: Cells) -> list[dict[str, Any]]:
    """Return what the page says of every model, and the address of its explorer.

    Args:
        contents: the contents of the page.
        sizes: the numbers of parameters, by model.
        funnel: the table of the funnel.
    """
    left = {row[0]: dict(zip(funnel.header, row, strict=True)) for row in funnel.rows if row[1] == NTC}
    return [
        {
            "name": name,
            "parameters": sizes.get(name),
            "facts": left.get(name, {}),
            "explorer": f"{quote(name)}/explorer.html",
        }
        for name in contents["models"]
    ]


def unmeasured(contents: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], stored: Stored) -> list[dict[str, Any]]:
    """Return what was not run, and why.

    Args:
        contents: the contents of the page.
        rows: the rows of verdicts.json.
        stored: the summaries of the study.
    Returns:
        For each its ``what``, ``why`` and ``where`` (what misses it, which may be nothing).
    """
    minimum = contents["study"]["claims"]["minimum_subjects"]
    found = [
        {"what": f"{experiment} of {model}", "why": summary["not_run"], "where": []}
        for model, summaries in stored.summaries.items()
        for experiment, summary in summaries.items()
        if summary.get("not_run")
    ]
    left_out = [name for name in (experiment.name for experiment in EXPERIMENTS) if name not in contents["experiments"]]
    if left_out:
        why = "the study's configuration leaves these groupings out (groupings.methods)"
        found.append({"what": listed(left_out), "why": why, "where": []})
    found += [{"what": what, "why": "", "where": where} for what, where in not_judged(rows, NOT_RUN, minimum).items()]
    repos = {model.get("repo") for model in contents["models"].values()}
    missing = [name for name, repo in PAPERS_MODELS.items() if repo not in repos]
    if missing:
        why = "not among the models of this study; config/paper.yaml configures the paper's"
        found.append({"what": f"{listed(missing)}, which the paper measures", "why": why, "where": []})
    return found


def on_request(results: Path) -> list[dict[str, Any]]:
    """Return what is no part of a plain run: the target that makes it, what it is, and its files that are there."""
    return [
        {"target": target, "what": what, "made": [file for file in files if (results / file).is_file()]}
        for target, (files, what) in ON_REQUEST.items()
    ]


def front_page(contents: Mapping[str, Any], stored: Stored, sources: Sources) -> dict[str, Any]:
    """Return what the page's template shows.

    Args:
        contents: what the study's configuration says of the page: ``study`` (the parts that captions name), ``models``,
            ``experiments``, ``released`` (switches) and ``sections`` (titles, figures and tables).
        stored: what the study found.
        sources: where figures, tables and the words of captions lie.
    """
    rows = stored.verdicts
    minimum = contents["study"]["claims"]["minimum_subjects"]
    funnel = stored_cells(sources.results / "tables" / "funnel.md")
    return {
        "headlines": [line for line in (headline(rows, reading) for reading in READINGS) if line],
        "readings": IN_WORDS,
        "signs": {verdict: look[2] for verdict, look in VERDICT_LOOKS.items()},
        "meanings": meanings(minimum),
        "judged_models": models_of(judged(rows)),
        "claims": claims(rows),
        "models": models(contents, stored.sizes, funnel),
        "study": contents["study"],
        "released": contents["released"],
        "sections": sections(contents, sources),
        "unmeasured": unmeasured(contents, rows, stored),
        "too_few": not_judged(rows, TOO_FEW, minimum),
        "on_request": on_request(sources.results),
        "report": "report.html",
        "provenance": stored.provenance,
    }
