# Two commands for people: `make demo` and `make test`. Both install into .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SEED ?= 0
PAPER_SIZE ?= --shape llama2-7b --facts 4

.PHONY: demo smollm2 paper-size test test-parts test-studies test-slurm test-conda test-pretrained torture lint audit format reference envs clean

demo: $(VENV)/installed  ## the default study: two nano models, all figures
	$(BIN)/snakemake --cores all

smollm2: $(VENV)/installed  ## the same on SmolLM2-135M-Instruct
	$(BIN)/snakemake --cores all --configfile config/smollm2.yaml

paper-size: $(VENV)/installed  ## stages on random weights of LLaMA2-7b's shape: time and memory; PAPER_SIZE has the flags
	$(BIN)/python benchmarks/paper_size.py $(PAPER_SIZE)

test: test-parts test-studies  ## all tests but those with SLURM, conda or pretrained models

test-parts: $(VENV)/installed  ## the library and its stages
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto tests/unit tests/integration

test-studies: $(VENV)/installed  ## whole studies, which use all cores themselves, and their pages in a browser
	$(BIN)/pytest tests/workflow tests/browser

test-slurm: $(VENV)/installed  ## the profile for clusters on a one-node SLURM, which is started and stopped; as root
	DKN_NEED_SLURM=1 $(BIN)/pytest -m slurm tests/slurm

test-conda: $(VENV)/installed  ## --use-conda with a real conda: every environment, a whole study; minutes
	$(BIN)/pytest -m conda tests/conda

test-pretrained: $(VENV)/installed  ## the models of config/pretrained.yaml, which are downloaded: config, tokens, weights
	$(BIN)/pytest -m pretrained tests/pretrained

torture: $(VENV)/installed  ## kills, damaged files, broken inputs and odd paths, drawn by SEED (docs/reliability.md)
	PYTHONPATH=workflow $(BIN)/python -m tests.torture --seed $(SEED)

lint: $(VENV)/installed  ## format, style, types, Snakemake's own linter, and the Dockerfile's
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check .
	$(BIN)/snakemake --lint
	$(BIN)/hadolint container/Dockerfile

# pip-audit has an environment of its own, so that what it needs does not count as the project's. --no-deps takes the
# pins as they are, and nothing is installed or built for it; it asks the network about each, and --strict fails where
# it gets no answer about one.
audit: .venv-audit/bin/pip-audit  ## known vulnerabilities of the versions in requirements.txt; needs the network
	.venv-audit/bin/pip-audit --strict --disable-pip --no-deps --progress-spinner off --requirement requirements.txt

.venv-audit/bin/pip-audit:
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check --only-binary=:all: pip-audit==2.10.1

format: $(VENV)/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/snakefmt .

reference: $(VENV)/installed  ## write docs/configuration.md's table and config/schema.json from the schema
	PYTHONPATH=workflow $(BIN)/python -m dkn.study.reference

envs:  ## write requirements.txt's versions into the conda environments and into pyproject.toml
	$(PYTHON) envs/pin.py

clean:  ## all results but the tracked results/README.md, and what Snakemake knows of them
	! test -d results || find results -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
	rm -rf .snakemake

$(VENV)/installed: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	touch $@
