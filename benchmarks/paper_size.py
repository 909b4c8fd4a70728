"""Models of the paper's sizes with random weights, through the study's stages on the CPU: time and peak memory.

    python benchmarks/paper_size.py --shape llama2-7b --facts 4                # 13.5 GB of disk, 20 GB of memory
    python benchmarks/paper_size.py --shape gpt2 --facts 64 --fine-tuning
    python benchmarks/paper_size.py --shape tiny --facts 8 --fine-tuning       # a minute

A random model knows nothing, so the answer of every fact is what the model says. Every stage is the study's own command
in a process of its own. Beside what it took stands what ``dkn.study`` estimates for as many facts, tokens and
components, on one thread. Nothing here says anything about GPT-2 or LLaMA2-7b, whose shapes these are.

The folder (``--folder``) keeps what is finished, so that the same command goes on where it was stopped; at the end the
weights are removed.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT / "workflow")]

import yaml
from own_facts import ANSWER, FACTS_FILE, apart, chosen_lines, own_answers, with_answer
from random_folder import write_folder
from snakemake.utils import update_config

from dkn.decoder.loading import DTYPES
from dkn.models.weights import INDEX
from dkn.storage.files import read_table
from dkn.storage.schemas import COMPLETENESS, COMPONENTS, FACTS, KNOWN
from dkn.study.config import Study, parse_config
from dkn.study.estimates import (
    ALL_IN_FULL,
    ANALYSIS,
    ANALYSIS_OF_A_FACT,
    LOADING,
    NOTHING,
    STARTUP,
    STARTUP_OF_ANALYSIS,
    Range,
    nodes_per_path,
)
from dkn.study.inputs import Shape
from dkn.study.memory import BYTES, Work, job_bytes
from dkn.study.names import SITES, TUNED_SETS
from dkn.study.operations import Workload, flops_of_stages, parameters

TEMPLATES = FACTS_FILE.with_name("templates.yaml")
TINY = {"layers": 4, "width": 64, "heads": 4, "kv_heads": 4, "neurons": 128, "vocabulary": 9000, "context": 128}
SHORT_TUNING = {"epochs": 2, "trainings": 2, "draws": 2, "learning_rates": [0.0005], "extensions": 0}
PERTURBING = ("suppression", "enhancement")
# Linux counts what a process held before it became another program, so a small process of its own starts each stage.
MEASURING = """
import json, os, subprocess, sys, time
begin = time.perf_counter()
with open(sys.argv[1], "w", encoding="utf-8") as log:
    process = subprocess.Popen(sys.argv[2:], stdout=log, stderr=subprocess.STDOUT)
    _, status, used = os.wait4(process.pid, 0)
seconds = time.perf_counter() - begin
print(json.dumps([os.waitstatus_to_exitcode(status), seconds, used.ru_utime + used.ru_stime, 1024 * used.ru_maxrss]))
os._exit(0)
"""
OF_ESTIMATE = {  # a stage of the table below, and the stage of the estimate that it is a part of
    **{f"{setting}-{site}": setting for setting in PERTURBING for site in SITES},
    **{f"fine-tuning-{subset}": "fine-tuning" for subset in TUNED_SETS},
    **dict.fromkeys(("knowledge-neurons", "distances", "ntc"), ANALYSIS),
    ALL_IN_FULL: ALL_IN_FULL,
}
WITHOUT_MODEL = {"knowledge-neurons", "ntc"}  # stages that load no model
NOT_ESTIMATED = {"facts", "model-folder"}


@dataclass(frozen=True)
class Took:
    """What a stage took: seconds by the clock, seconds of the processors, and the most bytes of memory."""

    seconds: float
    processor: float
    memory: int


def shape_and_type(name: str) -> tuple[Shape, str]:
    """A shape of the paper's study, or a tiny LLaMA, and the type of its weights."""
    if name == "tiny":
        return Shape(architecture="llama", tied=False, **TINY), "bfloat16"
    entries = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text(encoding="utf-8"))["models"]
    entry = next(entry for entry in entries if entry["name"] == name)
    return Shape(**entry["shape"]), entry.get("dtype", "float32")


def paper_study(options: argparse.Namespace) -> Study:
    """The paper's study with one grouping, NTC, and with the limits that the options state."""
    default, paper = (
        yaml.safe_load((ROOT / path).read_text(encoding="utf-8")) for path in ("config.yaml", "config/paper.yaml")
    )
    merged = copy.deepcopy(default)
    update_config(merged, paper)
    merged["groupings"]["methods"] = ["ntc"]
    merged["knowledge_neurons"]["cap"] = options.cap
    merged["experiments"]["fine_tuning"]["minimum"] = 4
    if options.short_tuning:
        merged["experiments"]["fine_tuning"] |= SHORT_TUNING
    for setting in PERTURBING:
        merged["experiments"][setting]["random_sets"] = options.random_sets
    return parse_config(merged)


