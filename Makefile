# Every target first creates .venv and installs requirements.lock, unless that is done already.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help setup check repro full retrain test faults bench lint format docs ui demo server ray lock clean

VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements.lock
RAY_LOCK := requirements-ray.lock
# Named after the lock's content: git gives the files of a checkout new times, whether they changed or not.
STAMP := $(VENV)/.installed-$(shell cksum < $(LOCK) | tr -s ' ' '-')
CHECKED := .dvc/tmp/params-checked
PORT ?= 5000

# DVC starts `python`, and its queue workers start `dvc`; both must come from .venv.
outside := $(PATH)
export PATH := $(CURDIR)/$(BIN):$(PATH)

help: ## Show this list
	@echo 'make <target>, where target is one of'
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | while IFS=$$'\t' read -r name text; do printf '  %-8s %s\n' "$$name" "$$text"; done

setup: $(STAMP) ## Create .venv and install the packages of requirements.lock
	@:

$(STAMP): export PATH := $(outside)
$(STAMP):
	@set -e; \
	if ! $(BIN)/python -c '' 2>/dev/null; then \
	    for python in python3.13 python3.12 python3.11 python3 ''; do \
	        "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && break; \
	    done; \
	    test -n "$$python" || { echo 'error: no Python 3.11, 3.12 or 3.13 on PATH; install one of them' >&2; exit 2; }; \
	    echo "Creating $(VENV) with $$("$$python" --version)"; \
	    if command -v uv >/dev/null; then uv venv --quiet --clear --python "$$(command -v "$$python")" $(VENV); \
	    else "$$python" -m venv --clear $(VENV); fi; \
	fi; \
	echo "Installing $(LOCK): $$(grep -c == $(LOCK)) packages, 3 GB, a few minutes"; \
	if command -v uv >/dev/null; then uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r $(LOCK); \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r $(LOCK); fi; \
	$(BIN)/python -c "$$ON_PATH"; \
	rm -f $(VENV)/.installed-* $(CHECKED); \
	touch $@

# Lets .venv/bin/dvc find the `python` and `dvc` of .venv when it is started by its path.
define ON_PATH
import pathlib, sysconfig
line = 'import os, sys; os.environ["PATH"] = os.pathsep.join([os.path.join(sys.prefix, "bin"), os.environ.get("PATH", os.defpath)])\n'
pathlib.Path(sysconfig.get_path("purelib"), "bin_on_path.pth").write_text(line)
endef
export ON_PATH

check: $(STAMP) ## Check params.yaml: all mistakes at once, what differs from the last commit, results of removed rows
	@$(BIN)/python -m pipeline check

$(CHECKED): params.yaml $(wildcard textbook/params.yaml) $(wildcard pipeline/config/*.* pipeline/config/schema/*.py) pipeline/sources/__init__.py $(STAMP)
	@$(BIN)/python -m pipeline check
	@mkdir -p $(@D) && touch $@

# An unpacked archive is not a git repository; DVC works there if no_scm is set.
NO_GIT := \# made by make: this folder is no git repository
define PREPARE
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then \
    if grep -qsF '$(NO_GIT)' .dvc/config.local; then rm .dvc/config.local; fi; \
elif [ ! -e .dvc/config.local ]; then \
    printf '%s\n' '$(NO_GIT)' '[core]' '    no_scm = true' > .dvc/config.local; \
fi
endef

repro: setup $(CHECKED) ## Run what is new or changed, from raw data to report, on the edition that params.yaml sets (default: synthetic)
	@$(PREPARE)
	@$(BIN)/python -m pipeline repro

full: setup $(CHECKED) ## Run the same on the published data, and write docs/results.md (PIPELINE_MIRROR: a folder or address to try first)
	@test -z "$$(git status --porcelain -- pipeline dvc.yaml textbook/dvc.yaml requirements.lock)" \
	    || echo 'Uncommitted code: docs/results.md will not be written at the end; commit first to have it'
	@sed -i.before 's/^edition: [a-z]*/edition: published/' params.yaml && rm params.yaml.before
	@SECONDS=0; $(BIN)/python -m pipeline repro \
	    && echo "make full: $$(( SECONDS / 3600 )) h $$(( SECONDS % 3600 / 60 )) min $$(( SECONDS % 60 )) s" \
	    && $(BIN)/python -m pipeline results --seconds $$SECONDS

retrain: setup $(CHECKED) ## Reproduce what changed, run the gate, and write reports/retrain.md (EXPERIMENTS, CELL, EDITION, BASE)
	@$(PREPARE)
	@$(BIN)/python -m pipeline retrain $${EXPERIMENTS:-} $${CELL:+--cell "$$CELL"} $${EDITION:+--edition "$$EDITION"} \
	    $${BASE:+--base "$$BASE"}

test: setup ## Run the tests, including those on published data if PIPELINE_MIRROR is set (ARGS: options of pytest)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m 'not long$(if $(PIPELINE_MIRROR),, and not real)' $(ARGS)

faults: setup ## Set off every fault of docs/reliability.md, and print which of them hold
	@$(BIN)/python -m pytest -n 2 --dist load -q -m 'fault$(if $(PIPELINE_MIRROR),, and not real)' $(ARGS)

# Experiments whose answers are timed: those of them that are trained.
ANSWERS = $(filter $(or $(EXPERIMENTS),alice sonnets umich treebank electricity digits),$(notdir $(wildcard data/models/*)))
bench: setup ## Time everything against all opponents, and judge it; see docs/benchmarks.md (BEFORE, DATA, ROUNDS, EXPERIMENTS)
	@echo 'On two idle cores: training steps 13 minutes, bare shapes 2, textbook procedures 16, generation 1, growth 6,'
	@echo 'answers of the trained experiments 2. The published data are downloaded and prepared first, unless that is done.'
	@mkdir -p .dvc/tmp && set -eo pipefail && { \
	    $(BIN)/python benchmarks/training_steps.py --rounds $(or $(ROUNDS),5) $(BEFORE:%=--before %) $(DATA:%=--data %); \
	    $(BIN)/python benchmarks/bare_shapes.py; \
	    $(BIN)/python benchmarks/textbook_procedure.py $(DATA:%=--data %); \
	    $(BIN)/python benchmarks/generation.py $(DATA:%=--data %); \
	    $(BIN)/python benchmarks/growth.py --published; \
	    $(if $(ANSWERS),$(BIN)/python benchmarks/answers.py $(ANSWERS),echo 'answers: no experiment is trained'); \
	} | tee .dvc/tmp/bench.txt
	@echo && echo 'In all:' && { grep -E '^(falls short|differs)' .dvc/tmp/bench.txt || echo 'every goal is reached'; }

lint: setup ## Check style, types, imports between layers, wording, and the workflows of CI
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python .ci/words.py
	@$(BIN)/zizmor --offline --quiet --persona=pedantic .github
	@if command -v actionlint >/dev/null; then actionlint; fi

format: setup ## Sort imports and format the code
	@$(BIN)/ruff check --fix --select I
	@$(BIN)/ruff format

docs: setup ## Build the docs site in site/ and check its links; it opens from disk
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo 'file://$(CURDIR)/site/index.html'

ui: setup ## Start the MLflow UI on this machine (PORT=5000)
	@$(BIN)/python -m pipeline.tracking.locations
	@echo 'http://127.0.0.1:$(PORT)/start'
	@PYTHONPATH=deploy/ui MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true \
	    MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false \
	    $(BIN)/mlflow ui --app-name start_page --workers 1 --host 127.0.0.1 --port $(PORT) --backend-store-uri sqlite:///mlflow.db

demo: setup ## Start a page that asks the trained models (HOST=127.0.0.1, PORT=8000)
	@$(BIN)/python -m pipeline demo $${HOST:+--host "$$HOST"} $(if $(filter command line environment,$(origin PORT)),--port $(PORT))

server: setup ## Start MLflow for a team, on PostgreSQL, with passwords; see docs/teams.md (BACKEND, ARTIFACTS, HOST, PORT)
	@$(BIN)/python deploy/server.py

ray: setup ## Add Ray to .venv, for `fan-out --executor ray` and `executor: ray`; see docs/cluster.md
	@if command -v uv >/dev/null; then uv pip install --quiet --python $(BIN)/python --require-hashes -r $(RAY_LOCK); \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r $(RAY_LOCK); fi

PIN := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-emit-find-links --custom-compile-command 'make lock' $(UPGRADE)
EXTRA_RAY := import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["ray"])

lock: ## Update both requirements*.lock from pyproject.toml with uv (UPGRADE=--upgrade: newest versions of everything)
	@$(PIN) pyproject.toml --group dev -o $(LOCK)
	@uv run --quiet --no-project python -c '$(EXTRA_RAY)' | $(PIN) - --constraint $(LOCK) -o $(RAY_LOCK)

clean: ## Delete the caches of the tools; keep data, models and .venv
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find pipeline tests -name __pycache__ -type d -prune -exec rm -rf {} +
