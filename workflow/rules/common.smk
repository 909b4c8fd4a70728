# Helpers that all rules share; no rule here.
import os
import shlex
import subprocess
import sys
from pathlib import Path

from snakemake.settings.types import DeploymentMethod

WORKFLOW = Path(workflow.basedir) / "workflow"
if str(WORKFLOW) not in sys.path:
    sys.path.insert(0, str(WORKFLOW))

from dkn.errors import UserError
from dkn.models.files import model_files
from dkn.run.checks import check_facts, check_gpus, check_models, facts_locations, template_files
from dkn.run.jobs import gpus_of_job, make_environments_whole, pass_to_jobs, put_interpreter_first, require_environment
from dkn.storage.provenance import code_files
from dkn.study.config import parse_config
from dkn.study.names import CLUSTERINGS, DETECTORS, SITES, TESTED_CONTROL, TUNED_SETS
from dkn.study.registry import SETTINGS, of_setting, of_study

put_interpreter_first()
BEFORE_EVERY_JOB = f"set -euo pipefail; export PYTHONPATH='{WORKFLOW}' PYTHONUNBUFFERED=1; "
if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
    make_environments_whole()
    BEFORE_EVERY_JOB += require_environment()
shell.prefix(BEFORE_EVERY_JOB)


def or_stop(check, *arguments):
    """Run a check; a mistake that the user can mend ends here, one line each, before the first job."""
    try:
        return check(*arguments)
    except UserError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        sys.stderr.flush()
        sys.exit(1)


STUDY = or_stop(parse_config, config)
pass_to_jobs(STUDY)
RESULTS = STUDY.results
MODEL_FOLDER = f"{RESULTS}/{{model}}/model"
MODELS = {model.name: model for model in STUDY.models}
GROUPINGS = [*STUDY.groupings.methods, TESTED_CONTROL]
RESOURCES = Path(workflow.basedir) / "resources" / "facts"
TEMPLATES = template_files(STUDY, RESOURCES)
FACTS_SOURCES = facts_locations(STUDY, RESOURCES)
if workflow.is_main_process:
    or_stop(check_facts, FACTS_SOURCES, TEMPLATES)


wildcard_constraints:
    model="|".join(MODELS),


scattergather:
    facts=STUDY.attribution.shards,


onstart:
    if any(job.rule.name.startswith("model_") for job in workflow.dag.needrun_jobs()):
        or_stop(check_models, STUDY, RESULTS)


def code(stage):
    """The modules that a stage runs: inputs of its rule, so that an edit reruns what it touches and nothing else."""
    return [str(path) for path in code_files(stage)]


def of_source(source):
    """Wildcard constraint: the models of one source."""
    return "|".join(name for name, model in MODELS.items() if model.source == source) or "(?!)"


def setting(name):
    """A parameter of a rule, read from the wildcard model's own entry in the configuration."""
    return lambda wildcards: getattr(MODELS[wildcards.model], name)


def files_of_model(name):
    """The files of a model in a local folder: inputs, so that the study starts anew where they are replaced."""
    return [str(path) for path in model_files(Path(MODELS[name].path))]


def compute(wildcards):
    """Flags of every stage that loads a model."""
    return f"--device {STUDY.compute.device} --dtype {MODELS[wildcards.model].dtype} --threads {STUDY.compute.threads}"


def per_model(*paths):
    """Files below every model's folder of results, model by model."""
    return [f"{RESULTS}/{model}/{path}" for model in MODELS for path in paths]


def of_models(flag="--model"):
    """A flag with every model's folder of results, for a command line."""
    return repeated(flag, [Path(RESULTS) / model for model in MODELS])


def of_groupings(path, groupings=GROUPINGS):
    """A file per grouping; the model stays a wildcard."""
    return [f"{RESULTS}/{{model}}/{path}".replace("GROUPING", grouping) for grouping in groupings]


