# make demo | test | test-rest | test-all | check | fuzz | endurance | bench | docs | dist |
# compat, on a fresh clone. test-rest runs the tests that check leaves out; compat runs
# one case of each on every JAX that is served, each in an environment of its own; JAX=
# names some of them.
# PYTHON= chooses the interpreter (a name or a path), VENV= the environment's folder.
# `test` runs one case of each test but the slow ones, below five minutes on two cores;
# CASES= runs more of them, at even distances; test-all runs all. PLATFORM=cuda:
# benchmarks on a GPU.
VENV ?= .venv
PYTHON ?=
CASES ?= 1
PLATFORM ?=

bin := $(VENV)/bin
made := $(VENV)/.made-by-$(subst /,-,$(or $(PYTHON),newest))
has = $(addprefix $(VENV)/.has-,$(1))
# Annotations that are checked at run time stop or slow down some tests.
rest := boundary or process or scenario or slow
shapes := -m "not ($(rest) or product)" --jaxtyping-packages=jnumerics,beartype.beartype
few := -n auto --dist worksteal --cases $(CASES)

# Compiled programs are kept: passes of the tests, and builds of the pages, share them.
test test-rest test-all check docs: export JAX_COMPILATION_CACHE_DIR = $(abspath $(VENV))/compiled
test test-rest test-all check docs: export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS = 0
test test-rest test-all check docs: export JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES = -1

.PHONY: demo test test-rest test-all check format fuzz endurance bench docs dist compat clean
.PRECIOUS: $(VENV)/.has-%
.NOTPARALLEL:

demo: $(call has,demo)
	$(bin)/python -m jnumerics demo

test: $(call has,test)
	$(bin)/pytest $(few) -m "not (product or slow)"

test-rest: $(call has,test)
	$(bin)/pytest $(few) -m "($(rest)) and not product"

test-all: $(call has,test)
	$(bin)/pytest -n auto --dist worksteal

check: $(call has,test check)
	$(bin)/ruff format --check .
	$(bin)/ruff check .
	$(bin)/basedpyright --pythonpath $(bin)/python
	$(bin)/pytest $(few) tests $(shapes)

format: $(call has,check)
	$(bin)/ruff format .
	$(bin)/ruff check --fix .

fuzz: $(call has,test)
	$(bin)/python -m tests.fuzz --minutes 10

endurance: $(call has,test)
	$(bin)/python -m tests.endurance

# On a GPU two processes share its memory: neither may take it all at the start.
bench: export JAX_PLATFORMS = $(PLATFORM:cuda=cuda,cpu)
bench: export XLA_PYTHON_CLIENT_PREALLOCATE = false
bench: $(call has,bench $(if $(filter cuda,$(PLATFORM)),cuda13))
	.ci/peers $(PLATFORM)
	$(bin)/python -m benchmarks

docs: $(call has,docs)
	$(bin)/python -m sphinx -E -W --keep-going -q docs build/docs
	@echo "build/docs/index.html"

dist: $(call has,dist)
	.ci/dist $(bin)/python

compat: $(call has,test)
	$(bin)/python -m benchmarks.compat $(JAX)

clean:
	rm -rf .venv* build dist out

$(made): .ci/venv
	.ci/venv $(VENV) $(PYTHON)
	@touch $@

# An environment holds the package, editable, with the extras that its targets needed.
$(VENV)/.has-%: $(made) pyproject.toml
	$(bin)/python -m pip install --quiet --editable '.[$*]'
	@touch $@
