# `make run` and `make test` are all there is to know. Another Python: make run PYTHON=python3.12
# Settings for the server: make run ARGS="--http-port 9000"

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
APT := apt-get install --yes --quiet --no-install-recommends
OPENCV_LIBRARIES := libgl1 libglib2.0-0

.PHONY: run test test-long audit clean
.DEFAULT_GOAL := run

run: $(VENV)/.installed
	@$(BIN)/visavis $(ARGS)

# What is timed wants the machine to itself; everything else goes side by side, a file to a process, the longest first.
test: $(VENV)/.installed-for-tests
	@$(BIN)/python tests/browser/install.py
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -m "alone and not long"
	@$(BIN)/python -m pytest -m "not alone and not long" --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder tests/training tests/browser tests

# The list of all parts (build/sbom.json), their licences, and known faults of theirs; exit code 3: nobody could be asked.
audit: $(VENV)/.installed-for-tests
	@$(BIN)/python -m tests.supply

# What takes minutes more: lossy lines, changed addresses, a short soak, other designs under load.
test-long: $(VENV)/.installed-for-tests
	@$(BIN)/python tests/browser/install.py
	@$(BIN)/python -m pytest -m long

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Visavis needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) --version 2>/dev/null || echo missing)." >&2; \
	  echo "Name another one: make run PYTHON=python3.12" >&2; exit 1; }
	@echo "Making the environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python's venv module is missing or broken; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "Installing Visavis and what it stands on (a few minutes the first time) …"
	@$(PIP) --editable .
	@$(call opencv_libraries)
	@touch $@

$(VENV)/.installed-for-tests: pyproject.toml | $(VENV)/bin/python
	@echo "Installing Visavis and what its tests need (a few minutes the first time) …"
	@$(PIP) --editable '.[test]'
	@$(call opencv_libraries)
	@touch $@ $(VENV)/.installed

# OpenCV's wheel takes two libraries from the system, which a bare Debian does not have.
define opencv_libraries
$(BIN)/python -c 'import cv2' 2>/dev/null || { \
  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
    echo "Installing $(OPENCV_LIBRARIES) for OpenCV …"; \
    apt-get update --quiet >/dev/null && DEBIAN_FRONTEND=noninteractive $(APT) $(OPENCV_LIBRARIES) >/dev/null; \
  fi; \
  $(BIN)/python -c 'import cv2' || { echo "OpenCV cannot start; on Debian or Ubuntu: apt-get install $(OPENCV_LIBRARIES)" >&2; exit 1; }; }
endef
