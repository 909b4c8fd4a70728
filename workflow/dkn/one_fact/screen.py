"""One screen of text about one fact: what ``dkn ask`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dkn.one_fact.analysis import REST, OneFact
from dkn.one_fact.answer import FEWEST, suppressed
from dkn.pages.explorer import ordered_components
from dkn.plain_text import isolated
from dkn.study.names import DKN, KN, KN_MATCHED, RANDOM, RANDOM_KN

# The neuron sets in the order of the table, and their words.
SETS = {
    DKN: "D, degenerate knowledge neurons",
    KN_MATCHED: "as many random ones of N",
    RANDOM: "as many random, same layers",
    KN: "N, all knowledge neurons",
    REST: "N without D",
    RANDOM_KN: "as many random as N, same layers",
}
DRAWN = (KN_MATCHED, RANDOM, RANDOM_KN)
MOST_COMPONENTS = 8  # rows of the table of components


def percent(share: float) -> str:
    """Return a share as a percentage with three digits, for a line of text."""
    return f"{100 * share:.3g} %" if abs(share) < 0.9995 else f"{100 * share:.0f} %"


def change(drop: float) -> str:
    """Return a relative drop as what happens to the answer's probability, such as ``-81 %``."""
    return f"{'-' if drop >= 0 else '+'}{percent(abs(drop))}"


def _table(*columns: str) -> Table:
    """Return an empty table whose first column is text and whose others are numbers."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number == 0 else "right", overflow="fold")
    return table


def _facts(fact: OneFact) -> Table:
    """Return the lines on top: known or not, knowledge neurons, components."""
    row, neurons, kept = fact.fact, fact.neurons, int(fact.components["kept"].sum())
    if row["known"]:
        known = f"yes, greedy decoding gives “{isolated(row['answer'])}”"
    elif row["answered"]:
        known = "no, not in the other wordings"
    else:
        known = f"no, the answer's first token is choice number {int(row['first_token_rank']) + 1}"
    found = f"{len(neurons)} in {neurons['layer'].nunique()} of {fact.model.language_model.adapter.n_layers} layers"
    if len(neurons):
        top = neurons.sort_values("score", ascending=False, kind="stable").iloc[0]
        found += f"; the strongest is neuron {top['neuron']} of layer {top['layer']}"
    tested = f"{len(fact.components)} tested, {kept} passed: "
    tested += "the fact is degenerate" if kept >= FEWEST else f"not degenerate, which takes {FEWEST}"
    lines = Table.grid(padding=(0, 2))
    for name, words in {
        "known": f"{known}; Prob {percent(row['prob'])}",
        "knowledge neurons": found,
        "components": tested,
    }.items():
        lines.add_row(Text(name, style="bold"), Text(words))
    return lines


def _components(fact: OneFact) -> Table:
    """Return the table of the tested components, those that passed first."""
    table = _table("component", "neurons", "Prob with it alone", "Prob without it", "brings back")
    rows = ordered_components(fact.components)
    for _, row in rows.head(MOST_COMPONENTS).iterrows():
        recovery = "nothing lost" if pd.isna(row["recovery"]) else percent(row["recovery"])
        alone, without = percent(row["prob_only_component"]), percent(row["prob_without_component"])
        table.add_row(row["name"], str(len(row["places"])), alone, without, recovery)
    if len(rows) > MOST_COMPONENTS:
        table.add_row(f"{len(rows) - MOST_COMPONENTS} more")
    return table


def _test(fact: OneFact) -> str:
    """Return in a sentence which components are base degenerate components (BDCs)."""
    of = fact.functional_test
    passes = {
        "sufficiency": f"it alone brings back more than {percent(of.tau2)} of what suppressing N costs",
        "absolute": f"Prob with it alone exceeds {percent(of.tau2)}",
        "compensation": f"suppressing it alone lowers Prob by less than {percent(of.tau2)}",
    }
    return f"A component is a base degenerate component (BDC) if {passes[of.test]}."


def _suppression(fact: OneFact) -> Table:
    """Return the table of what suppressing each neuron set costs; draws of a random set are averaged."""
    table = _table("suppressed", "neurons", "Prob", "change", "answered")
    rows = suppressed(fact)
    for name, words in SETS.items():
        draws = rows[rows["neuron_set"] == name]
        if draws.empty:
            continue
        count, answered = int(draws["neurons"].iloc[0]), int(draws["answered"].sum())
        said = f"{answered} of {len(draws)}" if name in DRAWN else ("yes" if answered else "no")
        table.add_row(words, str(count), percent(draws["prob"].mean()), change(draws["drop"].mean()), said)
    return table


def screen(fact: OneFact) -> Sequence[Any]:
    """Return what the console prints of a fact, part by part.

    Args:
        fact: the fact and its model.
    """
    row, model = fact.fact, fact.model
    title = Text(f"{isolated(row['prompt'])} … {isolated(row['answer'])}", style="bold")
    parts: list[Any] = [title, Text(f"{isolated(model.name)}, {model.parameters:,} parameters"), Text(), _facts(fact)]
    if len(fact.components):
        parts += [Text(), _components(fact), Text(_test(fact), style="dim")]
    if len(fact.neurons):
        draws = fact.study.experiments.suppression.random_sets
        note = f"Random sets are drawn {draws} times; their numbers are means." if draws > 1 else ""
        parts += [Text(), _suppression(fact), *([Text(note, style="dim")] if note else [])]
    return parts


def show(fact: OneFact, console: Console | None = None) -> None:
    """Print the screen.

    Args:
        fact: the fact and its model.
        console: where to print; standard output where not given.
    """
    console = console or Console(highlight=False, markup=False, emoji=False)
    for part in screen(fact):
        console.print(part)
