"""All contrasts in one table: counted once, adjusted over their setting and nothing else."""

from __future__ import annotations

import pytest

from dkn.paper.contrasts import adjusted, of_model
from tests.unit.contrast_rows import row


def test_holm_runs_over_a_setting() -> None:
    summaries = {
        "suppression-values": {"contrasts": [row("dkn", "kn", 0.01, query="add"), row("dkn", "kn", 0.04, query="all")]},
        "suppression-weights": {"contrasts": [row("dkn", "kn", 0.02, query="original")]},
        "enhancement-values": {"contrasts": [row("dkn", "kn", 0.03, query="add")]},
    }
    table = of_model("a", summaries).set_index(["setting", "of"])
    assert table.loc[("suppression", "query=add"), "p_holm"] == pytest.approx(0.03)
    assert table.loc[("suppression", "query=original"), "p_holm"] == pytest.approx(0.04)
    assert table.loc[("suppression", "query=all"), "p_holm"] == pytest.approx(0.04)
    assert table.loc[("enhancement", "query=add"), "p_holm"] == pytest.approx(0.03)
    assert set(table["model"]) == {"a"}


def test_primary_contrasts_are_adjusted_apart_from_the_others() -> None:
    primary = [row("dkn", second, 0.02, split="new") | {"primary": True} for second in ("all", "kn")]
    others = [row("dkn", "random", 0.02, split=str(number)) | {"primary": False} for number in range(3)]
    table = of_model("a", {"fine-tuning-dkn": {"contrasts": [*primary, *others]}})
    assert list(table["p_holm"]) == pytest.approx([0.04, 0.04, 0.06, 0.06, 0.06])
    assert table["primary"].tolist() == [True, True, False, False, False]


def test_the_two_interventions_of_a_setting_are_two_contrasts() -> None:
    """The same words in another experiment of the setting ask something else, unless the sides are turned."""
    same = {"contrasts": [row("dkn", "kn", 0.01, query="add", metric="drop")]}
    table = of_model("a", {"suppression-values": same, "suppression-weights": same})
    assert list(table["experiment"]) == ["suppression-values", "suppression-weights"]
    assert list(table["p_holm"]) == pytest.approx([0.02, 0.02])


def test_a_contrast_from_either_side_counts_once() -> None:
    summaries = {
        "fine-tuning-dkn": {"contrasts": [row("dkn", "all", 0.01, split="new"), row("dkn", "kn", 0.04, split="new")]},
        "fine-tuning-all": {"contrasts": [row("all", "dkn", 0.01, split="new"), row("all", "kn", 0.02, split="new")]},
    }
    table = of_model("a", summaries)
    assert list(zip(table["first"], table["second"], strict=True)) == [("dkn", "all"), ("dkn", "kn"), ("all", "kn")]
    assert list(table["p_holm"]) == pytest.approx([0.03, 0.04, 0.04])


def test_an_undefined_p_does_not_count_and_nothing_is_no_error() -> None:
    summaries = {
        "overlap-fine-tuning": {"contrasts": [row("dkn", "kn", None, part="both"), row("dkn", "random", 0.03)]},
        "degeneracy-random": {"contrasts": [row("x", "y", 0.1)]},
        "fact-checking-plm": {},
    }
    table = of_model("a", summaries)
    assert list(table["experiment"]) == ["overlap-fine-tuning", "overlap-fine-tuning"]
    assert table["p_holm"].isna().tolist() == [True, False]
    assert table["p_holm"].iloc[1] == pytest.approx(0.03)
    assert of_model("a", {}).empty


def test_summaries_take_the_settings_adjustment() -> None:
    summaries = {
        "suppression-values": {"contrasts": [row("dkn", "kn", 0.01, query="add")], "counts": 1},
        "suppression-weights": {"contrasts": [row("dkn", "kn", 0.02, query="add")]},
    }
    found = adjusted(summaries)
    assert found["suppression-values"]["counts"] == 1
    assert [found[name]["contrasts"][0]["p_holm"] for name in summaries] == pytest.approx([0.02, 0.02])
    assert summaries["suppression-values"]["contrasts"][0]["p_holm"] == 0.5  # what is stored stays
