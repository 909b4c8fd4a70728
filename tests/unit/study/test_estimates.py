"""Estimates of cost: ranges hold what was measured, narrow as a study tells more, and say what is assumed."""

from __future__ import annotations

import copy

import pytest
from snakemake.utils import update_config

from dkn.study.config import Study, parse_config
from dkn.study.estimates import (
    STAGES,
    KnownFacts,
    Range,
    estimate_space,
    estimate_stages,
    nodes_per_path,
    total,
    workloads,
)
from dkn.study.inputs import Shape, Sizes, TrainedModel
from dkn.study.operations import attribution_flops, flops_of_stages
from tests.unit.default_study import DEFAULT, PAPER

# Seconds of one CPU thread on 2 cores of a server without a GPU, start of the jobs included: the default study's two
# models (1,104 facts), and SmolLM2-135M on the same facts, its attribution in four shards.
SMOLLM2 = Shape(
    architecture="llama",
    layers=30,
    width=576,
    heads=9,
    kv_heads=3,
    neurons=1536,
    vocabulary=49152,
    context=2048,
    tied=True,
)
MEASURED: dict[str, tuple[KnownFacts, int, dict[str, float]]] = {
    "gpt2-nano": (
        KnownFacts(1076, 8.38, 2.17),
        2,
        {
            "known": 5.7,
            "attribution": 23.0,
            "components": 32.5,
            "degeneracy": 38.2,
            "sharing": 13.1,
            "suppression": 46.7,
            "enhancement": 37.6,
            "ablation": 13.2,
            "fact-checking": 36.5,
            "fine-tuning": 89.4,
            "fine-tuning-all": 20.0,
            "analysis": 104.0,
        },
    ),
    "llama-nano": (
        KnownFacts(1076, 8.36, 2.17),
        2,
        {
            "known": 6.8,
            "attribution": 26.1,
            "components": 28.8,
            "degeneracy": 34.2,
            "sharing": 12.7,
            "suppression": 31.3,
            "enhancement": 62.9,
            "ablation": 12.4,
            "fact-checking": 40.9,
            "fine-tuning": 89.7,
            "fine-tuning-all": 18.9,
            "analysis": 104.0,
        },
    ),
    "smollm2-135m": (  # too few degenerate facts to be fine-tuned
        KnownFacts(174, 8.29, 1.32),
        4,
        {
            "known": 58.1,
            "attribution": 294.6,
            "components": 138.6,
            "degeneracy": 102.0,
            "suppression": 26.6,
            "enhancement": 32.6,
            "fact-checking": 804.0,
            "analysis": 77.5,
        },
    ),
}


@pytest.fixture
def study() -> Study:
    """The default study."""
    return parse_config(DEFAULT)


@pytest.fixture
def paper() -> Study:
    """The paper's study."""
    tree = copy.deepcopy(DEFAULT)
    update_config(tree, PAPER)
    return parse_config(tree)


def shape(study: Study, name: str) -> Shape:
    """Of a model that is trained here, or SmolLM2's."""
    for model in study.models:
        if model.name == name and isinstance(model, TrainedModel):
            sizes = {key: getattr(model, key) for key in ("architecture", *Sizes.model_fields)}
            return Shape(**sizes, context=128, tied=True)
    return SMOLLM2


@pytest.mark.parametrize("name", MEASURED)
def test_measured_times_lie_within_their_ranges(name: str, study: Study) -> None:
    seen, shards, seconds = MEASURED[name]
    loads = workloads(study, 1104, 1.11, seen)
    found = {one.stage: one for one in estimate_stages(shape(study, name), "float32", study, loads, shards)}
    outside = {stage: (spent, found[stage].cpu) for stage, spent in seconds.items() if spent not in found[stage].cpu}
    assert not outside
    if name != "smollm2-135m":
        assert set(seconds) == set(STAGES) == set(found)
        whole = total(list(found.values())).cpu
        assert sum(seconds.values()) in whole
        assert whole.high / whole.low < 20, "a range this wide says nothing"


def test_ranges_add_scale_and_divide_at_the_right_ends() -> None:
    assert Range(1, 2) + Range(10, 30) == Range(11, 32)
    assert Range(1, 2) * 3 == Range(3, 6)
    assert Range(10, 40).over(Range(2, 5)) == Range(2, 20)
    assert 2 in Range(1, 2)
    assert 2.1 not in Range(1, 2)


def test_what_a_run_has_told_takes_the_place_of_assumptions(paper: Study) -> None:
    assumed = workloads(paper, 50_000, None, None)
    assert (assumed[0].known, assumed[1].known) == (500, 15_000)
    told = workloads(paper, 50_000, 1.5, KnownFacts(4000, 9.6, 2.4))
    for load in told:
        assert (load.known, load.prompt, load.answer, load.answers) == (4000, 10, 2, 1.5)
    assert told[0].subsets < told[1].subsets