def timed(command: Sequence[str], log: Path) -> Took:
    """Run a command to its end; what it prints goes to a file, and is shown where the command fails."""
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT / "workflow"), "CUDA_VISIBLE_DEVICES": ""}
    measured = subprocess.run(
        [sys.executable, "-c", MEASURING, str(log), *command], env=surroundings, stdout=subprocess.PIPE, check=True
    )
    status, *numbers = json.loads(measured.stdout)
    if status:
        sys.exit(f"{' '.join(command)}\nended with status {status}:\n{log.read_text(encoding='utf-8')}")
    return Took(*numbers)


def flagged(**named: object) -> list[str]:
    """Flags of a command line with their values."""
    return [part for flag, value in named.items() for part in (f"--{flag.replace('_', '-')}", str(value))]


class Run:
    """The stages of one model in a folder; what is there already is not run again."""

    def __init__(self, options: argparse.Namespace):
        self.options, self.study = options, paper_study(options)
        shape, self.dtype = shape_and_type(options.shape)
        self.shape = shape.model_copy(update={"layers": options.layers or shape.layers})
        self.folder: Path = options.folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.record = self.folder / "took.json"
        stored = json.loads(self.record.read_text(encoding="utf-8")) if self.record.is_file() else {}
        self.took = {name: Took(**numbers) for name, numbers in stored.items()}
        self.begun = time.monotonic()

    def path(self, name: str) -> Path:
        """The place of a table."""
        return self.folder / f"{name}.parquet"

    def stage(self, name: str, command: str, *flags: str, **named: object) -> None:
        """Run one stage and record what it took.

        Args:
            name: the stage's name in the table.
            command: the stage's name on the command line.
            flags, named: its flags.
        Raises:
            TimeoutError: the minutes are spent.
        """
        if name in self.took:
            return
        if time.monotonic() - self.begun > 60 * self.options.minutes:
            raise TimeoutError(f"stopped before {name}, for the minutes are spent; give the command again to go on")
        log = self.folder / f"{name}.log"
        self.took[name] = timed([sys.executable, "-m", "dkn", command, *flagged(**named), *flags], log)
        stored = {name: vars(took) for name, took in self.took.items()}
        self.record.write_text(json.dumps(stored, indent=1), encoding="utf-8")
        print(f"{name}: {self.took[name].seconds:.1f} s", file=sys.stderr, flush=True)

    def make_model_and_facts(self) -> None:
        """Make the model's folder, and facts whose answers are what the model says."""
        raw, told = self.folder / "raw", self.folder / "facts.jsonl"
        stated = {"templates": TEMPLATES, "seed": self.study.seed, "downloads": self.folder / "downloads.json"}
        if not told.is_file():
            lines, plain = chosen_lines(self.options.facts), self.folder / "plain.jsonl"
            plain.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
            asking = flagged(**stated, source=plain, output=self.path("plain"))
            timed([sys.executable, "-m", "dkn", "facts", *asking], self.folder / "plain.log")
            table = read_table(self.path("plain"), FACTS)
            texts = [text for row in table.itertuples() for text in (row.prompt, *row.paraphrases, row.complex)]
            if not (raw / INDEX).is_file():
                shutil.rmtree(raw, ignore_errors=True)  # of a run that was cut short
                write_folder(raw, self.shape, [*texts, "."], DTYPES[self.dtype], self.study.seed)
            prompts = dict(zip(table["fact_id"], table["prompt"], strict=True))
            answers = apart(own_answers, raw, self.dtype, self.options.threads, prompts)
            kept = [with_answer(line, answers[line["id"]]) for line in lines if line["id"] in answers]
            told.write_text("\n".join(map(json.dumps, kept[: self.options.facts])), encoding="utf-8")
        self.stage("facts", "facts", **stated, source=told, output=self.path("facts"))
        self.stage("model-folder", "model-folder", path=raw, output=self.folder / "model")

    def find_neurons(self) -> None:
        """Run what leads from facts to components."""
        study, model = self.study, self.of_model()
        facts = {"facts": self.path("facts")}
        self.stage("known", "known", **model, **facts, wording="seen", minimum=1, output=self.path("known"))
        known = {**facts, "known": self.path("known")}
        attribution = study.attribution
        self.stage(
            *("attribution", "attribution"),
            **{**model, **known, "shard": "1-of-1", "which": "known", "floor": attribution.floor},
            **{"baseline": attribution.baseline, "quadrature": attribution.quadrature, "nodes": attribution.nodes},
            **{"tolerance": attribution.tolerance, "max_nodes": attribution.max_nodes, "batch": study.compute.batch},
            **{"output": self.path("scores"), "completeness": self.path("completeness")},
        )
        limits = {"fraction": study.knowledge_neurons.fraction, "cap": study.knowledge_neurons.cap}
        neurons = {"neurons": self.path("neurons")}
        chosen = {"scores": self.path("scores"), "output": neurons["neurons"]}
        self.stage("knowledge-neurons", "knowledge-neurons", **chosen, **limits)
        distances = {"distances": self.path("distances")}
        self.stage("distances", "distances", **model, **neurons, output=distances["distances"])
        clustering = study.clustering
        cut = {"persistence": clustering.persistence, "tau1": clustering.tau1, "quantile": clustering.quantile}
        cut |= {"min_size": clustering.min_size, "dimension": 1}
        candidates = {"output": self.path("candidates"), "diagrams": self.path("diagrams")}
        self.stage("ntc", "candidates-ntc", **neurons, **distances, **cut, **candidates)
        test = {"test": study.functional_test.test, "tau2": self.options.tau2, "candidates": self.path("candidates")}
        test |= {"batch": study.compute.batch, "output": self.path("components")}
        self.stage("components", "components", **model, **known, **neurons, **test)

    def of_model(self) -> dict[str, object]:
        """The flags of every stage that loads the model."""
        compute = {"device": "cpu", "dtype": self.dtype, "threads": self.options.threads}
        return {"model": self.folder / "model", **compute}

    def of_components(self) -> dict[str, object]:
        """The flags of every stage that reads components."""
        return {**self.of_model(), **{name: self.path(name) for name in ("facts", "known", "neurons", "components")}}

    def perturb(self) -> None:
        """Run suppression and enhancement at both sites."""
        experiments = self.study.experiments
        stated = {"queries": experiments.perturbation.queries, "seed": self.study.seed}
        for site in SITES:
            for setting in PERTURBING:
                sets = {"random_sets": getattr(experiments, setting).random_sets, "batch": self.study.compute.batch}
                named = {**self.of_components(), **stated, **sets, "setting": setting, "site": site}
                self.stage(
                    f"{setting}-{site}", "experiment-perturbation", **named, output=self.path(f"{setting}-{site}")
                )

    def tune(self) -> None:
        """Run fine-tuning of all four sets."""
        tuning = vars(self.study.experiments.fine_tuning)
        rates = flagged_each("rate", tuning["learning_rates"])
        stated = {key: value for key, value in tuning.items() if key != "learning_rates"} | {"seed": self.study.seed}
        for subset in TUNED_SETS:
            name = f"fine-tuning-{subset}"
            written = {"output": self.path(name), "changes": self.path(f"{name}-changes")}
            written["training"] = self.folder / f"{name}.json"
            named = {**self.of_components(), **stated, "subset": subset, **written}
            self.stage(name, "experiment-fine-tuning", *rates, **named)

    def workload(self) -> Workload:
        """How much the stages had to do, for the estimate."""
        facts, known = read_table(self.path("facts"), FACTS), read_table(self.path("known"), KNOWN)
        tested = read_table(self.path("components"), COMPONENTS) if self.path("components").is_file() else None
        with_dkn = 0 if tested is None else tested.loc[tested["kept"], "fact_id"].nunique()
        count = int(known["known"].sum())
        return Workload(
            facts=len(facts),
            known=count,
            answers=1.0,
            prompt=round(known["prompt_tokens"].mean()),
            answer=ANSWER,
            candidates=0 if tested is None else len(tested) / count,
            subsets=0,
            with_dkn=with_dkn / count,
        )

    def estimated(self) -> dict[str, Range]:
        """The processor-seconds that ``dkn.study.estimates`` gives by stage of the estimate, for the jobs that ran."""
        low, high = (replace(self.workload(), nodes=nodes) for nodes in nodes_per_path(self.study, self.dtype))
        flops = zip(*(flops_of_stages(self.shape, self.study, load).items() for load in (low, high)), strict=True)
        rates = Range(*self.study.estimate.cpu_gflops) * 1e9
        found = {stage: Range(least, most).over(rates) for (stage, least), (_, most) in flops}
        found[ANALYSIS] = Range(low.known * ANALYSIS_OF_A_FACT.low, low.known * ANALYSIS_OF_A_FACT.high)
        for name in self.took.keys() - NOT_ESTIMATED:
            stage = OF_ESTIMATE.get(name, name)
            size = BYTES["float32" if stage == ALL_IN_FULL else self.dtype] * parameters(self.shape)
            if name in WITHOUT_MODEL:
                found[stage] = found.get(stage, NOTHING) + STARTUP_OF_ANALYSIS
            else:
                found[stage] = found.get(stage, NOTHING) + STARTUP + Range(size, size).over(LOADING)
        return found

    def at_most(self, name: str) -> str:
        """The memory in gigabytes that ``dkn.study.memory`` gives for a stage with a model."""
        if name in NOT_ESTIMATED | WITHOUT_MODEL:
            return "-"
        special = {"attribution": Work.BRANCHES, ALL_IN_FULL: Work.FULL_TUNING}
        work = special.get(name, Work.TUNING if name.startswith("fine-tuning") else Work.PASSES)
        stored = BYTES[self.dtype] * parameters(self.shape)
        return f"{job_bytes(self.shape, self.dtype, stored, work) / 1e9:.1f}"

    def nodes(self) -> str:
        """How many nodes the paths of the attribution took, in words."""
        if "attribution" not in self.took:
            return "not attributed"
        paths = read_table(self.path("completeness"), COMPLETENESS)
        converged = paths["converged"].mean()
        return f"{paths['nodes'].mean():.2f} nodes a path, at most {paths['nodes'].max()}, {converged:.0%} converged"

    def report(self) -> None:
        """Print what every stage took beside the estimates."""
        load, estimates = self.workload(), self.estimated()
        print(
            f"{self.options.shape}, {self.shape.layers} layers, {self.dtype}, {self.options.threads} threads: "
            f"{load.known} of {load.facts} facts known, {load.prompt} prompt and {load.answer} answer tokens, "
            f"{load.candidates:.1f} components a fact, {load.with_dkn:.0%} of facts with a DKN; {self.nodes()}\n"
        )
        print("| stage | seconds | processor-seconds | estimated, one thread | peak memory (GB) | at most (GB) |")
        print("|---|---|---|---|---|---|")
        stages = [OF_ESTIMATE.get(name, name) for name in self.took]
        for place, (name, took) in enumerate(self.took.items()):
            cell, parts = "", stages.count(stages[place])
            if stages[place] in estimates and stages[place] not in stages[place + 1 :]:
                one = estimates[stages[place]]
                cell = f"{one.low:.3g} – {one.high:.3g}" + (f" (all {parts} of {stages[place]})" if parts > 1 else "")
            numbers = f"{took.seconds:.1f} | {took.processor:.1f} | {cell} | {took.memory / 1e9:.2f}"
            print(f"| {name} | {numbers} | {self.at_most(name)} |")


