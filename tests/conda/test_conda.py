"""``--use-conda`` with a real conda: what its environments hold, and that every job runs in its own."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dkn.stages import stage_module
from tests.environments import JOBS, STAGES, packages, place
from tests.short_study import Checkout, jobs_in, short_config
from tests.workflow_rules import ROOT

from .conftest import CondaCheckout

pytestmark = pytest.mark.conda
MODULES = "import importlib, sys; sys.path.insert(0, sys.argv[1]); [importlib.import_module(n) for n in sys.argv[2:]]"
VERSIONS = """import json
from importlib import metadata, util
print(json.dumps([{one.name: one.version for one in metadata.distributions()}, util.find_spec("torch") is not None]))
"""
NOT_ACTIVE = "error: the conda environment of this job is not active"


def environment(with_conda: CondaCheckout, name: str) -> Path:
    """The folder of an environment: Snakemake leaves the file that it was made from beside it."""
    text = (ROOT / "envs" / f"{name}.yaml").read_text()
    (made,) = [path for path in with_conda.environments.glob("*.yaml") if path.read_text() == text]
    return made.with_suffix("")


def isolated(prefix: Path, *arguments: str) -> str:
    """Run an environment's own interpreter, which sees nothing but the environment."""
    command = [prefix / "bin" / "python", "-I", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("path", STAGES, ids=lambda path: path.stem)
def test_an_environment_alone_imports_its_stages(with_conda: CondaCheckout, path: Path) -> None:
    stages = [stage_module(stage) for stage in sorted(STAGES[path])]
    isolated(environment(with_conda, path.stem), "-c", MODULES, str(ROOT / "workflow"), "dkn.__main__", *stages)


@pytest.mark.parametrize("path", STAGES, ids=lambda path: path.stem)
def test_an_environment_holds_the_pinned_versions(with_conda: CondaCheckout, path: Path) -> None:
    found, torch = json.loads(isolated(environment(with_conda, path.stem), "-c", VERSIONS))
    versions = {name.lower().replace("_", "-"): version.partition("+")[0] for name, version in found.items()}
    assert {name: versions.get(name.replace("_", "-")) for name in packages(path)} == packages(path)
    assert torch is (path.stem == "lm")


def test_models_from_wheels_can_be_read(with_conda: CondaCheckout) -> None:
    """No stage imports what transformers reads GGUF weights with."""
    code = "from transformers.utils import is_accelerate_available as a, is_gguf_available as g; assert a() and g()"
    isolated(environment(with_conda, "lm"), "-c", code)


def test_every_job_of_a_study_runs_in_its_own_environment(
    with_conda: CondaCheckout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each job's interpreter says itself where it is from, once for each job."""
    monkeypatch.setenv("DKN_TEST_INTERPRETERS", str(with_conda.interpreters))
    result = with_conda.run()
    assert result.returncode == 0, result.stdout[-4000:]
    expected: Counter[tuple[Path, str]] = Counter()
    for rule, count in jobs_in(result.stdout).items():
        if rule in JOBS:
            job = JOBS[rule]
            expected[environment(with_conda, job.environment.stem), job.stage] += count
    assert {path.stem for path, _ in expected} == {environment(with_conda, path.stem).stem for path in STAGES}
    assert Counter(with_conda.started()) == expected
    results = with_conda.checkout.path / "results"
    assert (results / "figures" / "degeneracy.pdf").is_file()
    for name in ("fine-tuning-dkn", "fine-tuning-random", "overlap-fine-tuning"):
        summary = json.loads((results / "gpt2-short" / "experiments" / name / "summary.json").read_text())
        assert "999" in summary["not_run"]
        assert not summary["estimates"]


BROKEN = {
    "the activation fails": "return 1\n",
    "another interpreter goes in front": 'export CONDA_PREFIX="$1"\n',
}


@pytest.fixture(params=BROKEN)
def broken_activation(with_conda: CondaCheckout, request: pytest.FixtureRequest) -> Iterator[None]:
    """conda's script that jobs source, spoiled."""
    script = with_conda.conda.parents[1] / "bin" / "activate"
    sound = script.read_text()
    script.write_text(BROKEN[request.param])
    yield
    script.write_text(sound)


@pytest.mark.usefixtures("broken_activation")
def test_an_activation_that_fails_ends_the_job(
    with_conda: CondaCheckout, new_checkout: Callable[[dict], Checkout]
) -> None:
    elsewhere = replace(with_conda, checkout=new_checkout(short_config(("gpt2",))))
    result = elsewhere.run("facts")
    assert result.returncode != 0
    assert NOT_ACTIVE in result.stdout
    assert not (elsewhere.checkout.path / "results" / "facts" / "facts.parquet").exists()


# A container engine without a container: commands run here, with an image's folder of environments elsewhere.
ENGINE = """#!/bin/bash
if [ "$1" = --version ]; then echo "apptainer version 1.4.0"; exit; fi
command="${{!#}}"
exec bash -c "${{command//\\/conda-envs/{folder}}}"
"""


def test_an_image_serves_what_jobs_ask_for(
    with_conda: CondaCheckout,
    new_checkout: Callable[[dict], Checkout],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The image's environments lie where ``--containerize`` puts them, and where jobs look for them."""
    elsewhere = replace(with_conda, checkout=new_checkout({**short_config(("gpt2",)), "container": "image.sif"}))
    (elsewhere.checkout.path / "image.sif").touch()
    described = elsewhere.checkout.run("--containerize").stdout
    for path in STAGES:
        assert f"RUN mkdir -p /conda-envs/{place(path)}\n" in described
        (tmp_path / "conda-envs").mkdir(exist_ok=True)
        (tmp_path / "conda-envs" / place(path)).symlink_to(environment(with_conda, path.stem))
    engine = tmp_path / "bin" / "apptainer"
    engine.parent.mkdir()
    engine.write_text(ENGINE.format(folder=tmp_path / "conda-envs"))
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", str(engine.parent), prepend=":")
    monkeypatch.setenv("DKN_TEST_INTERPRETERS", str(tmp_path / "interpreters.tsv"))
    image = replace(elsewhere, interpreters=tmp_path / "interpreters.tsv")
    result = image.checkout.run("facts", "--software-deployment-method", "conda", "apptainer")
    assert result.returncode == 0, result.stdout[-4000:]
    ((prefix, stage),) = image.started()
    assert (prefix, stage) == (tmp_path / "conda-envs" / place(JOBS["make_facts"].environment), "facts")
