# Two commands do everything: `make demo` and `make test`. All Python packages go into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint bench clean

demo: $(VENV)/.demo
	$(BIN)/camscan demo run

test: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/camscan signatures lint
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not lab"
	$(BIN)/python -m pytest -m lab  # alone: a city on a busy machine drops packets, and tests count them

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/camscan signatures lint

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "camscan needs Python 3.11 or newer; this is $$($(PYTHON) --version). Name another: make PYTHON=python3.12 demo"; exit 3; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "python3 cannot make virtual environments here; on Debian and Ubuntu: apt install python3-venv"; exit 3; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip

# Installing compiles steps.c where there is a C compiler.
INSTALLED := pyproject.toml hatch_build.py camscan/observe/traffic/steps.c

$(VENV)/.demo: $(INSTALLED) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all]'
	@touch $@

$(VENV)/.test: $(INSTALLED) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev]'
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) .lab-cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
