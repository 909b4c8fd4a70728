"""The configuration: what ships validates, and every kind of mistake is one line a user can act on."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.utils import update_config

from dkn.errors import UserError
from dkn.study.config import Study, check_scatter, parse_config
from dkn.study.inputs import TrainedModel, WheelModel
from dkn.study.protocol import SWITCHES
from tests.unit.study.configurations import (
    DEFAULT,
    DEPLOYED,
    MODELS,
    OVERLAYS,
    ROOT,
    SECTIONS,
    changed,
    complaint,
    complaints,
)

# --- what ships ---------------------------------------------------------------------------------------------


def test_the_default_configuration_validates() -> None:
    study = parse_config(DEFAULT)
    assert [model.name for model in study.models] == ["gpt2-nano", "llama-nano"]
    assert all(isinstance(model, TrainedModel) for model in study.models)


@pytest.mark.parametrize("path", OVERLAYS, ids=lambda path: path.name)
def test_every_overlay_validates_on_top_of_it(path: Path) -> None:
    overlay = yaml.safe_load(path.read_text())
    tree = copy.deepcopy(DEFAULT)
    update_config(tree, overlay)
    study = parse_config(tree)
    assert [model.name for model in study.models] == [model["name"] for model in overlay.get("models", tree["models"])]
    assert study.results != DEFAULT["results"], "an overlay must not write into the default study's results"


def test_a_deployed_copy_begins_with_the_defaults() -> None:
    tree = copy.deepcopy(DEFAULT)
    update_config(tree, yaml.safe_load(DEPLOYED.read_text()))
    assert tree == DEFAULT


def test_the_replicates_are_of_the_default_studys_models() -> None:
    overlay = yaml.safe_load((ROOT / "config" / "replicates.yaml").read_text())
    assert overlay["models"] == [{**model, "seeds": 5} for model in DEFAULT["models"]]


def test_the_released_overlay_is_the_default_study_with_every_switch() -> None:
    overlay = yaml.safe_load((ROOT / "config" / "released.yaml").read_text())
    assert overlay == {"results": "results/released", "protocol": "released"}
    assert parse_config({**copy.deepcopy(DEFAULT), **overlay}).released == tuple(SWITCHES)
    assert parse_config(DEFAULT).released == ()


def test_an_overlay_merges_sections_and_replaces_lists() -> None:
    tree = copy.deepcopy(DEFAULT)
    update_config(tree, {"attribution": {"nodes": 5}, "models": [MODELS["wheel"]]})
    study = parse_config(tree)
    assert study.attribution.nodes == 5
    assert study.attribution.tolerance == DEFAULT["attribution"]["tolerance"]
    assert [type(model) for model in study.models] == [WheelModel]


def test_config_yaml_states_every_key_so_that_there_is_one_set_of_defaults() -> None:
    assert set(DEFAULT) == set(Study.model_fields)
    assert not [name for name, field in Study.model_fields.items() if not field.is_required()]


def test_validation_leaves_the_tree_alone() -> None:
    tree = copy.deepcopy(DEFAULT)
    parse_config(tree)
    assert tree == DEFAULT


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("knowledge_neurons.cap", 50),
        ("distances.max_span", 1),
        ("figures.example_fact", "a_P54_2012"),
        ("explorer.facts", None),
        ("models.1.target", 1),
        ("functional_test.tau2", -0.5),
        ("attribution.floor", 0.1),
        ("sensitivity.fractions", [0.05, 1]),
        ("sensitivity.facts", None),
        ("sensitivity.tau2", [-0.5]),
        ("sensitivity.tests", ["absolute"]),
        ("knowledge_neurons.fraction", 1.0),
        ("clustering.tau1", 0),
        ("clustering.tau1", {"quantile": 0}),
    ],
)
def test_values_at_the_edge_are_allowed(place: str, value: object) -> None:
    parse_config(changed((place, value)))


@pytest.mark.parametrize("quadrature", ["gauss-legendre", "midpoint", "left-riemann"])
def test_even_nodes_are_allowed_without_adaptive_quadrature(quadrature: str) -> None:
    assert parse_config(changed(("attribution.quadrature", quadrature), ("attribution.nodes", 4)))


# --- mistakes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "allowed"),
    [
        ("sead", ["seed", "results", "models", "compute"]),
        ("facts.sauces", ["sources", "templates"]),
        ("attribution.nods", ["nodes", "tolerance", "shards"]),
        ("knowledge_neurons.floor", ["fraction", "cap"]),
        ("experiments.memory", ["degeneracy"]),
        ("experiments.degeneracy.subsets", ["max_subsets", "partitions"]),
        ("experiments.enhancement.draws", ["random_sets"]),
        ("experiments.perturbation.random_sets", ["queries"]),
        ("experiments.fact_checking.limit", ["facts", "relation_neurons", "shots"]),
        ("figures.format", ["example_fact"]),
        ("estimate.gpu.peak", ["peak_tflops", "utilisation"]),
    ],
)
def test_an_unknown_key_is_named_with_the_known_ones(place: str, allowed: list[str]) -> None:
    line = complaint((place, 1))
    assert line.startswith(f"{place}: unknown key; allowed: ")
    assert set(allowed) <= set(line.partition("allowed: ")[2].split(", "))


@pytest.mark.parametrize(
    ("place", "value", "kind"),
    [
        ("seed", "zero", "integer"),
        ("seed", 0.5, "integer"),
        ("seed", True, "integer"),
        ("results", 3, "string"),
        ("facts.sources", {"bundled": "static"}, "list"),
        ("facts.templates", "own.yaml", "list"),
        ("attribution.nodes", "three", "integer"),
        ("attribution.nodes", "3.0", "digits"),
        ("attribution.tolerance", "1,5", "0.001"),
        ("knowledge_neurons.cap", "none", "integer"),
        ("distances.fold_norm", "yes", "boolean"),
        ("distances.fold_norm", 1, "boolean"),
        ("figures.example_fact", 3, "string"),
        ("models", {"name": "m"}, "list"),
        ("experiments.degeneracy.partitions", None, "integer"),
        ("experiments.fine_tuning.learning_rates", 0.001, "list"),
        ("experiments.overlap.draws", 1.5, "integer"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_the_right_one(place: str, value: object, kind: str) -> None:
    line = complaint((place, value))
    assert line.startswith(f"{place}: ")
    assert kind in line
    assert repr(value) in line


@pytest.mark.parametrize(
    ("place", "value", "bound"),
    [
        ("seed", -1, "0"),
        ("minimum_known", 0, "1"),
        ("attribution.nodes", 0, "1"),
        ("attribution.tolerance", 0, "0"),
        ("attribution.floor", -0.1, "0"),
        ("attribution.shards", 0, "1"),
        ("knowledge_neurons.fraction", 1.5, "1"),
        ("knowledge_neurons.cap", 0, "1"),
        ("distances.max_span", 0, "1"),
        ("clustering.tau1", -1, "0"),
        ("clustering.tau1", float("inf"), "finite"),
        ("clustering.quantile", 0, "0"),
        ("clustering.quantile", 1.01, "1"),
        ("clustering.min_size", 1, "2"),
        ("groupings.max_groups", 1, "2"),
        ("groupings.dbscan.min_samples", 1, "2"),
        ("groupings.hdbscan.min_samples", 0, "1"),
        ("groupings.kmeans.variance", 1, "1"),
        ("groupings.kmeans.restarts", 0, "1"),
        ("groupings.amig.neurons", 1, "2"),
        ("groupings.amig.matters", 0, "0"),
        ("groupings.random.repeats", 0, "1"),
        ("experiments.degeneracy.max_subsets", 1, "2"),
        ("sensitivity.fractions", [], "1"),
        ("sensitivity.tau1", [], "1"),
        ("sensitivity.tests", [], "1"),
        ("sensitivity.facts", 0, "1"),
        ("experiments.fine_tuning.development", 1.0, "1"),
        ("experiments.fine_tuning.minimum", 3, "4"),
        ("experiments.fine_tuning.draws", 1, "2"),
        ("experiments.fine_tuning.learning_rates", [], "1"),
        ("experiments.suppression.random_sets", 0, "1"),
        ("experiments.fact_checking.shots", -1, "0"),
        ("estimate.subsets", [20], "2"),
        ("statistics.resamples", 99, "100"),
        ("statistics.confidence", 0.5, "0.5"),
        ("statistics.confidence", 1, "1"),
        ("compute.threads", 0, "1"),
        ("models", [], "1"),
        ("facts.sources", [], "1"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_bound(place: str, value: object, bound: str) -> None:
    line = complaint((place, value))
    where, _, what = line.partition(": ")
    assert where == place
    assert bound in what.replace(f"(found {value!r})", "")
    assert repr(value) in what


@pytest.mark.parametrize(
    ("place", "value", "line"),
    [
        ("estimate.subsets", [20, 5], "estimate.subsets: must be [low, high]"),
        ("estimate.known", [0.5, 1.5], "estimate.known.2: Input should be less than or equal to 1 (found 1.5)"),
        ("estimate.cpu_gflops", [0, 5], "estimate.cpu_gflops.1: Input should be greater than 0 (found 0)"),
    ],
)
def test_an_interval_has_a_low_and_a_high_end(place: str, value: object, line: str) -> None:
    assert complaint((place, value)) == line


def test_the_last_epoch_is_always_asked() -> None:
    line = complaint(("experiments.fine_tuning.epochs", 12), ("experiments.fine_tuning.ask_every", 5))
    assert line == "experiments.fine_tuning.ask_every: must divide epochs, so that the last one is asked too"


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ({"quantile": 1}, ["clustering.tau1.quantile: Input should be less than 1 (found 1)"]),
        ({}, ["clustering.tau1.quantile: missing"]),
        ({"quantile": 0.5, "of": 1}, ["clustering.tau1.of: unknown key; allowed: quantile"]),
        ("median", ["clustering.tau1: Input should be a valid number (found 'median')"]),
    ],
    ids=str,
)
def test_a_wrong_threshold_reads_like_any_other_mistake(value: object, lines: list[str]) -> None:
    """The parser's own name of the variant, number or quantile, must not show."""
    assert complaints(("clustering.tau1", value)) == lines


