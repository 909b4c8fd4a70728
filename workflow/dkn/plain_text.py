"""Text from outside (facts, answers, ids, reasons) as plain text: one function per format that would interpret it.

In every format a text comes out as it is, but for two things: it stands in one line, with one space for each run of
white space, and characters that would hide or reorder others are written as Python writes them, as in ``\\u202e``.
"""

from __future__ import annotations

import html as html_entities
import re
import unicodedata

OPEN, CLOSE, LEFT_TO_RIGHT = "\u2068", "\u2069", "\u200e"  # first strong isolate, its end, left-to-right mark
DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067")  # these act beyond themselves
LONGEST_LINE = 4000  # in reStructuredText, whose parser refuses lines of 10,000 characters
# What LaTeX sets in every font encoding, besides ASCII and the letters that ``_has_accent`` accepts.
LATEX_SIGNS = frozenset("ßÆæØøŒœŁłı¡¿§¶©®°±µ·×÷¬¹²³¼½¾–—‘’“”…•†‡")
LATEX_ACCENTS = frozenset("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327")
LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\symbol{34}",
    "`": r"\symbol{96}",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
}


def _hides(sign: str) -> bool:
    """Return whether a character is no text: a control character, half of a surrogate pair, or no character at all."""
    code = ord(sign)
    return (
        sign in DIRECTIONS
        or unicodedata.category(sign) in ("Cc", "Cs")
        or code & 0xFFFE == 0xFFFE
        or 0xFDD0 <= code <= 0xFDEF
    )


def one_line(text: str) -> str:
    """Return a text in one line, in which characters that hide or reorder others are written as escapes.

    Isolates (U+2068, U+2069) stay, since ``isolated`` makes them; they order nothing outside their paragraph.
    """
    return "".join(ascii(sign)[1:-1] if _hides(sign) else sign for sign in " ".join(text.split()))


def isolated(text: str) -> str:
    """Return a text in one line, whose words from right to left stand between marks and reorder nothing around them."""
    line = "".join(ascii(sign)[1:-1] if sign in (OPEN, CLOSE) else sign for sign in one_line(text))
    kinds = {"R": "r", "AL": "r", "AN": "r", "NSM": "m", "BN": "m", "WS": "n", "EN": "n", "CS": "n", "ES": "n"}
    directions = "".join(kinds.get(unicodedata.bidirectional(sign), "x") for sign in line)
    parts, end = [], 0
    for run in re.finditer("r(?:[rmn]*r)?m*", directions):
        parts += [line[end : run.start()], OPEN, line[run.start() : run.end()], CLOSE]
        end = run.end()
    return "".join([*parts, line[end:]])


def restructuredtext(text: str, indent: int = 0) -> str:
    """Return a text as reStructuredText: no directive, role, link, list, table or other markup begins in it.

    Args:
        text: the text.
        indent: the indentation of the paragraph in which it stands, in spaces. A text that is too long for one line
            goes on in another.
    """
    line = one_line(text)
    pieces = [line[start : start + LONGEST_LINE] for start in range(0, len(line), LONGEST_LINE)]
    escaped = [re.sub(r"[\\*_`|]|[:@](?=\S)", r"\\\g<0>", piece) for piece in pieces]
    # An escaped space prints nothing; with it before them, signs and numbers begin no list, table or comment.
    begins_as_word = re.match(r"[^\W_]\w*(?![\w.)])", line)
    return ("" if begins_as_word or not line else r"\ ") + f"\\\n{' ' * indent}\\ ".join(escaped)


def matplotlib(text: str) -> str:
    """Return a text as matplotlib draws it without mathtext; whether a font has its letters is not looked at."""
    return one_line(text).replace("$", r"\$")


def markdown(text: str) -> str:
    """Return a text as a cell of a table in Markdown, with a backslash before each sign that would be markup there."""
    marked = r"[\\`*~<>&$!#{}|@]|_(?<![^\W_]_)|_(?![^\W_])|\](?=[(\[:])|:(?=\S)|(?<=www)\."
    return re.sub(marked, r"\\\g<0>", one_line(text))


def from_markdown(cell: str) -> str:
    """Return the text of a cell that ``markdown`` wrote."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", cell)


def _has_accent(sign: str) -> bool:
    parts = unicodedata.normalize("NFD", sign)
    return ord(sign) < 0x180 and len(parts) == 2 and parts[0].isascii() and parts[1] in LATEX_ACCENTS


def latex(text: str) -> str:
    """Return a text as LaTeX, for a cell or a caption.

    A character that LaTeX does not set without further packages is stated by its number, as in U+4E2D.
    """
    signs = (
        LATEX.get(sign, sign)
        if sign.isascii() or sign in LATEX_SIGNS or _has_accent(sign)
        else rf"\texttt{{U+{ord(sign):04X}}}"
        for sign in one_line(text)
    )
    apart = re.sub(r"(?<=-)(?=-)|(?<=')(?=')|(?<=,)(?=,)", "{}", "".join(signs))  # else they join into one sign
    return re.sub(r"^[\[*]", r"{\g<0>}", apart)  # after the end of a row these would be arguments


def html(text: str) -> str:
    """Return a text as HTML, for an element or an attribute."""
    return html_entities.escape(one_line(text))
