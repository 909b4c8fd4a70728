"""The front page: what is on it of a study, whatever the study has, and texts as text."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from dkn.pages.index import embedded
from dkn.stages import PACKAGE
from tests.unit.explorer_study import HOSTILE
from tests.unit.index_study import FIGURES, REASON, ROWS, contents, write_page, write_study
from tests.unit.verdict_rows import growth

PAPER = {"https://aclanthology.org/2025.acl-long.505", "https://arxiv.org/abs/2402.13731"}


class Page(HTMLParser):
    """The elements of a page with their attributes, the text outside scripts and styles, and the text of each cell."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style"):
            self.text += data

    def having(self, name: str) -> list[str]:
        """The values of an attribute, in order."""
        return [attributes[name] for _, attributes in self.elements if name in attributes]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("study")
    write_study(folder)
    return Page(write_page(folder))


def words(page: Page) -> str:
    return " ".join(page.text.split())


def test_the_page_names_the_paper_and_says_what_was_found(made: Page) -> None:
    assert set(made.having("href")) >= PAPER
    for said in (
        "Of the paper's five claims, one is supported in both models (C1)",
        "Of three contrasts, one speaks for the claim, one speaks against it, and one leaves it open.",
        "with probability 0.95",
        "It knows 20 of 24 facts, of which 5 are degenerate.",
        "1,234,567 parameters",
    ):
        assert said in words(made)


def test_every_figure_has_its_caption_numbers_files_and_alternative_text(made: Page) -> None:
    images = [attributes for tag, attributes in made.elements if tag == "img"]
    names = [name for part in FIGURES.values() for name in part]
    assert len(images) == len(names)
    for image, name in zip(images, names, strict=True):
        assert image["alt"].startswith(f"Figure {name}. ")
        assert len(image["alt"].split()) > 6, "the caption's first words follow"
        assert (image["width"], image["height"]) == ("80", "60")
        assert f"{name}: 42 % (40 … 44)" in words(made)
        assert {f"figures/{name}.{kind}" for kind in ("csv", "pdf", "png")} <= set(made.having("href"))
    assert "Nothing of it" not in made.text, "a part without figures and tables is left out"


def test_a_table_is_whole(made: Page) -> None:
    assert sum(tag == "tr" for tag, _ in made.elements) == ROWS + 1 + 6  # with heads, and a grid of five claims
    assert "-150.5 [0.1, 0.2]" in made.text
    assert {"tables/numbers.csv", "tables/numbers.md", "tables/numbers.tex"} <= set(made.having("href"))


def test_texts_of_facts_are_text(made: Page) -> None:
    assert made.text.count(HOSTILE) >= 5, "in captions, in the table and its title, and as a reason"
    assert sum(tag == "script" for tag, _ in made.elements) == 1
    assert not [attributes for _, attributes in made.elements if "onerror" in attributes]


def test_what_was_not_run_is_listed_with_its_reason(made: Page) -> None:
    said = words(made)
    assert f"fine-tuning-dkn of two: {' '.join(REASON.split())}." in said
    assert "degeneracy-dbscan, degeneracy-hierarchical" in said
    assert "LLaMA2-7b, which the paper measures: not among the models" in said
    assert "GPT-2 and LLaMA2-7b" not in said, "the study has the model gpt2"
    assert "n = 3 facts of 3 subjects, where 10 subjects are needed. Missed by C4 (primary reading, one)." in said
    assert "2 models: too few. Missed by C8 (primary reading)." in said


def test_links_lead_to_what_a_study_makes(made: Page) -> None:
    targets = set(made.having("href"))
    elsewhere = {target for target in targets if "://" in target}
    assert elsewhere == PAPER
    inside = {target[1:] for target in targets if target.startswith("#")}
    ids = made.having("id")
    assert len(ids) == len(set(ids))
    assert inside <= set(ids)
    assert {name for value in made.having("aria-labelledby") for name in value.split()} <= set(ids)
    pages = {target for target in targets - elsewhere if "#" not in target and "/" not in target}
    assert pages == {"report.html", "verdicts.json", "complexity.json"}
    assert {"one/explorer.html", "two/explorer.html"} <= targets


def test_on_request_only_what_is_there_is_linked(tmp_path: Path) -> None:
    write_study(tmp_path)
    assert "audit.html" not in Page(write_page(tmp_path)).having("href")
    (tmp_path / "audit.html").write_text("")
    page = Page(write_page(tmp_path, released=["sign"]))
    assert "audit.html" in page.having("href")
    assert "figures/sensitivity.png" not in page.having("href")
    assert "does what the authors' released code does in 1 step: sign." in words(page)


@pytest.mark.parametrize("verdicts", [[], [growth()]], ids=["no verdict", "no model has one"])
def test_a_part_of_a_study_has_a_page_too(
    tmp_path: Path, verdicts: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.unit.index_study.rows", lambda: verdicts)
    write_study(tmp_path)
    single = contents()["study"] | {"models": [{"name": "one"}]}
    page = Page(write_page(tmp_path, study=single, models={"one": {"repo": None}}, experiments=["degeneracy-ntc"]))
    assert ("No claim of the paper was judged." in words(page)) == (not verdicts)
    assert "two/explorer.html" not in page.having("href")


def test_equal_runs_give_equal_pages(tmp_path: Path) -> None:
    write_study(tmp_path)
    assert write_page(tmp_path) == write_page(tmp_path)


def test_a_damaged_table_ends_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_study(tmp_path)
    with (tmp_path / "tables" / "numbers.md").open("a") as table:
        table.write("| x |\n")
    with pytest.raises(AssertionError):
        write_page(tmp_path)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "numbers.md: is damaged or edited" in error
    assert not (tmp_path / "index.html").exists()


def test_an_image_is_embedded_without_loss(tmp_path: Path) -> None:
    write_study(tmp_path)
    png = tmp_path / "figures" / "groupings.png"
    found = embedded(png)
    kind, _, data = found["address"].partition(",")
    assert kind == "data:image/webp;base64"
    with Image.open(png) as before, Image.open(io.BytesIO(base64.b64decode(data))) as after:
        assert not ImageChops.difference(before.convert("RGB"), after.convert("RGB")).getbbox()


def test_the_pages_own_files_ask_for_nothing_from_elsewhere() -> None:
    files = {path.suffix: path.read_text("utf-8") for path in (PACKAGE / "pages").glob("index.*")}
    assert "://" not in files[".css"] + files[".js"]
    assert set(re.findall(r'="(https?://[^"]+)"', files[".html"])) == PAPER
    assert "default-src 'none'" in files[".html"]