@pytest.mark.parametrize(
    ("methods", "what"),
    [
        (["dbscan"], "must hold ntc"),
        (["ntc", "amig", "amig"], "given twice: amig"),
    ],
)
def test_groupings_hold_ntc_and_each_method_once(methods: list[str], what: str) -> None:
    line = complaint(("groupings.methods", methods))
    assert line.startswith(f"groupings.methods: {what}")


def test_an_unknown_grouping_is_named_with_the_allowed_ones() -> None:
    line = complaint(("groupings.methods", ["ntc", "ward"]))
    assert line.startswith("groupings.methods.2: ")
    assert "'hdbscan'" in line
    assert "'ward'" in line


@pytest.mark.parametrize(
    ("place", "allowed"),
    [
        ("attribution.facts", ["known", "unknown", "all"]),
        ("attribution.baseline", ["amig", "zero"]),
        ("attribution.quadrature", ["adaptive", "gauss-legendre", "midpoint", "left-riemann"]),
        ("clustering.persistence", ["difference", "ratio"]),
        ("functional_test.test", ["sufficiency", "absolute", "compensation"]),
        ("compute.device", ["auto", "cpu", "cuda"]),
    ],
)
def test_an_unknown_choice_is_named_with_the_known_ones(place: str, allowed: list[str]) -> None:
    line = complaint((place, "other"))
    assert line.startswith(f"{place}: ")
    assert all(repr(choice) in line for choice in [*allowed, "other"])


