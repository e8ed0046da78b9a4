# `make` lists the targets. Every target that needs the environment makes it first, once.

PROFILE ?= quick
ONLY ?=
PARAMETERS ?=
PYTHON ?= python3
PORT ?= 8000
# Notebooks that `make book` runs at the same time; each takes half of the cores, and some GB of memory.
JOBS ?= 2

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
TOOL := $(PY) -m tools.book
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Rendered faces stay inside the checkout, unless the reader has a place for them.
export FACELAB_CACHE ?= $(CURDIR)/_build/cache
# Half of the cores: threads that wait for each other on a busy machine are many times slower than fewer threads.
export OMP_NUM_THREADS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((n > 2 ? n / 2 : 1)))
export NUMBA_NUM_THREADS ?= $(OMP_NUM_THREADS)

.DEFAULT_GOAL := help
.PHONY: help env book html reference reproduce measure handout tidy offline test notebooks serve lint bench clean

help: ## list the targets
	@echo "From Heatmaps to Meshes"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'
	@echo "  PROFILE=smoke|quick|cpu|gpu  ONLY=papers/fan  PARAMETERS=\"seed=1\"  PYTHON=python3.12  PORT=8000  JOBS=1"

env: $(READY) ## make .venv from requirements.txt

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || \
	  { echo "error: '$(PYTHON)' is not Python 3.11, 3.12 or 3.13; name one, as in: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "Installing requirements.txt into $(VENV); the first time this takes some minutes"
	@$(PY) -m pip install --quiet -r requirements.txt
	@$(PY) -m pip install --quiet --no-deps -e .
	@# Tests compare networks with these. What they depend on would bring a second OpenCV and a client of a model hub,
	@# and only their models are read.
	@$(PY) -m pip install --quiet --no-deps face-alignment==1.5.0 timm==1.0.31
	@touch $@

book: $(READY) ## run every notebook under PROFILE, then build the pages
	@$(TOOL) book --profile '$(PROFILE)' --only '$(ONLY)' --parameters '$(PARAMETERS)' --jobs '$(JOBS)'

html: $(READY) ## build the pages from the committed outputs, running nothing
	@$(TOOL) html

reference: $(READY) ## run the notebooks under the cpu profile and keep the outputs in book/
	@$(TOOL) reference --only '$(ONLY)'

reproduce: PROFILE = cpu
reproduce: $(READY) ## run notebooks again and compare with the committed outputs
	@$(TOOL) reproduce --profile '$(PROFILE)' --only '$(ONLY)'

measure: $(READY) ## run notebooks and keep seconds and memory for the pages to show
	@$(TOOL) measure --profile '$(PROFILE)' --only '$(ONLY)'

tidy: $(READY) ## put the notebooks into canonical form
	@$(TOOL) tidy

offline: $(READY) ## pack pages, notebooks and package into one zip, _build/offline
	@$(TOOL) offline

handout: $(READY) ## notebooks and pages without the solutions, into _build/handout
	@$(TOOL) handout

# The notebooks are repeated beside the tests: each of the two keeps one core busy.
test: $(READY) ## test the package, the notebooks and the built pages
	@mkdir -p _build; status=0; \
	$(MAKE) --no-print-directory notebooks > _build/notebooks.log 2>&1 & notebooks=$$!; \
	$(PY) -m pytest || status=1; \
	wait $$notebooks || status=1; \
	cat _build/notebooks.log; \
	exit $$status

notebooks: $(READY)
	@status=0; \
	$(TOOL) nbval && $(PY) -m pytest --nbval --nbval-current-env --nbval-cell-timeout=300 \
	  --nbval-sanitize-with tests/book/sanitize.cfg -p tools.book.keep_outputs --keep-outputs=_build/first/nbval \
	  _build/nbval || status=1; \
	$(TOOL) reproduce --profile smoke --against _build/first/nbval/book || status=1; \
	exit $$status

serve: $(READY) ## serve the pages that were built last on http://127.0.0.1:PORT
	@$(TOOL) serve --port $(PORT)

lint: $(READY) ## ruff and mypy
	$(PY) -m ruff check .
	$(PY) -m mypy

bench: $(READY) ## time the parts on this machine
	$(PY) -m benchmarks

clean: ## remove what was built, but not .venv
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache
