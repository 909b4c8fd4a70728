"""Texts of facts that some format would interpret, and a strategy of any text, with much markup in it."""

from __future__ import annotations

from hypothesis import strategies as st

LINE_BREAKS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
BLOCKS = [
    ".. raw:: html",
    ".. include:: /etc/hostname",
    ".. image:: x.png",
    ".. |a| replace:: b",
    ".. _a: javascript:alert(1)",
    ".. [1] a footnote",
    ".. a comment",
    "- a list",
    "• a list",
    "1. a list",
    "#. a list",
    "mix. a list",
    "(a) a list",
    ":field: its body",
    "-o an option",
    "--option=value an option",
    "/V an option",
    "| a line",
    ">>> doctest",
    "====  ====",
    "+---+",
    "----",
    "__ anonymous",
    "a literal block follows::",
    "::",
]
INLINE = [
    "Angola $x_1$ and $\\foo$",
    "half a dollar $ and $$ and \\$ and $",
    "`code` ``literal`` *Mali* **Chad** _x_ x_ x__ `y`_ `z`__ |sub| [1]_ [CIT2]_",
    ":sup:`2` and `2`:sub:",
    "`Peru <javascript:alert(4)>`__",
    "https://example.org/a_b mailto:a@example.org www.example.org a@example.org",
    "[link](javascript:alert(1)) ![image](x) [link][ref] [ref]: x <https://example.org> ~~gone~~ :smile:",
    "<b>bold</b> &amp; &#60; <!-- --> French & Arabic",
    "</script><img src=x onerror=alert(1)>",
    "\\ back\\slash \\n \\input{/etc/passwd} \\write18{ls} {x} }{ % # ^^5c ~ ``q'' -- --- << >> ?` !` ,,",
    "a|b \\| c\\",
    "[0.1 in the beginning",
    "* a star in the beginning",
]
OTHER = [
    "مصر 12 و العربية",
    "שלום abc",
    "日本語 🎌 👩‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ❤️",
    "हिन्दी e\u0301\u0327 ไทย",
    "a\u202ereversed\u2066 b\u2069 \u2067",
    "\x00 \x01 \x1b[31m \x7f \x9b \ufffe \ufeff \u200b \xad",
    "\u00a0space\u3000of\u2009several\tkinds ",
    "",
    "word" * 3000,
    "many words " * 1500,
]
CASES = [
    *BLOCKS,
    *INLINE,
    *OTHER,
    *(f"Spanish{mark}{mark}.. raw:: html{mark}{mark}   <img src=x onerror=alert(3)>" for mark in LINE_BREAKS),
    *(f"Lao{mark}===={mark}" for mark in LINE_BREAKS),
]
PIECES = st.one_of(
    st.text(max_size=8), st.sampled_from("\\`*_|[]()<>{}$&%#~^:@.-+=!\"', \n/aA1é中ع"), st.sampled_from(CASES)
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)
