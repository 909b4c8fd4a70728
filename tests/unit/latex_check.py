"""What a LaTeX compiler would say about a table."""

from __future__ import annotations

import re

import numpy as np


def broken_latex(text: str) -> list[str]:
    """What a LaTeX compiler would stop at or print wrongly in a longtable; independent of how it was written."""
    problems = []
    body = re.sub(r"\\[&%#_{}$]", "", text)  # escaped characters are no syntax
    opened, closed = (re.findall(rf"\\{word}{{(\w+)}}", body) for word in ("begin", "end"))
    problems += [] if opened == closed == ["longtable"] else [f"environments {opened} {closed}"]
    depth = np.cumsum([(sign == "{") - (sign == "}") for sign in body])
    problems += [] if depth.min() >= 0 and depth[-1] == 0 else ["braces"]
    problems += [] if body.count("$") % 2 == 0 else ["math"]
    problems += [f"character {sign!r}" for sign in sorted(set(re.findall(r'[%#_<>|"^~]|[^\x00-\x7f]', body)))]
    columns = len(re.search(r"\\begin{longtable}{([lr]+)}", body).group(1))  # type: ignore[union-attr]
    rows = [line for line in body.splitlines() if line.endswith(r"\\") and "\\caption" not in line]
    rows = [row for row in rows if "multicolumn" not in row]
    problems += [f"row of {row.count('&') + 1} cells" for row in rows if row.count("&") != columns - 1]
    problems += [f"{word} is missing" for word in (r"\toprule", r"\midrule", r"\bottomrule") if word not in body]
    problems += ["row that starts with a bracket" for row in rows if row.lstrip().startswith("[")]
    return problems


def sequences(text: str) -> set[str]:
    """The control sequences that TeX reads in a text: a backslash with the letters after it, or with one other sign."""
    return set(re.findall(r"\\([A-Za-z]+|.|$)", text, flags=re.DOTALL))
