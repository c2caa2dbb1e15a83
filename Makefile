# Everything needs Python 3.11 and make; the rest is put into .venv.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"
CORES ?= 2
# As the workflow does: numeric libraries take one thread per process.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: env demo test test-full lint bench study lock clean

env: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: make env PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

# VERBOSE=1: Snakemake's own words instead of a bar per stage.
DEMO := results/experiments/demo
RUN_DEMO := $(RUN) snakemake all predict --cores $(CORES) --configfile config/demo.yaml
demo: env
	@if [ -e $(DEMO)/evaluate/report.html ] && $(RUN_DEMO) -n 2>&1 | grep -q "Nothing to be done"; then echo "Nothing to be done: report $(DEMO)/evaluate/report.html"; else \
		$(RUN_DEMO) $(if $(VERBOSE),,--logger stages) && $(BIN)/python -m confuselt.report.told $(DEMO) && \
		echo "predictions for patients with slides only: $(DEMO)/predict/demo-slides-only/predictions.parquet" && \
		echo "next: xdg-open $(DEMO)/evaluate/report.html" && \
		echo "      your own cohort: README.md, then snakemake -n --cores $(CORES) --configfile my.yaml"; fi

test: env
	$(RUN) python -m pytest -n $(CORES) --dist loadgroup -m "not full"

test-full: env
	$(RUN) python -m pytest -n $(CORES) --dist loadgroup --junitxml=tests/junit-full.xml

lint: env
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) snakefmt --check workflow
	$(RUN) snakemake --lint --configfile config/demo.yaml

bench: env
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# make study NAME=coverage [ARGS="--draws 10"]; the bare word works too: make study coverage
study: env
	$(RUN) $(ONE_THREAD) python benchmarks/studies/run.py $(or $(NAME),$(filter-out study,$(MAKECMDGOALS))) $(ARGS)

ifeq (study,$(firstword $(MAKECMDGOALS)))
%:
	@:
endif

lock:
	$(BIN)/uv pip compile pyproject.toml --extra test --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --output-file requirements.lock
	$(BIN)/python tests/workflow/test_environment.py

clean:
	rm -rf $(VENV) .snakemake .pytest_cache .ruff_cache
