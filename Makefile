# Everything runs in a local .venv made by plain pip from hashed pins. All paths are relative, so that the
# checkout may lie in a folder with a space in its name.
PYTHON ?= python3
AZ ?= az
PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check -qq install
PYTEST := $(PY) -m pytest
SEED ?= 4
FRACTION ?= 0.1
LOCKED := requirements/runtime requirements/replica requirements/serve requirements/image requirements/sbom requirements/fuzz requirements/dev

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-browser test-az lint types docs bench fuzz licences matrix sbom mutants ci-long lock clean

help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## /\1\t/p' Makefile | expand -t 15

demo: .venv/.replica ## scan a sample estate over the wire, let it drift, write ./auditor-demo/
	$(PY) -m auditor demo

test: .venv/.dev ## the fast tests, on all cores
	$(PYTEST) -m "not long and not browser" -n auto

test-browser: .venv/.dev ## the tests that open reports in a real Chromium
	$(PYTEST) -m "browser and not long"

test-az: .venv/.dev ## the real Azure CLI runs what reports print, against the replica (AZ=…/bin/az; docs/cures.md)
	$(PY) -W ignore scripts/az_cures.py --az "$(AZ)"

lint: .venv/.dev ## style, layers, and whether the generated pages are fresh
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -c "from importlinter.cli import lint_imports_command as run; run()"
	$(PY) -m auditor.cli.docs --check

types: .venv/.dev ## mypy --strict
	$(PY) -m mypy

docs: .venv/.dev ## write the generated pages: docs/checks, docs/configuration.md, docs/cli.md, README's table
	$(PY) -m auditor.cli.docs

bench: .venv/.dev ## growth and cost as ratios within one run
	for each in benchmarks/[a-z]*.py; do echo "== $$each"; PYTHONPATH=. $(PY) "$$each" || exit 1; done

fuzz: .venv/.fuzz ## damaged input: FUZZ_EXAMPLES=N examples a test (1000), then atheris FUZZ_SECONDS=N a target (300; long)
	FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-1000} $(PYTEST) tests/fuzz -n auto
	for each in snapshot settings waiver_file report rule access judged; do \
	  $(PY) scripts/fuzz.py "$$each" "$${FUZZ_SECONDS:-300}" || exit 1; \
	done

matrix: .venv/.dev ## every kind of request × every fault; writes the table of docs/faults.md (long)
	PYTHONPATH=. $(PY) -W ignore tests/wire/matrix.py

licences: .venv/.dev ## docs/licences.md anew: what the pinned packages say of themselves
	grep -v '^|' docs/licences.md > .venv/licences.md
	$(PY) scripts/licences.py requirements/runtime.txt requirements/replica.txt requirements/serve.txt >> .venv/licences.md
	mv .venv/licences.md docs/licences.md

sbom: .venv/.sbom ## what `.venv` holds, as CycloneDX: sbom.cdx.json
	.venv/sbom/bin/cyclonedx-py environment --output-reproducible --of JSON -o sbom.cdx.json $(PY)

mutants: .venv/.dev ## does a test notice each small change of the semantics? a tenth of them; FRACTION=1 asks all (long)
	$(PY) scripts/mutants.py --seed $(SEED) --fraction $(FRACTION)

ci-long: .venv/.dev ## what .ci/run leaves out for time
	$(PYTEST) -m long -n auto

lock: ## pin the requirements anew (needs uv); no index address is written
	for name in $(LOCKED); do \
	  uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --universal \
	    --python-version 3.11 "$$name.in" -o "$$name.txt" || exit 1; \
	done

clean: ## remove the environment and everything that was built
	rm -rf .venv dist build auditor-demo auditor-report mutants .mypy_cache .ruff_cache .pytest_cache \
	  .hypothesis .import_linter_cache

# A stamp per set of pins; the project itself comes last, built with the hatchling that is pinned among them.
.venv/.replica: .venv/.python requirements/runtime.txt requirements/replica.txt pyproject.toml
	@echo "installing the pinned packages into .venv, once; this may take a minute or two"
	@$(PIP) --require-hashes -r requirements/replica.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: .venv/.python requirements/dev.txt pyproject.toml
	@echo "installing the pinned packages for development into .venv, once; this takes some minutes"
	@$(PIP) --require-hashes -r requirements/dev.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# Atheris has wheels for CPython on Linux, x86_64, only.
.venv/.fuzz: .venv/.dev requirements/fuzz.txt
	@$(PIP) --require-hashes -r requirements/fuzz.txt
	@touch $@

# In an environment of its own, so that it does not list itself.
.venv/.sbom: .venv/.dev requirements/sbom.txt
	$(PYTHON) -m venv .venv/sbom
	@.venv/sbom/bin/python -m pip --disable-pip-version-check -qq install --require-hashes -r requirements/sbom.txt
	@touch $@

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $(PYTHON) is missing or older than Python 3.11"; \
	  echo "  hint: name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: $(PYTHON) cannot make virtual environments: its venv module is missing"; \
	  echo "  hint: Debian and Ubuntu keep it apart: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@
