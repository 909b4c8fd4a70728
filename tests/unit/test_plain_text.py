"""Text from outside comes out of every format as it is, and no markup begins in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from hypothesis import example, given, settings

from dkn.plain_text import CLOSE, OPEN, from_markdown, html, isolated, latex, markdown, one_line, restructuredtext
from dkn.summaries.wording import bullets
from tests.unit.hostile_texts import CASES, LINE_BREAKS, TEXTS
from tests.unit.latex_check import sequences

LIVE = {"file_insertion_enabled": True, "raw_enabled": True, "report_level": 1, "halt_level": 2}


def document(text: str) -> nodes.document:
    """Parse reStructuredText where everything is allowed; whatever the parser notices ends the test."""
    return publish_doctree(text, settings_overrides=LIVE)


def items(list_of_lines: str) -> list[str]:
    """The lines of a list, each of which must be one paragraph that holds text alone."""
    (found,) = document(list_of_lines).children
    assert isinstance(found, nodes.bullet_list)
    lines = []
    for item in found.children:
        assert [type(child) for child in item.children] in ([], [nodes.paragraph])
        assert all(isinstance(child, nodes.Text) for paragraph in item.children for child in paragraph.children)
        lines.append(item.astext())
    return lines


# --- one line -----------------------------------------------------------------------------------------------


@given(TEXTS)
def test_a_line_has_no_breaks_and_ordinary_text_is_left_alone(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert one_line(line) == line
    assert line.isprintable() or not text.isprintable() or any(sign.isspace() and sign != " " for sign in text)


@pytest.mark.parametrize("mark", LINE_BREAKS)
def test_every_line_break_becomes_a_space(mark: str) -> None:
    assert one_line(f" a{mark}{mark} b{mark}") == "a b"


def test_what_hides_or_reorders_is_seen() -> None:
    assert one_line("a\x00b\x1bc\u202ed\u2066e\ud800f\uffff") == r"a\x00b\x1bc\u202ed\u2066e\ud800f\uffff"


@given(TEXTS)
def test_isolated_text_differs_by_its_marks_alone(text: str) -> None:
    marked = isolated(text.replace(OPEN, "").replace(CLOSE, ""))
    assert marked.replace(OPEN, "").replace(CLOSE, "") == one_line(text.replace(OPEN, "").replace(CLOSE, ""))
    assert not re.search(f"{OPEN}[^{CLOSE}]*{OPEN}|{CLOSE}[^{OPEN}]*{CLOSE}", marked)
    assert marked.count(OPEN) == marked.count(CLOSE)


def test_words_from_right_to_left_are_isolated_together() -> None:
    assert isolated("of مصر 12 و العربية … שלום") == f"of {OPEN}مصر 12 و العربية{CLOSE} … {OPEN}שלום{CLOSE}"
    assert isolated(f"a{CLOSE}{OPEN}b") == r"a\u2069\u2068b"


# --- reStructuredText ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", CASES)
def test_a_list_in_restructuredtext_holds_its_lines_as_they_are(text: str) -> None:
    assert items(bullets([text, "then " + text, text + " then", "the end"])) == [
        one_line(text),
        one_line("then " + text),
        one_line(text + " then"),
        "the end",
    ]


@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS)
@example(".. raw:: html\n\n   <b>", "::")
def test_any_text_is_plain_in_restructuredtext(text: str, other: str) -> None:
    assert items(bullets([text, other])) == [one_line(text), one_line(other)]
    (paragraph,) = document(f"**name**: {restructuredtext(text)}.\n").children
    assert [type(child) for child in paragraph.children] == [nodes.strong, nodes.Text]
    assert paragraph.astext().rstrip() == f"name: {one_line(text)}.".rstrip()


def test_ordinary_captions_look_as_before() -> None:
    said = "gpt2-nano: 37 neurons, 12.3 % (10 … 15), n = 1,234 facts"
    assert (
        bullets([said, "“The capital of France is … Paris”"]) == f"- {said}\n- \\ “The capital of France is … Paris”\n"
    )


# --- Markdown -----------------------------------------------------------------------------------------------


def cells(line: str) -> list[str]:
    """The content of the cells of a row by the rules of GitHub's tables: a bar with a backslash splits nothing."""
    parts = re.split(r"(?<!\\)\|", re.sub(r"\\\\", "\0", line))
    return [part.replace("\0", "\\\\").replace(r"\|", "|").strip() for part in parts[1:-1]]


@pytest.mark.parametrize("text", CASES)
@settings(max_examples=1)
@given(TEXTS)
def test_a_cell_in_markdown_holds_its_text(text: str, more: str) -> None:
    for given_text in (text, more):
        assert from_markdown(markdown(given_text)) == one_line(given_text)
        row = f"| a | {markdown(given_text)} | b |"
        assert len(cells(row)) == 3


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_a_markdown_parser_finds_text_alone(text: str) -> None:
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = parser.parse(f"| a | b |\n|---|---|\n| {markdown(text)} | end |\n")
    inline = [token for token in tokens if token.type == "inline"]
    assert [token.type for token in tokens].count("td_open") == 2
    assert {child.type for token in inline for child in token.children or []} <= {"text", "text_special"}
    assert "".join(child.content for child in inline[2].children or []) == one_line(text)


def test_numbers_and_names_need_no_marks_in_markdown() -> None:
    for text in ("drop_per_neuron: 0.12 [-0.1, 0.3], p = 0.04 (n = 5)", "12.3 % – Q, N"):
        assert markdown(text) == text


# --- LaTeX --------------------------------------------------------------------------------------------------

COMMANDS = {
    "textbackslash",
    "textasciitilde",
    "textasciicircum",
    "textless",
    "textgreater",
    "textbar",
    "symbol",
    "texttt",
}


@settings(max_examples=100)
@given(TEXTS)
@example("\\input{/etc/passwd} ^^5cinput % comment")
def test_latex_finds_no_command_but_the_ones_that_stand_for_signs(text: str) -> None:
    written = latex(text)
    assert sequences(written) <= COMMANDS | set("&%$#_{}")
    bare = re.sub(r"\\[&%$#_{}]|\\[a-z]+", "", written)
    assert not re.search(r"[&%$#_~^<>|\"`\\\n]|--|''|,,", bare)
    assert all(bare[:end].count("{") >= bare[:end].count("}") for end in range(len(bare) + 1))
    assert bare.count("{") == bare.count("}")
    assert not written.startswith(("[", "*"))


def test_latex_states_the_numbers_of_letters_that_it_lacks() -> None:
    assert latex("é–ß 中 🎌") == r"é–ß \texttt{U+4E2D} \texttt{U+1F38C}"
    assert latex("it's -- ``a_1'' <50 %>") == (
        r"it's -{}- \symbol{96}\symbol{96}a\_1'{}' \textless{}50 \%\textgreater{}"
    )


# --- HTML ---------------------------------------------------------------------------------------------------


class Heard(HTMLParser):
    """What a browser would see: texts, and the names of elements."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags = "", list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(TEXTS)
def test_html_holds_text_alone(text: str) -> None:
    heard = Heard()
    heard.feed(f"<p>{html(text)}</p>")
    heard.close()
    assert (heard.tags, heard.text) == (["p"], one_line(text))
