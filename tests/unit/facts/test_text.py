"""The one form of a text, and what is no text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkn.facts.text import LONGEST_SHOWN, checked, checked_id, normalised, shown

ONE_NAME = [
    "Pelé Junior",
    "Pele\u0301 Junior",
    "  Pelé   Junior ",
    "Pelé\u00a0Junior",
    "Pelé\tJunior",
    "Pelé\u2028Junior",
]


@pytest.mark.parametrize("spelling", [*ONE_NAME, "\ufeffPelé\u200b Juni\u00ador\u200e", "Pelé\r\n\u3000Junior\x85"])
def test_spellings_of_one_name_are_one_text(spelling: str) -> None:
    assert checked(spelling) == "Pelé Junior"


@pytest.mark.parametrize(
    "text", ["می\u200cخواهم", "👨\u200d👩\u200d👧", "क\u094d\u200dष", "北京", "«»", "$x_1$", "❤\ufe0f"]
)
def test_joiners_and_other_scripts_stay(text: str) -> None:
    assert checked(text) == text


@pytest.mark.parametrize(
    "text",
    ["", " ", "\t\n", "\u200b", "\u200d", "\u0301", "\u2060\ufeff", "\u3164", "\u2800", "\ufe0f", "\U000e0041", "\xad"],
)
def test_a_text_in_which_nothing_is_visible_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="no visible character"):
        checked(text)


@pytest.mark.parametrize("char", ["\0", "\x07", "\x1b", "\x1f", "\x7f", "\x9b", "\ud800", "\uffff", "\ufdd0"])
def test_control_characters_and_surrogates_are_no_text(char: str) -> None:
    for check in (checked, checked_id):
        with pytest.raises(ValueError, match=f"U\\+{ord(char):04X}"):
            check(f"Pelé{char}")


@pytest.mark.parametrize("text", ["a\tb", "a\nb", "a\u2028b", "a\n"])
def test_an_id_has_no_tabs_and_no_line_breaks(text: str) -> None:
    with pytest.raises(ValueError, match="tabs"):
        checked_id(text)
    assert checked_id(" Jane Doe ") == "Jane Doe"


@given(st.text())
def test_the_one_form_is_reached_at_once(text: str) -> None:
    once = normalised(text)
    assert normalised(once) == once == unicodedata.normalize("NFC", once)
    assert once == once.strip(" ")
    assert "  " not in once


@given(st.text(st.characters(exclude_categories=[])))
def test_a_shown_message_is_one_short_printable_line(text: str) -> None:
    line = shown(text)
    assert line.isprintable()
    assert len(line) <= LONGEST_SHOWN + len(" … ")
