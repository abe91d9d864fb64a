# What people and CI run. `make` alone lists the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
BUILD  := build/venv
COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-apis test wheel install deb test-wheel test-container test-systemd chaos mutants models soak bench corpus docs man screenshots site histories check format lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(STAMP)  ## make .venv with the locked, hash-checked packages

$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("batchd needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)  ## 1,000 users from the inbox to a verified manifest
	$(BIN)/python dummy-data/demo.py

demo-apis: $(STAMP)  ## three APIs of other shapes, by configuration alone
	$(BIN)/python dummy-data/demo_apis.py

test: $(STAMP)  ## the whole suite, against a real Temporal server
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not soak and not chaos and not wheel and not container and not systemd"

wheel:  ## build the wheel and the sdist into dist/, with the locked packages that this takes and no others
	$(PYTHON) -m venv $(BUILD)
	$(BUILD)/bin/python -m pip install --quiet --require-hashes --requirement build.lock
	$(BUILD)/bin/hatchling build --clean --directory dist

install: wheel  ## install on this host as a service, or upgrade to this version (as root)
	$(PYTHON) $$(ls dist/batchd-*.whl)/batchd/host install

deb: wheel man  ## build a package for the Debian release that this is run on, into dist/
	deploy/debian/build.sh $$(ls dist/batchd-*.whl) build/man dist

test-wheel: $(STAMP)  ## install the wheel elsewhere, from the package index; a minute or two
	$(BIN)/python -m pytest -m wheel tests/e2e

test-container: $(STAMP)  ## build the image on a base made here and run batches through it, as root; TREE= names a Debian made before
	$(BIN)/python -m pytest -m container tests/container

test-systemd: $(STAMP)  ## boot a Debian in a container, install the service there and break it; as root, ten minutes; SUITE= chooses
	$(BIN)/python -m pytest -m systemd -s tests/systemd

chaos: $(STAMP)  ## a thousand faults, judged from outside; SEED= repeats a run, ONLY= takes a part, FAULTS= some of that
	PYTHONPATH=tests/support:tests $(BIN)/python -m chaos --seed "$(SEED)" --only "$(ONLY)" --faults "$(FAULTS)"

mutants: $(STAMP)  ## break a copy of the product in a dozen ways, each of which the proof has to find; five minutes
	PYTHONPATH=tests/support:tests $(BIN)/python -m chaos.mutants --only "$(ONLY)"

models: $(STAMP)  ## the larger searches over all orders of steps
	$(BIN)/python -m pytest -m chaos tests/model

corpus: $(STAMP)  ## read a folder of CSV files from elsewhere: make corpus CORPUS=folder
	PYTHONPATH=tests/support $(BIN)/python tests/support/csv_corpus.py $(CORPUS)

soak: $(STAMP)  ## 20,000 files at once and ten million rows; an hour
	$(BIN)/python -m pytest -m soak tests
	PYTHONPATH=tests/support $(BIN)/python benchmarks/soak.py

bench: $(STAMP)  ## measure every figure that is promised; half an hour
	PYTHONPATH=tests/support $(BIN)/python benchmarks/run.py $(ONLY)

check: $(STAMP)  ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy dummy-data/demo.py dummy-data/demo_apis.py docs/configuration_page.py docs/configuration_schema.py docs/configuration_tables.py docs/man_pages.py docs/manifest_schema.py docs/site_links.py
	MYPYPATH=tests/support:docs $(BIN)/mypy --explicit-package-bases docs/screenshots/__init__.py docs/screenshots/chromium.py docs/screenshots/temporal_ui.py docs/screenshots/terminal.py
	$(BIN)/lint-imports

format: $(STAMP)  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)  ## write the generated pages anew
	$(BIN)/python docs/configuration_page.py > docs/configuration.md
	$(BIN)/python docs/configuration_schema.py > docs/batchd.schema.json
	$(BIN)/python docs/manifest_schema.py > docs/manifest.schema.json

man: $(STAMP)  ## the man pages of the programs, in build/man
	$(BIN)/python docs/man_pages.py build/man

screenshots: $(STAMP)  ## take the pictures of the documentation from the real thing; a minute or two, with chromium
	PYTHONPATH=tests/support:docs $(BIN)/python -m screenshots.temporal_ui
	PYTHONPATH=tests/support:docs $(BIN)/python -m screenshots.terminal

site: $(STAMP)  ## the documentation as a site, in build/site; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --config-file docs/mkdocs.yml

histories: $(STAMP)  ## record the histories of a new version for the replay tests; never over old ones
	PYTHONPATH=tests/support $(BIN)/python tests/support/record_histories.py

lock:  ## pin every package anew, for work, for the service and for building it, with hashes and without addresses (needs uv)
	$(COMPILE) --extra embedded --extra otel --group dev pyproject.toml --output-file requirements.lock
	$(COMPILE) --extra embedded --extra otel --constraint requirements.lock pyproject.toml --output-file runtime.lock
	$(COMPILE) --group pyproject.toml:build --constraint requirements.lock --output-file build.lock

clean:  ## remove what the targets above made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
