"""Tables as LaTeX that compiles."""

from __future__ import annotations

import re

import pandas as pd

from dkn.tables.saving import latex
from tests.unit.latex_check import broken_latex


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
