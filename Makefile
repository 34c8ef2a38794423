# `make demo` and `make test` need Python 3.11+ and a package index, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo

.PHONY: demo test check format lint types docs florette clean help

help:
	@echo "make demo      install, run the main job on the built-in data, name a few drawn pictures"
	@echo "make test      install what tests need, run the suite"
	@echo "make check     format, lint, types, tests, docs"
	@echo "make docs      regenerate the generated pages"
	@echo "make florette  retrain the built-in model, into runs/florette"

# torch and torchvision come from one index in one step: each works only with the other's build.
$(VENV)/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check torch torchvision
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@

demo: $(VENV)/installed
	$(BIN)/clipfg zeroshot --dataset synthflora --format table --output $(DEMO)/zeroshot --html
	$(BIN)/clipfg datasets draw $(DEMO)/photos -n 6
	$(BIN)/clipfg predict $(DEMO)/photos --classes $(DEMO)/photos/classes.csv \
	  --model builtin:florette --prompts synthflora --top-k 3 --format table --output $(DEMO)/predict
	@echo
	@echo "Look at $(DEMO)/photos, and open $(DEMO)/zeroshot/report.html."
	@echo "Next: $(BIN)/clipfg predict YOUR_PHOTOS --classes names.txt"

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -q -n 2

format: $(VENV)/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/installed-dev
	$(BIN)/mypy

docs: $(VENV)/installed-dev
	$(BIN)/python -m docs.generate

check: lint types test
	$(BIN)/python -m docs.generate --check

florette: $(VENV)/installed
	$(BIN)/python -m clipfg.training.florette.train --seed 0 --out runs/florette

clean:
	rm -rf $(VENV) $(DEMO) build dist .pytest_cache .mypy_cache .ruff_cache