@pytest.mark.parametrize(
    ("changes", "dtype", "expected"),
    [
        ({}, "float32", (3, 3.6)),
        ({}, "bfloat16", (3, 4.2)),
        ({"baseline": "zero"}, "float32", (3, 7.5)),
        ({"nodes": 5, "max_nodes": 6}, "bfloat16", (5, 6)),
        ({"quadrature": "gauss-legendre", "nodes": 20}, "bfloat16", (20, 20)),
    ],
)
def test_adaptive_paths_need_more_nodes(changes: dict, dtype: str, expected: tuple[float, float]) -> None:
    """And what they cost is counted: between whole numbers of nodes work is linear."""
    tree = copy.deepcopy(DEFAULT)
    tree["attribution"] |= changes
    study = parse_config(tree)
    assert nodes_per_path(study, dtype) == pytest.approx(expected)
    loads = workloads(study, 1104, 1.11, KnownFacts(100, 8.0, 2.0), dtype)
    assert [load.nodes for load in loads] == pytest.approx(expected)
    work = [flops_of_stages(SMOLLM2, study, load)["attribution"] for load in loads]
    one = attribution_flops(SMOLLM2, 8, 2, 10, "amig") - attribution_flops(SMOLLM2, 8, 2, 9, "amig")
    assert work[1] - work[0] == pytest.approx(100 * one * (expected[1] - expected[0]), abs=1.0)


def test_the_distances_of_a_large_model_wait_for_its_weights(paper: Study) -> None:
    gpt2, llama = paper.models
    found = []
    for model in (gpt2, llama):
        loads = workloads(paper, 100, 1.0, KnownFacts(100, 8.0, 2.0), model.dtype)
        stages = estimate_stages(model.shape, model.dtype, paper, loads, 1)
        found.append(next(stage.cpu for stage in stages if stage.stage == "analysis"))
    more = 2 * 6_738_415_616 - 4 * 124_439_808
    assert found[1].low - found[0].low == pytest.approx(more / 2e9)
    assert found[1].high - found[0].high == pytest.approx(more / 0.2e9)


def test_seconds_are_work_over_rate_and_the_start_of_every_job(paper: Study) -> None:
    """LLaMA2-7b's attribution in bfloat16, by hand; twice the peak is half of what goes by it."""
    model = paper.models[1]
    loads = workloads(paper, 50_000, None, None)
    by_name = {one.stage: one for one in estimate_stages(model.shape, "bfloat16", paper, loads, 16)}
    one = by_name["attribution"]
    work = [flops_of_stages(model.shape, paper, load)["attribution"] for load in loads]
    assert (one.flops.low, one.flops.high) == (work[0], work[1])
    starts = [16 * (2 + 2 * 6_738_415_616 / 2e9), 16 * (8 + 2 * 6_738_415_616 / 0.2e9)]
    assert one.cpu.low == pytest.approx(starts[0] + work[0] / 70e9)
    assert one.cpu.high == pytest.approx(starts[1] + work[1] / 10e9)
    assert one.gpu is not None
    assert one.gpu.low > starts[0] + work[0] / (0.4 * 312e12)
    paper.estimate.gpu.peak_tflops.bfloat16 *= 2
    doubled = {one.stage: one for one in estimate_stages(model.shape, "bfloat16", paper, loads, 16)}
    faster = doubled["attribution"].gpu
    assert faster is not None
    assert one.gpu.high - faster.high == pytest.approx(work[1] / (2 * 0.03 * 312e12))
    assert doubled["fine-tuning-all"].gpu == by_name["fine-tuning-all"].gpu, "it is in float32"


def test_memory_and_disk_of_the_papers_models(paper: Study) -> None:
    """13.5 GB of bfloat16 weights fit a card of 24 GB; training all parameters fits no card of 80."""
    loads = workloads(paper, 50_000, None, None)
    spaces = {model.name: estimate_space(model.shape, model.dtype, loads) for model in paper.models}
    assert 13.5e9 < spaces["llama2-7b"].device < 24e9
    assert 108e9 < spaces["llama2-7b"].device_in_full < 141e9
    assert spaces["gpt2"].device_in_full < 8e9
    assert 0.5e9 in spaces["gpt2"].download + Range(0, 1e7)
    assert 13.5e9 in spaces["llama2-7b"].download
    main = spaces["llama2-7b"].main
    assert 13.5e9 < main.low < main.high - 26e9 < 27e9 + 13.5e9, "files of float32 are mapped beside the weights"
    assert spaces["llama2-7b"].main_in_full.low > spaces["llama2-7b"].device_in_full, "copies are kept there too"


@pytest.mark.parametrize("end", [0, 1], ids=["least", "most"])
def test_numbers_at_the_ends_of_what_is_allowed_give_finite_times(end: int) -> None:
    tree = copy.deepcopy(DEFAULT)
    tokens, rates = [[1, 1], [10_000, 10_000]][end], [1e-6, 1e9]
    counts = [[1e-6, 1e-6], [1e9, 1e9]][end]
    tree["estimate"] |= dict.fromkeys(("prompt_tokens", "answer_tokens"), tokens) | {"cpu_gflops": rates}
    tree["estimate"] |= dict.fromkeys(("answers", "candidates", "subsets"), counts)
    tree["estimate"]["gpu"] = {"utilisation": [1e-6, 1], "peak_tflops": dict.fromkeys(("float32", "bfloat16"), 0.001)}
    tree["estimate"]["gpu"]["peak_tflops"]["float16"] = 1e9
    tree["attribution"] |= {"max_nodes": 100_000}
    study = parse_config(tree)
    large = {"layers": 1_000, "width": 100_000, "neurons": 1_000_000, "vocabulary": 10_000_000, "context": 100_000_000}
    stages = estimate_stages(
        SMOLLM2.model_copy(update=large), "float32", study, workloads(study, 10_000_000, None, None), 1_000
    )
    assert all(0 <= stage.cpu.low <= stage.cpu.high < float("inf") for stage in stages)
