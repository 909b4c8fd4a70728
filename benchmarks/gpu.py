"""What a GPU does with this package, in at most nine minutes on one card; prints one JSON object.

    benchmarks/gpu.sh                                       # on a GPU
    benchmarks/gpu.sh --tiny --device cpu                   # the same script with tiny models, on a CPU

Parts, each of which may fail or run out of time without costing the others:

    rate      the card's bfloat16 and float32 rates by one large product
    parity    attribution and interventions on the device against the CPU: float32 to 1e-4, bfloat16 stated
    large     LLaMA2-7b's shape with random bfloat16 weights: facts a second, share of the card's rate, peak memory,
              what the time goes to, interventions a second, neuron tuning, hours for 10,693 facts beside the estimate
    study     the default study's jobs with a model on the device, seconds by rule

Random weights say something about speed, and nothing about a model's knowledge.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "workflow")]

import gpu_study
import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedModel
from transformers.utils import logging

from dkn.attribution.integrated_gradients import AttributionSettings, attribute
from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.loading import adapt
from dkn.decoder.row_budget import RowBudget
from dkn.models.answer_loss import Sentence
from dkn.neurons.interventions import SITES, SUPPRESS, answer_scores
from dkn.neurons.sets import NeuronSet
from dkn.neurons.tuning import NeuronTuning, TuningSettings, train
from dkn.study.operations import attribution_flops, shape_of

MINUTES, FACTS_OF_THE_PAPER = 9, 10_693
PROMPT, ANSWER, NODES, MASK = 16, 3, 3, 2
SETS, NEURONS = 40, 20
FLOAT32_LIMIT = 1e-4


@dataclass(frozen=True)
class Sizes:
    """What is measured: layers, width, heads, neurons and vocabulary of the large model, and how much of everything."""

    large: tuple[int, int, int, int, int] = (32, 4096, 32, 11008, 32000)
    gpt2: tuple[int, int, int, int, int] = (12, 768, 12, 3072, 50257)
    product: int = 8192
    batches: tuple[int, ...] = (1, 8, 32)
    tuned: int = 1000


TINY = Sizes((3, 32, 2, 64, 300), (3, 48, 4, 192, 2000), 128, (1, 2), 8)
NANO = (8, 96, 4, 384, 4000)


def model_of(family: str, shape: tuple[int, int, int, int, int], device: str, dtype: torch.dtype) -> Adapter:
    """Return a model with random weights, which are the same on every device for the same ``dtype`` and GPT-2."""
    layers, width, heads, neurons, vocabulary = shape
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model: PreTrainedModel
            if family == "gpt2":
                of_gpt2 = {"n_layer": layers, "n_embd": width, "n_head": heads, "n_inner": neurons}
                model = GPT2LMHeadModel(GPT2Config(vocab_size=vocabulary, n_positions=128, **of_gpt2))
            else:
                sizes = {"num_hidden_layers": layers, "hidden_size": width, "num_attention_heads": heads}
                sizes |= {"intermediate_size": neurons, "vocab_size": vocabulary, "max_position_embeddings": 4096}
                model = LlamaForCausalLM(LlamaConfig(**sizes))
    finally:
        torch.set_default_dtype(before)
    return adapt(model)


def facts_of(count: int, vocabulary: int) -> list[EncodedFact]:
    """Return facts of random tokens."""
    tokens = np.random.default_rng(0).integers(3, vocabulary, (count, PROMPT + ANSWER)).tolist()
    return [EncodedFact(str(row), one[:PROMPT], one[PROMPT:]) for row, one in enumerate(tokens)]


def sets_of(count: int, sets: int, adapter: Adapter) -> list[list[NeuronSet]]:
    """Return for each of some facts random sets of neurons of all layers."""
    flat = np.random.default_rng(1).integers(0, adapter.n_layers * adapter.n_neurons, (count, sets, NEURONS))
    return [[NeuronSet(*np.divmod(one, adapter.n_neurons)) for one in edits] for edits in flat]


class Measurement:
    """One run of this script on one device.

    Attributes:
        sizes: what is measured.
        device: ``cuda`` or ``cpu``.
        found: the numbers so far, which are printed at the end.
    """

    def __init__(self, sizes: Sizes, device: str):
        self.sizes, self.device = sizes, device
        self.start = time.perf_counter()
        self.found: dict[str, Any] = {}

    def left(self) -> float:
        """Return the seconds that are left."""
        return 60 * MINUTES - (time.perf_counter() - self.start)

    def wait(self) -> None:
        """Wait for the device."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def seconds(self, compute: Callable[[], object], repeats: int = 3) -> float:
        """Return the median wall time, after one warm-up."""
        times = []
        for _ in range(repeats + 1):
            self.wait()
            start = time.perf_counter()
            compute()
            self.wait()
            times.append(time.perf_counter() - start)
        return float(np.median(times[1:]))

    def peak(self, compute: Callable[[], object]) -> float | None:
        """Return the most memory of the device that is allocated meanwhile, in GB; None on a CPU."""
        if self.device != "cuda":
            compute()
            return None
        torch.cuda.reset_peak_memory_stats()
        compute()
        return torch.cuda.max_memory_allocated() / 1e9

    def part(self, name: str, compute: Callable[[], Any], least: float) -> None:
        """Run one part where at least some seconds are left; what goes wrong is its result."""
        start = time.perf_counter()
        if self.left() < least:
            self.found[name] = {"skipped": f"{self.left():.0f} s left, {least:.0f} s needed"}
            return
        try:
            result = compute()
        except Exception as error:
            traceback.print_exc()
            result = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        self.found[name] = {**result, "seconds of this part": time.perf_counter() - start}
        if self.device == "cuda":
            torch.cuda.empty_cache()
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)

    def rate(self) -> dict[str, float]:
        """Return the device's rates in TFLOP/s."""
        size, rates = self.sizes.product, {}
        for dtype in (torch.bfloat16, torch.float32):
            square = torch.randn(size, size, device=self.device, dtype=dtype)
            rates[str(dtype).removeprefix("torch.")] = 2e-12 * size**3 / self.seconds(lambda s=square: s @ s, 9)
        return rates

    def _numbers(self, family: str, shape: tuple[int, ...], device: str, dtype: torch.dtype) -> dict[str, np.ndarray]:
        """Return scores and log probabilities of one model; the weights are made on the CPU."""
        adapter = model_of(family, shape, "cpu", dtype)  # type: ignore[arg-type]
        if device != "cpu":
            adapter = adapt(adapter.model, [torch.device(device)])
        facts = facts_of(4, shape[-1])
        found: dict[str, np.ndarray] = {}
        for baseline in ("zero", "amig"):
            settings = AttributionSettings(baseline, "gauss-lobatto", NODES)
            found[baseline] = np.stack([one.scores.numpy() for one in attribute(adapter, facts, MASK, settings)])
        for site in SITES:
            scored = answer_scores(adapter, facts, sets_of(4, 6, adapter), SUPPRESS, site)
            found[site] = np.stack([one.log_probs for one in scored])
        return found

    def parity(self) -> dict[str, Any]:
        """Return largest differences from the CPU's float32, relative for scores and in nats for log probabilities."""
        result: dict[str, Any] = {}
        for name, family, shape in (("gpt2-nano", "gpt2", NANO), ("llama-nano", "llama", NANO),
                                    ("GPT-2", "gpt2", self.sizes.gpt2)):  # fmt: skip
            expected = self._numbers(family, shape, "cpu", torch.float32)
            for dtype in (torch.float32, torch.bfloat16):
                found = self._numbers(family, shape, self.device, dtype)
                kind = f"{name}, {str(dtype).removeprefix('torch.')}"
                result[kind] = {key: difference(found[key], expected[key], key in SITES) for key in expected}
                if dtype == torch.float32:
                    result[kind]["within 1e-4"] = max(result[kind].values()) <= FLOAT32_LIMIT
        return result

    def large(self) -> dict[str, Any]:
        """Return what a model of LLaMA2-7b's shape costs."""
        adapter = model_of("llama", self.sizes.large, self.device, torch.bfloat16)
        result: dict[str, Any] = {"attribution": []}
        for batch in self.sizes.batches:
            if result["attribution"] and self.left() < 180:
                break
            result["attribution"].append(self._attribution(adapter, batch))
        best = max(row["facts a second"] for row in result["attribution"])
        result["hours for 10,693 facts"] = FACTS_OF_THE_PAPER / best / 3600
        result["estimated hours"] = gpu_study.estimated_hours(FACTS_OF_THE_PAPER, PROMPT, ANSWER)
        result["time goes to"] = self._profile(adapter, self.sizes.batches[1])
        result["interventions a second"] = self._interventions(adapter)
        result["neuron tuning"] = self._tuning(adapter)
        return result

    def _attribution(self, adapter: Adapter, batch: int) -> dict[str, Any]:
        """Return how fast one batch of facts is attributed."""
        facts = facts_of(batch, self.sizes.large[-1])
        settings, budget = AttributionSettings("amig", "gauss-lobatto", NODES), RowBudget.for_model(adapter)

        def compute() -> object:
            return attribute(adapter, facts, MASK, settings, budget)

        peak, seconds = self.peak(compute), self.seconds(compute, 2)
        work = batch * attribution_flops(shape_of(adapter.model.config.to_dict()), PROMPT, ANSWER, NODES, "amig")
        rate = self.found["rate"].get("bfloat16")
        return {
            "facts in a batch": batch,
            "facts a second": batch / seconds,
            "share of the bfloat16 rate": work * 1e-12 / seconds / rate if rate else None,
            "peak GB": peak,
            "branches at once": budget.rows,
        }

    def _profile(self, adapter: Adapter, batch: int) -> dict[str, Any]:
        """Return the share of the time in which kernels run, and the kernels that take longest, in milliseconds."""
        from torch.profiler import ProfilerActivity, profile

        facts, settings = facts_of(batch, self.sizes.large[-1]), AttributionSettings("amig", "gauss-lobatto", NODES)
        budget = RowBudget.for_model(adapter)
        cuda = self.device == "cuda"
        seconds = self.seconds(lambda: attribute(adapter, facts, MASK, settings, budget), 1)
        with profile(activities=[ProfilerActivity.CUDA if cuda else ProfilerActivity.CPU]) as seen:
            attribute(adapter, facts, MASK, settings, budget)
            self.wait()
        rows = [(e.key, e.count, e.self_device_time_total if cuda else e.self_cpu_time_total)
                for e in seen.key_averages()]  # fmt: skip
        rows.sort(key=lambda row: -row[2])
        return {
            "share with a kernel running": sum(row[2] for row in rows) / 1e6 / seconds,
            "kernels": sum(row[1] for row in rows),
            "longest": {name[:80]: [count, round(time_of / 1e3, 3)] for name, count, time_of in rows[:12]},
        }

    def _interventions(self, adapter: Adapter) -> dict[str, float]:
        """Return neuron sets a second, by site."""
        count = self.sizes.batches[1]
        facts, sets = facts_of(count, self.sizes.large[-1]), sets_of(count, SETS, adapter)
        return {
            site: count * SETS / self.seconds(lambda s=site: answer_scores(adapter, facts, sets, SUPPRESS, s), 1)
            for site in SITES
        }

    def _tuning(self, adapter: Adapter) -> dict[str, Any]:
        """Return the time of a step of training some neurons, and its memory."""
        flat = np.random.default_rng(2).choice(adapter.n_layers * adapter.n_neurons, self.sizes.tuned, replace=False)
        sentences = [Sentence(fact.prompt + fact.answer, PROMPT) for fact in facts_of(32, self.sizes.large[-1])]
        settings = TuningSettings(epochs=2, ask_every=1, batch=8, seed=0)
        epochs: list[float] = []

        def compute() -> None:
            with NeuronTuning(adapter, NeuronSet(*np.divmod(flat, adapter.n_neurons))) as tuning:
                for seconds, _ in train(adapter, tuning, sentences, 1e-3, settings):
                    self.wait()
                    epochs.append(seconds)

        start = time.perf_counter()
        peak = self.peak(compute)
        self.wait()
        return {
            "neurons": self.sizes.tuned,
            "milliseconds a step": 1e3 * (time.perf_counter() - start) / (2 * len(sentences) / settings.batch),
            "milliseconds a step, second epoch": 1e3 * epochs[-1] / (len(sentences) / settings.batch),
            "peak GB": peak,
        }


def difference(found: np.ndarray, expected: np.ndarray, absolute: bool) -> float:
    """Return the largest difference, absolute, or relative to the largest expected number."""
    return float(np.abs(found - expected).max() / (1 if absolute else np.abs(expected).max()))


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--tiny", action="store_true", help="tiny models, and the study's first job alone")
    chosen = parser.parse_args()
    if chosen.device == "cuda" and not torch.cuda.is_available():
        parser.error("PyTorch sees no GPU here")
    if chosen.device == "cpu" and not chosen.tiny:
        parser.error("the real sizes are for a GPU: use --tiny with --device cpu")
    logging.set_verbosity_error()
    run = Measurement(TINY if chosen.tiny else Sizes(), chosen.device)
    run.found["machine"] = {
        "device": torch.cuda.get_device_name() if chosen.device == "cuda" else "cpu",
        "torch": torch.__version__,
        "tiny": chosen.tiny,
    }
    run.part("rate", run.rate, 20)
    run.part("parity", run.parity, 60)
    run.part("large", run.large, 120)
    run.part("study", lambda: gpu_study.jobs(chosen.device, chosen.tiny, run.left() - 15), 60)
    print(json.dumps(run.found, indent=1))


if __name__ == "__main__":
    main()
