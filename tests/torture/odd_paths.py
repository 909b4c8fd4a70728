"""Names of files and folders with characters that mean something to a shell, to YAML, to Snakemake or to a URL."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from tests.short_study import Checkout, make_checkout, short_config
from tests.torture.counts import Counts, counting

NAMES = (
    *("a b", " a", "it's", '"a"', "a&b", "a;touch ran;", "a|touch ran", "$(touch ran)", "`touch ran`", "${HOME}"),
    *("a>ran", "a<b", "(a)", "[a]", "a*", "a?", "a!b", "~", "~root", "-a", "--output", "#a", "a#b", "a%20b", "a\\b"),
    *("a,b", "a=b", "@a", "a+b", "%s", "é", "模型", "☃", "🙂", "e\u0301", "x" * 60, "a\tb", "{a}", "{{a}}", "a:b"),
    *("a\nb", "a\\n", "\u202ea", "null", "1", "a'\"b", "^a", ".a", "a."),
)
# The names that are refused, with what the line says of them; every other one is taken.
NOT_IN_A_CHECKOUT = "the path of the workflow's folder has {!r} in it"
REFUSALS = {
    " a": "must not begin or end with a space",
    **dict.fromkeys(("~", "~root"), "must not begin with ~"),
    **dict.fromkeys(("-a", "--output"), "must not begin with -"),
    **{name: NOT_IN_A_CHECKOUT.format("{") for name in ("{a}", "{{a}}", "${HOME}")},
    **{name: NOT_IN_A_CHECKOUT.format(name[1]) for name in ("a\tb", "a\nb", "a:b")},
    "\u202ea": NOT_IN_A_CHECKOUT.format("\u202e"),
}
SEVERAL = 2  # at a time
LONGEST_RUN = 600  # seconds


def _study_in(folder: Path, name: str, model: Path) -> tuple[Checkout, str]:
    """A checkout, results, facts, templates and a model's folder of one name; and what the study is to make."""
    content = short_config(("gpt2",))
    content |= {"results": f"r{name}/{name}", "minimum_known": 1}
    content["facts"] = {"sources": [{"path": f"{name}/{name}"}], "templates": [f"{name}/t{name}"]}
    content["models"] = [{"name": "linked", "source": "folder", "path": f"{name}/m{name}"}]
    checkout = make_checkout(folder, content)
    inner = checkout.path / name
    inner.mkdir()
    (checkout.path / "short.jsonl").rename(inner / name)
    templates = yaml.safe_load((checkout.path / "resources" / "facts" / "templates.yaml").read_text(encoding="utf-8"))
    text = yaml.safe_dump({"P0": next(iter(templates.values()))}, allow_unicode=True)
    (inner / f"t{name}").write_text(text, encoding="utf-8")
    shutil.copytree(model, inner / f"m{name}")
    return checkout, f"{content['results']}/linked/known.parquet"


def _try(name: str, place: Path, model: Path) -> tuple[str, str]:
    """Run a study with a name in all its paths; one of the fields of ``Counts``, and what was wrong."""
    folder = place / "checkout" / name
    folder.mkdir(parents=True)
    checkout, target = _study_in(folder, name, model)
    try:
        result = checkout.run(target)
    except subprocess.TimeoutExpired:
        return "hangs", repr(name)
    if list(place.rglob("ran")):
        return "executed", repr(name)
    if "Traceback (most recent" in result.stdout:
        return "tracebacks", f"{name!r}: {result.stdout[-800:]}"
    if result.returncode == 0 and name not in REFUSALS:
        made = (checkout.path / target).is_file() and not checkout.planned(target)
        return ("taken", "") if made else ("wrong", f"{name!r}: nothing at {target}, or it is planned again")
    errors = [line for line in result.stdout.splitlines() if line.startswith("error: ")]
    expected = result.returncode and errors and name in REFUSALS and REFUSALS[name] in errors[0]
    return ("refused", errors[0]) if expected else ("wrong", f"{name!r}: {result.stdout[-800:]}")


def odd_paths(count: int, scratch: Path, model: Path) -> Counts:
    """Run studies whose checkout, results, facts, templates and model's folder have odd names.

    Args:
        count: how many of ``NAMES`` are tried, spread over the list.
        scratch: a folder for the studies.
        model: a model that knows the facts.
    """
    names = NAMES[:: max(1, len(NAMES) // count)][:count]
    places = [scratch / f"odd{number}" for number in range(len(names))]
    with counting("odd paths") as counts, ThreadPoolExecutor(SEVERAL) as several:
        for kind, what in several.map(_try, names, places, [model] * len(names)):
            counts.tried += 1
            if kind in ("taken", "refused"):
                setattr(counts, kind, getattr(counts, kind) + 1)
            else:
                counts.went_wrong(kind, what)
    return counts
