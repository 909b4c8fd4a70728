"""One form of every text in a facts file, so that two spellings of one name are one name.

Texts are compared and stored in Unicode's composed form (NFC), with single spaces and without marks that nobody sees.
What cannot be such a text is an error: control characters, lone surrogates, and texts in which nothing is visible.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator

LONGEST_SHOWN = 300  # the most characters of a message that comes from a file
# Line breaks, tabs and every kind of space count as one space; other control characters are errors.
_SPACES = frozenset("\t\n\v\f\r\x85\u2028\u2029")
# Marks without a shape, which change no letter: soft hyphen, zero-width space, word joiner, byte order mark, marks of
# writing direction. The joiners U+200C and U+200D stay, because Persian, Indic names and emoji are written with them.
_INVISIBLE = dict.fromkeys(
    [
        *(0xAD, 0x61C, 0x180E, 0x200B, 0x200E, 0x200F, 0xFEFF),
        *(*range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFFF9, 0xFFFC)),
    ]
)
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # fillers that Unicode counts among letters and symbols


def normalised(text: str) -> str:
    """Return a text in its one form: NFC, single spaces, none around it, no invisible marks."""
    composed = unicodedata.normalize("NFC", text.translate(_INVISIBLE))
    spaced = "".join(" " if char in _SPACES or unicodedata.category(char) == "Zs" else char for char in composed)
    return " ".join(part for part in spaced.split(" ") if part)


def _is_visible(char: str) -> bool:
    """Tell whether a character has a shape of its own: a letter, number, punctuation mark or symbol."""
    return unicodedata.category(char)[0] in "LNPS" and char not in _BLANK


def _forbidden(char: str) -> bool:
    """Tell whether no text may hold a character: control characters, surrogates, and what Unicode will never assign."""
    code = ord(char)
    never = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return never or unicodedata.category(char) in ("Cc", "Cs")


def checked(text: str) -> str:
    """Return a text in its one form.

    Raises:
        ValueError: the text holds a character that no text may hold, or nothing that is visible.
    """
    if text.isascii() and text.isprintable() and text.strip():  # nothing can be wrong with most texts
        return " ".join(text.split())
    text = normalised(text)
    for char in text:
        if _forbidden(char):
            raise ValueError(f"the character U+{ord(char):04X} is not text")
    if not any(map(_is_visible, text)):
        raise ValueError("empty: no visible character")
    return text


def checked_id(text: str) -> str:
    """Return an id in its one form.

    Raises:
        ValueError: as ``checked`` raises it, or the id holds a tab or a line break.
    """
    if not _SPACES.isdisjoint(text):
        raise ValueError("an id holds no tabs and no line breaks")
    return checked(text)


Text = Annotated[str, AfterValidator(checked)]
Identifier = Annotated[str, AfterValidator(checked_id)]


def shown(message: str) -> str:
    """Return a message with text from a file as one printable line, shortened in its middle where it is long."""
    line = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in message)
    if len(line) <= LONGEST_SHOWN:
        return line
    return f"{line[: LONGEST_SHOWN // 2]} … {line[-LONGEST_SHOWN // 2 :]}"
