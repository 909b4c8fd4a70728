# Helpers that all rules share; no rule here.
import os
import sys
from pathlib import Path

from snakemake.settings.types import DeploymentMethod

WORKFLOW = Path(workflow.basedir) / "workflow"
if str(WORKFLOW) not in sys.path:
    sys.path.insert(0, str(WORKFLOW))

from dkn.config import parse_config
from dkn.errors import UserError
from dkn.experiments.registry import of_study
from dkn.experiments.names import CLUSTERINGS, TESTED_CONTROL
from dkn.preflight import (
    check_facts,
    check_models,
    facts_locations,
    make_environments_whole,
    put_interpreter_first,
    require_environment,
    template_files,
)
from dkn.provenance import code_files

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
    or_stop(check_models, STUDY, RESULTS)


def code(stage):
    """The modules a stage runs: inputs of its rule, so that an edit reruns what it touches and nothing else."""
    return [str(path) for path in code_files(stage)]


def of_source(source):
    """Wildcard constraint: the models of one source."""
    return "|".join(name for name, model in MODELS.items() if model.source == source) or "(?!)"


def setting(name):
    """A parameter of a rule, read from the wildcard model's own entry in the configuration."""
    return lambda wildcards: getattr(MODELS[wildcards.model], name)


def compute(wildcards):
    """Flags of every stage that loads a model."""
    return f"--device {STUDY.compute.device} --dtype {MODELS[wildcards.model].dtype} --threads {STUDY.compute.threads}"


def of_models(flag, path):
    """A flag per model with a file below the model's folder, for a command line."""
    return " ".join(f"{flag} {Path(RESULTS) / model / path}" for model in MODELS)


def of_groupings(path, groupings=GROUPINGS):
    """A file per grouping; the model stays a wildcard."""
    return [f"{RESULTS}/{{model}}/{path}".replace("GROUPING", grouping) for grouping in groupings]


def repeated(flag, values):
    """A flag with each of several values, for a command line."""
    return " ".join(f"{flag} {value}" for value in values)


def optional(flag, value):
    """A flag with its value, or nothing where the value is null."""
    return "" if value is None else f"{flag} {value}"