@pytest.mark.parametrize("section", SECTIONS)
def test_a_missing_section_is_named(section: str) -> None:
    assert complaint((section, ...)) == f"{section}: missing"


@pytest.mark.parametrize("section", SECTIONS)
def test_an_empty_section_is_named(section: str) -> None:
    """A section whose lines are all commented out reads as null."""
    line = complaint((section, None))
    assert line.startswith(f"{section}: ")
    assert "None" in line


def test_even_nodes_with_adaptive_quadrature_are_refused() -> None:
    line = complaint(("attribution.nodes", 4))
    assert line.startswith("attribution")
    assert all(part in line for part in ("nodes", "adaptive", "odd", "4"))


def test_a_floor_above_the_fraction_is_refused() -> None:
    line = complaint(("attribution.floor", 0.3))
    assert "attribution.floor" in line
    assert "knowledge_neurons.fraction" in line


def test_a_fraction_of_the_grid_below_the_floor_is_refused() -> None:
    assert complaint(("sensitivity.fractions", [0.2, 0.04])) == (
        "sensitivity.fractions must not be below attribution.floor (0.05): lower scores are not stored"
    )


@pytest.mark.parametrize("name", ["fractions", "quantiles", "tau1", "tau2"])
def test_a_value_given_twice_in_the_grid_is_refused(name: str) -> None:
    assert complaint((f"sensitivity.{name}", [0.3, 0.1, 0.3])).startswith(f"sensitivity.{name}: a value is given twice")


