# noai-gateway. Needs Python >= 3.11, make and a C compiler; everything else comes from the lock files.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run demo test test-long mutation bench lint schemas format lock clean

help:
	@echo "make run        start the gateway on SQLite at http://localhost:8000"
	@echo "make demo       two gateways and a faithless peer, in under a minute"
	@echo "make test       everything that continuous integration runs"
	@echo "make test-long  the long versions: more cycles, more mutations"
	@echo "make mutation   do the tests of the deciding rooms notice a change? (an hour)"
	@echo "make bench      speed, as ratios measured side by side"
	@echo "make lint       ruff, mypy, import contracts, dependency check"
	@echo "make schemas    write schemas/openapi.json anew from the route table"
	@echo "make format     let ruff format the code"
	@echo "make lock       renew the lock files (needs uv)"

$(VENV)/run.stamp: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "noai-gateway needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.lock
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

run: $(VENV)/run.stamp
	@exec $(BIN)/gateway serve --first-account alice

demo: $(VENV)/run.stamp
	@$(BIN)/python tests/demo.py

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/deptry gateway
	$(BIN)/interrogate --quiet gateway
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

test: lint
	rm -f .coverage .coverage.*
	$(BIN)/python -m coverage run -m pytest -n 2 --dist loadfile -m "not long"
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --fail-under=95 --skip-covered
	$(BIN)/python -m coverage report --fail-under=100 --include="gateway/preferences/*,gateway/carriers/*"

test-long: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n 2 --dist loadfile
	$(BIN)/python tests/bench/run.py --gate

mutation: $(VENV)/dev.stamp
	rm -rf mutants
	$(BIN)/mutmut run
	$(BIN)/python tests/mutation/rest.py
	$(BIN)/python tests/mutation/score.py --survivors

bench: $(VENV)/dev.stamp
	$(BIN)/python tests/bench/run.py

schemas: $(VENV)/dev.stamp
	$(BIN)/python tests/make_openapi.py

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

lock:
	uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url -o requirements.lock --quiet
	uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-emit-index-url -o requirements-dev.lock --quiet

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*