def flagged_each(flag: str, values: Sequence[object]) -> list[str]:
    """A flag with each of several values."""
    return [part for value in values for part in flagged(**{flag: value})]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is not finished, and print the table.

    Args:
        arguments: those of the command line by default.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=("llama2-7b", "gpt2", "tiny"), default="tiny")
    parser.add_argument("--facts", type=int, default=4)
    parser.add_argument("--layers", type=int, help="only so many layers of the shape")
    parser.add_argument("--fine-tuning", action="store_true", help="fine-tuning of all four sets too")
    parser.add_argument("--short-tuning", action="store_true", help="two trainings of every set, of two epochs")
    parser.add_argument("--cap", type=int, default=60, help="the most knowledge neurons of a fact")
    parser.add_argument("--random-sets", type=int, default=2, help="draws of suppression and enhancement")
    parser.add_argument(
        "--tau2", type=float, default=-1e9, help="the functional test's; by default all components pass"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="default: paper-size-SHAPE in the current folder")
    parser.add_argument("--minutes", type=float, default=1e9, help="no stage begins after so many")
    parser.add_argument("--keep", action="store_true", help="keep the weights")
    options = parser.parse_args(arguments)
    options.folder = options.folder or Path(f"paper-size-{options.shape}")
    run = Run(options)
    try:
        run.make_model_and_facts()
        run.find_neurons()
        run.perturb()
        if options.fine_tuning:
            run.tune()
    except TimeoutError as stopped:
        if "known" in run.took:
            run.report()
        sys.exit(str(stopped))
    run.report()
    if not options.keep:
        shutil.rmtree(options.folder / "raw", ignore_errors=True)


if __name__ == "__main__":
    main()
