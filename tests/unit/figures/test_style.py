"""What all figures share: error bars, panels without anything, and what a title says of intervals."""

from __future__ import annotations

import ast
import io
import itertools
import re
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from matplotlib import colormaps
from matplotlib.cbook import is_math_text
from matplotlib.figure import Figure
from matplotlib.text import Text

from dkn.figures import style
from dkn.figures.style import (
    LOOKS,
    error_bars,
    fitted,
    intervals_of,
    of_groupings,
    of_models,
    plain,
    say_nothing_to_draw,
    use_style,
)
from dkn.plain_text import CLOSE, LEFT_TO_RIGHT, OPEN
from tests.unit.hostile_texts import CASES, TEXTS

ROWS = pd.DataFrame({"mean": [0.2, -0.1, 0.4], "low": [0.1, -0.3, None], "high": [0.5, 0.0, None], "drop": [1, 2, 3]})


def test_error_bars_reach_from_low_to_high() -> None:
    values, lengths = error_bars(ROWS)
    assert values == pytest.approx([0.2, -0.1, 0.4])
    assert lengths[:, :2].ravel() == pytest.approx([0.1, 0.2, 0.3, 0.1])


def test_error_bars_and_values_are_scaled_alike() -> None:
    values, lengths = error_bars(ROWS, 100)
    assert values == pytest.approx([20, -10, 40])
    assert lengths[:, :2].ravel() == pytest.approx([10, 20, 30, 10])


def test_an_undefined_interval_has_no_error_bar() -> None:
    _, lengths = error_bars(ROWS.iloc[2:])
    assert lengths.tolist() == [[0], [0]]


def test_error_bars_may_be_about_another_column() -> None:
    values, lengths = error_bars(ROWS.iloc[:1], value="drop")
    assert values == pytest.approx([1])
    assert lengths.ravel() == pytest.approx([0.9, 0.5])


def test_an_empty_panel_says_why_and_has_no_ticks() -> None:
    figure = Figure()
    axes = figure.subplots()
    say_nothing_to_draw(axes, "no fact")
    assert [text.get_text() for text in axes.texts] == ["no fact"]
    assert not len(axes.get_xticks())
    assert not len(axes.get_yticks())
    figure.draw_without_rendering()


def test_a_title_states_the_confidence_of_the_summaries() -> None:
    summaries = [{"provenance": {"settings": {"confidence": confidence}}} for confidence in (0.95, 0.9, 0.95)]
    assert intervals_of(summaries[:1]).startswith("95 % bootstrap")
    assert intervals_of(summaries).startswith("90 and 95 % bootstrap")


# --- text from outside --------------------------------------------------------------------------------------


def save_without_a_word(*texts: str) -> None:
    """Save a figure with these texts as title, label and legend, in both formats; a warning ends the test."""
    use_style()
    figure = Figure(figsize=(4, 2), dpi=20)
    figure.suptitle(texts[0])
    for place, text in enumerate(texts):
        figure.text(0, place / len(texts), text)
        assert not any(is_math_text(line) for line in text.splitlines())
    axes = figure.subplots()
    axes.set_xlabel(texts[-1])
    axes.plot([0, 1], label=f"this study: {texts[-1]}")
    axes.legend()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ("png", "pdf"):
            figure.savefig(io.BytesIO(), format=kind, dpi=20)


def test_every_case_is_drawn_without_a_warning() -> None:
    save_without_a_word(*(fitted(text, 2) for text in CASES), *(plain(text[:200]) for text in CASES))


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])  # shrinking takes long
@given(st.lists(TEXTS, min_size=1, max_size=8))
def test_any_text_is_drawn_without_a_warning(texts: list[str]) -> None:
    save_without_a_word(*(fitted(text, 2) for text in texts), *(plain(text[:200]) for text in texts))


def test_marks_and_letters_of_the_font_are_drawn() -> None:
    letters = [chr(code) for code in sorted(style._letters(style.FONT)) if not chr(code).isspace()]
    marks = [letter for letter in letters if unicodedata.category(letter)[0] in "MCZ"]
    save_without_a_word(plain("a".join(marks)), *map(plain, marks), plain("".join(letters[::9])))


@pytest.mark.parametrize("text", ["Angola $x_1$ is", "$\\foo$", "\\$ and $$", "half $", "a\\b_{c}^2"])
def test_dollars_and_backslashes_are_drawn_as_they_are(text: str) -> None:
    assert Text(text=plain(text))._preprocess_math(plain(text)) == (text, False)  # type: ignore[attr-defined]


