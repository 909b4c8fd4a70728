"""Tables as LaTeX that compiles, and as Markdown."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from dkn.plain_text import one_line
from dkn.tables.saving import NO_ROWS, NOTHING, latex, markdown, save
from tests.unit.hostile_texts import CASES
from tests.unit.latex_check import broken_latex, sequences


def test_latex_escapes_what_it_must() -> None:
    index = pd.MultiIndex.from_tuples([("a_1", "50 % & #2"), ("a_1", "{x} ~ ^ \\ $"), ("b_2", "50 % & #2")])
    frame = pd.DataFrame({"100 %_x": ["-0.5 [-0.6, -0.4]", None, "gpt-2 5e-05"]}, index=index.set_names(["m_o", "w"]))
    text = latex(frame, "95 % of_it", "tab:x")
    assert not broken_latex(re.sub(r"\\(textasciitilde|textasciicircum|textbackslash)", "", text))
    rows = [line for line in text.splitlines() if line.endswith(r"\\")][-3:]
    assert rows[0] == r"a\_1 & 50 \% \& \#2 & $-$0.5 [$-$0.6, $-$0.4] \\"
    assert rows[1].startswith(r" & \{x\} ")
    assert rows[1].endswith(r"& -- \\")
    assert rows[2] == r"b\_2 & 50 \% \& \#2 & gpt-2 5e-05 \\"  # the same label under another model stands again
    assert r"m\_o & w & 100 \%\_x \\" in text
    assert r"\caption{95 \% of\_it} \label{tab:x}" in text


def test_the_check_of_latex_can_fail() -> None:
    good = latex(pd.DataFrame({"a": ["1"]}, index=pd.Index(["x"], name="m")), "c", "l")
    assert not broken_latex(good)
    for bad in (
        good.replace(r"\end{longtable}", ""),
        good.replace("x & 1", "x & 1 & 2"),
        good.replace("x & 1", "50 % & 1"),
        good.replace("x & 1", "x_1 & 1"),
        good.replace("x & 1", "{x & 1"),
        good.replace("x & 1", "[x & 1"),
        good.replace(r"\bottomrule", ""),
    ):
        assert broken_latex(bad)


@pytest.mark.parametrize("text", CASES)
def test_text_from_outside_is_text_in_latex(text: str) -> None:
    index = pd.MultiIndex.from_tuples([(text, text), ("a", "b")], names=["model", f"label {text}"])
    written = latex(pd.DataFrame({f"column {text}": [text, None]}, index=index), f"caption {text}", "tab:x")
    plain = latex(pd.DataFrame({"column": ["-1", None]}, index=index.map(lambda _: ("a", "b"))), "caption", "tab:x")
    signs = {"textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar"}
    assert sequences(written) <= sequences(plain) | signs | {"symbol", "texttt"} | set("&%$#_{}")
    assert written.count("\n") == plain.count("\n")
    bare = re.sub(r"\\(text[a-z]+|symbol)", "", written)
    assert not [problem for problem in broken_latex(bare) if not problem.startswith("character")]


@pytest.mark.parametrize("text", CASES)
def test_text_from_outside_is_text_in_markdown(text: str) -> None:
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable(["table", "strikethrough"])
    index = pd.MultiIndex.from_tuples([("a", text), (text, "b")], names=["model", f"label {text}"])
    frame = pd.DataFrame({"n": ["1", None], f"column {text}": [text, "2"]}, index=index)
    cells = [token.children or [] for token in parser.parse(markdown(frame)) if token.type == "inline"]
    assert {child.type for cell in cells for child in cell} <= {"text", "text_special"}
    line = one_line(text)
    names = ["model", one_line(f"label {text}"), "n", one_line(f"column {text}")]
    assert ["".join(child.content for child in cell) for cell in cells] == [
        *names,
        *("a", line, "1", line),
        line,
        "b",
        NOTHING,
        "2",
    ]


def test_a_table_without_rows_says_so(tmp_path: Path) -> None:
    index = pd.MultiIndex.from_tuples([], names=["model", "query"])
    empty = pd.DataFrame({"drop": [], "n": []}, index=index, dtype=object)
    save(empty.reset_index(), empty, "caption", tmp_path / "x.csv")
    assert pd.read_csv(tmp_path / "x.csv").columns.tolist() == ["model", "query", "drop", "n"]
    row = (tmp_path / "x.md").read_text().splitlines()[-1]
    assert [cell.strip() for cell in row.strip("|").split("|")] == [NO_ROWS, "", NOTHING, NOTHING]
    assert not broken_latex((tmp_path / "x.tex").read_text())
