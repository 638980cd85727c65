# Mainstem: `make help` lists what there is.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(PY) -m pip install --quiet --constraint constraints.txt
UI := src/mainstem/ui/index.html
UI_FROM := $(shell find web -path web/node_modules -prune -o -type f ! -name openapi.json ! -name '*.gen.ts' -print 2>/dev/null) $(wildcard src/mainstem/api/*.py src/mainstem/control/*_body.py)
NATIVE := $(wildcard src/mainstem/native/*.pyx src/mainstem/native/*.pxd)

.DEFAULT_GOAL := help
.PHONY: help demo test check fmt bench venv web wheel constraints clean servers-demo servers-test

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  PYTHON=python3.12 picks another interpreter (3.11 or later)."

demo: servers-demo $(VENV)/.demo $(VENV)/.compiled $(UI) ## a sample shop from MariaDB to PostgreSQL, then kept equal, live; EXIT=1 ends by itself
	@$(PY) -m demo $(if $(EXIT),--exit)

test: ## install what is missing, then run every check and test
	@$(MAKE) --no-print-directory --jobs servers-test $(VENV)/.dev $(VENV)/.compiled
	@$(MAKE) --no-print-directory check

check: $(VENV)/.dev $(VENV)/.compiled $(UI)
	@VENV=$(VENV) tools/check $(ARGS)

fmt: $(VENV)/.dev ## format the code and fix what can be fixed
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .
	@tools/web format

bench: servers-test $(VENV)/.dev $(VENV)/.compiled ## measure against the usual tools on this machine
	@$(PY) -m bench $(ARGS)

venv: $(VENV)/.dev $(VENV)/.compiled ## the virtual environment with everything for development

web: $(UI) ## build the web UI into src/mainstem/ui

wheel: $(VENV)/.dev $(UI) ## build dist/*.tar.gz and, from it, dist/*.whl
	@rm -rf build dist
	@$(PY) -c 'from setuptools import build_meta; build_meta.build_sdist("dist")' >/dev/null
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(PY) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist dist/*.tar.gz
	@ls -l dist

constraints: $(VENV)/.dev ## write constraints.txt from what is installed
	@$(PY) tools/constraints

clean: ## remove the virtual environment and everything that was built
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf web/node_modules web/openapi.json web/src/api/schema.gen.ts src/mainstem/ui
	rm -f src/mainstem/native/*.c src/mainstem/native/*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

servers-demo:
	@tools/install-servers mariadb

servers-test:
	@tools/install-servers mariadb postgresql chromium

# Stamps: a second `make` does nothing that is done already. Packages, which come from elsewhere, and the compiler's work
# have nothing to do with each other; `pip install` would compile once more, in a folder of its own.
$(VENV)/.created:
	@$(PYTHON) tools/python-version
	@echo "Creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.build: $(VENV)/.created constraints.txt
	@$(PIP) setuptools cython
	@touch $@

$(VENV)/.demo: $(VENV)/.build pyproject.toml constraints.txt
	@echo "Installing packages ..."
	@MAINSTEM_COMPILE=no $(PIP) --no-build-isolation --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.build pyproject.toml constraints.txt
	@echo "Installing packages ..."
	@MAINSTEM_COMPILE=no $(PIP) --no-build-isolation --editable '.[dev]'
	@touch $@ $(VENV)/.demo

# The C is generated: its warnings are about nothing that anybody wrote.
$(VENV)/.compiled: $(NATIVE) setup.py | $(VENV)/.build
	@echo "Compiling ..."
	@CFLAGS="$(CFLAGS) -w" $(PY) setup.py --quiet build_ext --inplace
	@$(PY) -m compileall -q src demo tools
	@touch $@

$(UI): $(UI_FROM) tools/web tools/npm tools/openapi | $(VENV)/.demo $(VENV)/.compiled
	@VENV=$(VENV) tools/web build
	@touch $@