def test_brackets_count_what_no_font_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "fonts", lambda: [style.FONT])
    assert plain("日本 … 日本語 🎌") == "[2 characters without a font] … [4 characters without a font]"
    assert plain("a\U0001f38cb ✔\ufe0f\ufeff é") == "a[1 character without a font]b ✔ é"
    monkeypatch.setattr(style, "fonts", lambda: [style.FONT, "a font"])
    monkeypatch.setattr(style, "_letters", lambda font: frozenset(map(ord, "日本" if font == "a font" else "a")))
    assert plain("日本a語") == "日本a[1 character without a font]"


def test_another_font_draws_what_the_first_one_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "fonts", lambda: [style.FONT, "STIXGeneral"])  # comes with matplotlib, too
    lacking = sorted(style._letters("STIXGeneral") - style._letters(style.FONT))[:20]
    assert lacking
    text = plain("a".join(map(chr, lacking)))
    assert "without a font" not in text
    save_without_a_word(text)


def test_words_from_right_to_left_reorder_nothing_in_a_figure() -> None:
    assert plain("of مصر … العربية: 7") == f"{LEFT_TO_RIGHT}of {OPEN}مصر{CLOSE} … {OPEN}العربية{CLOSE}: 7"
    lines = fitted("العربية " * 20, 1).splitlines()
    assert len(lines) > 1
    assert all(line.startswith(LEFT_TO_RIGHT + OPEN) and line.endswith(CLOSE) for line in lines)


def test_a_long_title_ends_with_an_ellipsis() -> None:
    lines = fitted("many words " * 500, 2).splitlines()
    assert len(lines) == style.MOST_TITLE_LINES
    assert lines[-1].endswith(" …")
    assert max(map(len, lines)) <= 2 * style.TITLE_LETTERS


def test_fonts_that_cannot_be_read_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(path: object) -> None:
        raise RuntimeError("no scalable font")

    monkeypatch.setattr(style, "get_font", unreadable)
    assert style._letters.__wrapped__(style.FONT) == frozenset()
    assert style._letters.__wrapped__("no such font") == frozenset()


def test_text_can_be_read_on_every_colour() -> None:
    assert style.contrast_ratio("white", "black") == pytest.approx(21)
    assert style.contrast_ratio("#767676", "white") == pytest.approx(4.54, abs=0.01)
    for name in ("Blues", "cividis", "PuOr"):
        for ground in colormaps[name](np.linspace(0, 1, 256)):
            assert style.contrast_ratio(style.ink_on(ground), ground) > 4.5, (name, ground)
    for ground, ink, _ in style.VERDICT_LOOKS.values():
        assert style.contrast_ratio(ink, ground) > 4.5
    assert style.contrast_ratio(style.GREY, "white") > 4.5


# --- looks --------------------------------------------------------------------------------------------------


def figure_modules() -> list[Path]:
    return [path for path in Path(style.__file__).parent.glob("*.py") if path.name != "style.py"]


@pytest.mark.parametrize("path", figure_modules(), ids=lambda path: path.stem)
def test_a_figure_takes_its_colours_and_markers_from_the_style(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.alias)}
    assert not names & {"COLOURS", "MARKERS", "color_palette"}, "say what is drawn, by LOOKS or numbered"
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert not [text for text in texts if re.fullmatch(r"#[0-9a-fA-F]{3,8}|(tab|xkcd):.+|C\d", text)]


def test_different_sets_look_different() -> None:
    same = [{"bdc", "dkn"}, {"attribution", "kn"}, {"random", "random-order"}]
    for one, other in itertools.combinations(LOOKS, 2):
        assert (LOOKS[one] == LOOKS[other]) == ({one, other} in same), (one, other)
    assert all(style.contrast_ratio(look.colour, "white") > 2 for look in LOOKS.values())


def test_models_and_groupings_look_the_same_in_any_order_and_number() -> None:
    names = [f"m{number}" for number in range(len(style.COLOURS) + 2)]
    assert of_models(reversed(names)) == of_models(names)
    assert len(set(of_models(names).values())) == len(names)
    assert of_groupings(["kmeans", "ntc"]) == {
        name: of_groupings(["ntc", "dbscan", "kmeans"])[name] for name in ("kmeans", "ntc")
    }
    assert len({style.numbered(place) for place in range(30)}) == 30
