"""What an audit says of two states: likeness, numbers, verdicts, and that nothing changes where nothing differs."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dkn.audit import effects
from dkn.audit.effects import Effects, StateRecords, jaccard
from dkn.audit.numbers import HEADLINES, ON_THE_PATH, Numbers, Reading
from dkn.audit.states import FLIPPED, MENDED, STEP, Comparison, State, ends
from dkn.audit.steps import Steps
from dkn.audit.stored import comparison_table, read_audits, verdict_table
from dkn.decoder.adapters import Adapter
from dkn.decoder.loading import LanguageModel
from dkn.figures import audit as figure
from dkn.figures import audit_path, audit_verdicts
from dkn.paper.verdicts import NOT_RUN, TOO_FEW, Thresholds, verdicts
from dkn.storage.files import write_json
from dkn.study.names import DKN, NONE, NTC
from dkn.tables.audit import wide_table
from tests.unit.audit_records import Made, summaries
from tests.unit.audit_study import settings, study_facts
from tests.unit.neuron_sets import neuron_set

TEXT: State = frozenset()
FAMILIES = pytest.mark.parametrize("adapter", ["gpt2", "llama-grouped"], indirect=True)


def test_the_likeness_is_the_mean_share_of_common_neurons() -> None:
    """Of three common facts: two of four neurons, none of two, and all; a fact of one state alone does not count."""
    first = {"a": neuron_set((0, 1), (0, 2), (1, 1)), "b": neuron_set((0, 5)), "c": neuron_set((3, 3))}
    second = {"a": neuron_set((1, 1), (0, 1), (2, 1)), "b": neuron_set((5, 0)), "c": neuron_set((3, 3))}
    found = jaccard({**first, "d": neuron_set((0, 0))}, {**second, "e": neuron_set((0, 0))})
    assert found == (pytest.approx((2 / 4 + 0 + 1) / 3), 3)
    likeness, facts = jaccard(first, {})
    assert (likeness != likeness, facts) == (True, 0)


# --- on records made by hand ------------------------------------------------------------------------------------


class MadeEffects(Effects):
    """The effects on records that no model gave."""

    def __init__(self, made: Made) -> None:
        super().__init__(cast(Steps, SimpleNamespace(study=settings(), choice=lambda _, stated, __: stated)))
        self.made = made

    def numbers(self, state: State) -> Numbers:
        return Numbers(self.made, Reading())


def of_claims(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {f"{row['claim']}/{row['reading']}": row["verdict"] for row in rows}


@pytest.mark.parametrize("effect", [0.0, 0.3])
def test_verdicts_are_those_of_the_paper_on_the_same_contrasts(effect: float) -> None:
    """Of claims whose errors are over subjects alone in the study too; with an effect they are decided."""
    made = Made(4, effect)
    drawn = ("fact-checking", "fine-tuning", "overlap")
    stored = {name: make() for name, make in summaries(made).items() if not name.startswith(drawn)}
    of = settings().claims
    expected = of_claims(verdicts(stored, Thresholds(of.alpha, of.margins.model_dump(), of.minimum_subjects)))
    found = MadeEffects(made).verdicts(TEXT)
    assert found.keys() == expected.keys()
    compared = [name for name in found if name[:2] in ("C1", "C2", "C3", "C4")]
    assert {name: found[name] for name in compared} == {name: expected[name] for name in compared}
    assert {found["C1/primary"], found["C3/literal"]} == {"supported" if effect else "inconclusive"}


@pytest.mark.parametrize(
    ("change", "claim", "verdict"),
    [
        ({"groupings": 0}, "C1/primary", TOO_FEW),
        ({"perturbed": 0}, "C3/primary", TOO_FEW),
        ({"trained": 0}, "C7/primary", TOO_FEW),
        ({"overlapped": 0}, "C6/primary", TOO_FEW),
    ],
)
def test_a_claim_without_facts_is_not_one_that_was_not_run(change: dict[str, int], claim: str, verdict: str) -> None:
    made = Made(4)
    (name,) = change
    own = getattr(made, name)
    empty = {key: rows.iloc[:0] for key, rows in own.items()} if isinstance(own, dict) else own.iloc[:0]
    setattr(made, name, empty)
    found = MadeEffects(made).verdicts(TEXT)
    assert found[claim] == verdict
    assert NOT_RUN not in found.values()


def test_where_the_dkn_is_alone_nothing_is_compared() -> None:
    made = Made(4)
    made.perturbed = {name: rows[rows["neuron_set"].isin((DKN, NONE))] for name, rows in made.perturbed.items()}
    found = MadeEffects(made).verdicts(TEXT)
    assert {name for name, verdict in found.items() if verdict == NOT_RUN} == {
        f"{claim}/{reading}" for claim in ("C3", "C4") for reading in ("primary", "literal")
    }


# --- on a tiny model ---------------------------------------------------------------------------------------------


@pytest.fixture
def of_model(adapter: Adapter, tokenizer: Any) -> Effects:
    model = LanguageModel(adapter, tokenizer)
    return Effects(Steps(model, study_facts(adapter, tokenizer), settings(claims={"minimum_subjects": 5}), 4))


@FAMILIES
def test_a_state_compared_with_itself_changes_nothing(of_model: Effects) -> None:
    found = of_model.of_comparison(Comparison(FLIPPED, "site", TEXT, TEXT))
    assert (found["jaccard"], found["jaccard_facts"]) == (1.0, found["counts_before"]["with_knowledge_neurons"])
    assert found["counts_before"] == found["counts_after"]
    assert all(before == after for before, after in found["verdicts"].values())
    assert all(found["numbers"][name]["facts"] for name in ("gap", "suppression", "suppression_random"))
    for name, number in found["numbers"].items():
        if number["value"] == number["value"]:
            assert number["value"] == pytest.approx(0, abs=1e-12), name
            assert number["subjects"] == 1 or number["se"] == pytest.approx(0, abs=1e-12), name
            assert number["before"] == number["after"]


@FAMILIES
def test_a_change_is_after_minus_before(of_model: Effects) -> None:
    found = of_model.of_comparison(Comparison(FLIPPED, "sign", TEXT, frozenset({"sign"})))
    gap = found["numbers"]["gap"]
    assert gap["after"] == pytest.approx(-gap["before"])
    assert gap["value"] == pytest.approx(gap["after"] - gap["before"]) != 0
    assert list(found["numbers"]) == [headline.name for headline in HEADLINES]
    step = of_model.of_comparison(Comparison(STEP, "sign", TEXT, frozenset({"sign"})))
    assert (list(step["numbers"]), step["verdicts"]) == (list(ON_THE_PATH), {})
    assert step["numbers"]["gap"] == gap


@FAMILIES
def test_a_states_records_are_those_of_its_steps(of_model: Effects) -> None:
    records, steps = StateRecords(of_model.steps, TEXT), of_model.steps
    assert records.degeneracy(NTC) is steps.get("degeneracy", TEXT)[NTC]
    assert records.degeneracy("shuffled") is steps.get("degeneracy", TEXT)["shuffled"]
    assert records.degeneracy("kmeans") is steps.get("rival_degeneracy", TEXT)["kmeans"]
    assert records.degeneracy("amig") is steps.get("rival_degeneracy", TEXT)["amig"]
    assert records.perturbation("enhancement-weights") is steps.get("enhancement-weights", TEXT)
    assert records.checking(True) is steps.get("judged", TEXT)
    assert records.checking(False) is steps.get("checking", TEXT)
    assert records.tuning() is steps.get("tuning", TEXT).records
    assert records.overlap() is steps.get("overlap", TEXT)


@FAMILIES
def test_an_audit_is_stored_tabled_and_drawn(
    of_model: Effects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ends, one flip, one mend and one step; the released protocol runs whole in either family."""
    released = ends(of_model.steps.gated)["released"]
    few = [
        Comparison(FLIPPED, "functional_test", TEXT, frozenset({"functional_test"})),
        Comparison(MENDED, "site", released, released - {"site"}),
        Comparison(STEP, "site", TEXT, frozenset({"site"})),
    ]
    monkeypatch.setattr(effects, "comparisons", lambda _: iter(few))
    found = of_model.audit()
    assert (found["sample"], found["known"]) == (16, 14)
    assert found["states"]["released"]["switches"] == sorted(released)
    assert found["states"]["text"]["counts"]["degenerate"] > 4
    assert all(len(state["verdicts"]) == 11 for state in found["states"].values())
    write_json(tmp_path / "audit.json", {"model": "tiny", **found})
    (stored,) = read_audits([tmp_path / "audit.json"])
    assert json.loads(json.dumps(stored)) == stored
    assert (len(comparison_table([stored])), len(verdict_table([stored])), len(wide_table([stored]))) == (3, 44, 3)
    for drawn in (figure.draw([stored], 0.95), audit_path.draw([stored], 0.95), audit_verdicts.draw([stored])):
        assert drawn.axes
    for module in (figure, audit_path, audit_verdicts):
        assert module.caption([stored])


@FAMILIES
def test_a_model_that_knows_nothing_has_an_audit(adapter: Adapter, tokenizer: Any) -> None:
    facts = study_facts(adapter, tokenizer, known=False)
    of_none = Effects(Steps(LanguageModel(adapter, tokenizer), facts, settings(), 4))
    state = of_none.of_state(TEXT)
    assert set(state["counts"].values()) == {0}
    assert set(state["verdicts"].values()) == {TOO_FEW}
    assert all(number["value"] != number["value"] for number in state["numbers"].values())