def test_a_test_given_twice_in_the_grid_is_refused() -> None:
    assert complaint(("sensitivity.tests", ["absolute"] * 2)).startswith("sensitivity.tests: a value is given twice")


def test_a_wrong_value_in_the_grid_is_named_by_its_place() -> None:
    assert complaint(("sensitivity.quantiles", [0.1, 0])).startswith("sensitivity.quantiles.2: ")


@pytest.mark.parametrize("value", [float("nan"), float("inf")], ids=str)
@pytest.mark.parametrize("place", ["functional_test.tau2", "attribution.tolerance", "models.1.learning_rate"])
def test_numbers_must_be_finite(place: str, value: float) -> None:
    assert complaint((place, value)).startswith(f"{place.replace('models.1', 'models.2')}: ")


# --- several mistakes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "places",
    [
        [("seed", -1), ("attribution.nods", 1)],
        [("attribution.nodes", 0), ("attribution.floor", 2)],
        [("models.0.layers", 0), ("models.1.heads", "four")],
        [("compute", ...), ("models.1.source", "torrent")],
        [("seed", -1), ("results", ""), ("figures", ...)],
        [("models.1.name", "gpt2-nano"), ("attribution.floor", 0.3)],
        [("facts.sources.0", {}), ("facts.sources.1", "static")],
    ],
    ids=lambda places: " ".join(place for place, _ in places),
)
def test_every_mistake_has_its_line(places: list[tuple[str, Any]]) -> None:
    assert len(complaints(*places)) == len(places)


def test_an_empty_configuration_names_every_section() -> None:
    with pytest.raises(UserError) as caught:
        parse_config({})
    assert str(caught.value).split("\n") == [f"config: {name}: missing" for name in Study.model_fields]


# --- studies that are too large -----------------------------------------------------------------------------


def test_more_jobs_than_can_be_planned_are_refused() -> None:
    assert complaint(("attribution.shards", 1_000_000)).startswith("attribution.shards: Input should be less than or")
    models = [{**MODELS["hub"], "name": f"m{number}"} for number in range(100)]
    assert complaint(("models", models), ("attribution.shards", 100)) == (
        "attribution.shards: 100 jobs for each of 100 models are more than 4000"
    )
    axis = [number / 12 + 0.05 for number in range(11)]
    line = complaint(("models", models), ("sensitivity.fractions", axis), ("sensitivity.quantiles", axis))
    assert line == "sensitivity: 121 jobs for each of 100 models are more than 4000"


@pytest.mark.parametrize(
    ("scatter", "line"),
    [
        ({"facts": 1001}, "--set-scatter facts=1001: must be from 1 to 1000"),
        ({"facts": 0}, "--set-scatter facts=0: must be from 1 to 1000"),
        ({"fact": 3}, "--set-scatter fact=3: unknown name; allowed: facts"),
    ],
)
def test_a_scatter_from_the_command_line_has_the_same_bounds(scatter: dict[str, int], line: str) -> None:
    check_scatter(parse_config(DEFAULT), {})
    check_scatter(parse_config(DEFAULT), {"facts": 16})
    with pytest.raises(UserError) as caught:
        check_scatter(parse_config(DEFAULT), scatter)
    assert str(caught.value) == line


@pytest.mark.parametrize("key", ["(number)", "(quantile)", "hub", "model_config", "", " ", "x" * 300])
@pytest.mark.parametrize("section", ["attribution", "models.1", "facts.sources.0", "estimate.gpu.peak_tflops"])
def test_an_unknown_key_of_any_name_is_named(section: str, key: str) -> None:
    shown = {"": "''", " ": "' '", "x" * 300: f"'{'x' * 30}'…"}.get(key, key)
    where = section.replace("1", "2").replace("0", "1")
    assert complaint((f"{section}.{key}", 1)).startswith(f"{where}.{shown}: unknown key; allowed: ")