# The report's categories; it lists them by name, hence the numbers.
VERDICTS = "1. Verdicts"
PAPER = "2. Beside the paper's numbers"
DEGENERACY = "3. Degeneracy"
STRUCTURE = "4. Neurons and their structure"
ROBUSTNESS = "5. Robustness: suppression and enhancement"
FACT_CHECKING_RESULTS = "6. Fact-checking"
EVOLVABILITY = "7. Fine-tuning and overlap"
SIZE = "8. Model size"
SENSITIVITY = "9. Sensitivity to the settings"


def repeated(flag, values):
    """A flag with each of several values, for a command line."""
    return " ".join(f"{flag} {value}" for value in values)


def optional(flag, value):
    """A flag with its value, or nothing where the value is null."""
    return "" if value is None else f"{flag} {value}"


# Flags of every stage that resamples, and of every stage that clusters as NTC does.
STATISTICS = f"--resamples {STUDY.statistics.resamples} --confidence {STUDY.statistics.confidence} --seed {STUDY.seed}"
TAU1 = getattr(STUDY.clustering.tau1, "quantile", STUDY.clustering.tau1)
CLUSTERING = (
    f"--persistence {STUDY.clustering.persistence} --tau1 {TAU1} --quantile {STUDY.clustering.quantile}"
    f" --min-size {STUDY.clustering.min_size}"
    + (" --tau1-is-quantile" if hasattr(STUDY.clustering.tau1, "quantile") else "")
)


def same_study():
    """Flags by which another Snakemake reads the configuration that this one was given."""
    settings = {
        "--configfile": workflow.config_settings.configfiles,
        "--config": workflow.config_settings.config_args or [],
        "--set-scatter": [f"{name}={count}" for name, count in workflow.resource_settings.overwrite_scatter.items()],
    }
    flags = ["--snakefile", workflow.main_snakefile, "--profile", "none", "--workflow-profile", "none"]
    return shlex.join([*flags, *(str(part) for flag, values in settings.items() if values for part in (flag, *values))])


def build_report(study, target, output, style, log):
    """Call Snakemake on the same study; no shell(…), whose jobs must have a conda environment when there are any."""
    command = [sys.executable, "-m", "snakemake", *study, "--cores", "1", "--nolock", "--rerun-incomplete"]
    with open(log, "w") as file:
        command += ["--report", output, "--report-stylesheet", style, target]
        subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=True)


# What jobs ask for, of a cluster or of --resources.
GPU_LIMIT = workflow.global_resources["gpu"].value if "gpu" in workflow.global_resources else None
or_stop(check_gpus, STUDY, GPU_LIMIT)


def gpus(wildcards):
    """GPUs of a job that loads a model; the one that trains all parameters may want more."""
    model = MODELS[wildcards.model]
    wanted = model.full_tuning_gpus if wildcards.get("subset") == "all" else model.gpus
    return gpus_of_job(STUDY, wanted, GPU_LIMIT)


def growing(base, per_gb=0):
    """A resource that grows with every attempt (see `retries`), and with the weights where the job loads a model.

    Before the model's folder exists, FileNotFoundError tells Snakemake to ask again once the job is ready.
    """

    def with_weights(wildcards, input, attempt):
        files = [name for name in os.listdir(input.model) if name.endswith(".safetensors")]
        size = sum(os.path.getsize(os.path.join(input.model, name)) for name in files)
        return attempt * (base + round(per_gb * size / 1e9))

    return with_weights if per_gb else lambda wildcards, attempt: attempt * base


def model_job(mem_mb, runtime, per_gb=3000):
    """What a job that loads a model asks for; ``mem_mb`` and ``runtime`` grow with its weights."""
    return {"mem_mb": growing(mem_mb, per_gb=per_gb), "runtime": growing(runtime, per_gb=30), "gpu": gpus}


# What a job without a model asks for.
ANALYSIS = {"mem_mb": growing(2000), "runtime": growing(30)}


# Short, or a download: on a cluster these run where Snakemake runs, since nodes often have no network.
localrules:
    make_facts,
    model_folder,
    model_hub,
    model_wheel,
