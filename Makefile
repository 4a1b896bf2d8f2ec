# make        set up .venv, run the workflow on the default samples, say where the report is
# make test   quality gates and tests
# make estimate  apply a trained model to a table of your own
# make cluster       the same run through a batch system (profiles/README.md)
# make test-cluster  a SLURM of its own on this machine, the default run and faults in it
# make test-report   the report in a headless Chromium: errors, links, widths, contrast, axe
# make doctor say why a run does not start (PROFILE=profiles/slurm: on a cluster)
# make reproduce   everything from nothing, compared with what was locked
# make docs   the documentation as a site; make pictures: those of the report in it
# Set-up needs the package index; everything after it works offline.
# A run that fails ends with the reasons; the line "make: *** ... Error 1" below them is make's own.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# what is installed: enough for a run, for a cluster, for everything
READY := $(VENV)/.ready
CLUSTER := $(VENV)/.cluster
DEV := $(VENV)/.dev
CORES ?= all
PROFILE ?= profiles/default
ORPHANS ?= adopt
ONLY ?= tables scores verdicts
TABLE ?=
MODEL ?=
COLUMNS ?=
EXTINCTION ?=
OUTPUT ?=
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint requirements.lock
# all cores at once, where pip takes one and tests of packages too; a file for another Python fails
COMPILE = $(BIN)/python -m compileall -qq -j 0 -x '/test_' $(VENV)/lib || true
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)
export PYTHONPATH := scripts

.PHONY: all run cluster doctor report estimate plan check reproduce test test-library test-archive test-documents test-workflow test-cluster test-report lint format documents rulegraph docs pictures lock clean

all: run

run: $(READY)
	$(SNAKEMAKE)
	@echo
	@echo "The report: $(CURDIR)/results/report.html"

# pip first: that of an older Python takes two and a half times as long to look through an index
$(READY): requirements.lock pyproject.toml
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(INSTALL) pip==26.3
	$(INSTALL) --editable .
	$(COMPILE)
	touch $@

# an extra of pyproject.toml by its name: make .venv/.hats
$(VENV)/.%: $(READY)
	$(INSTALL) --editable '.[$*]'
	$(COMPILE)
	touch $@

# jobs that a killed run left in the queue come first: ORPHANS=adopt waits for them, cancel doesn't
cluster: PROFILE = profiles/slurm
cluster: $(CLUSTER)
	$(BIN)/python -m sdssflow.running.start --orphans $(ORPHANS) --workflow-profile $(PROFILE)

# asks; starts nothing and changes nothing
doctor: $(READY)
	$(BIN)/sdssflow doctor --profile $(PROFILE)

# Snakemake's own report: the same results with code, parameters and run times of every job
report: run
	$(SNAKEMAKE) --report results/snakemake_report.html

# classes or redshifts of the objects of a table: make estimate TABLE=my.fits MODEL=BUNDLE
# [COLUMNS=map.yaml] [EXTINCTION=corrected|raw] [OUTPUT=estimates.parquet]
estimate: $(READY)
	@test -n "$(TABLE)" -a -n "$(MODEL)" || { echo "make estimate TABLE=my.fits MODEL=results/bundles/NAME"; exit 1; }
	@$(BIN)/sdssflow estimate "$(TABLE)" $(MODEL) \
		$(if $(COLUMNS),--columns "$(COLUMNS)") $(if $(EXTINCTION),--extinction "$(EXTINCTION)") \
		$(if $(OUTPUT),--output "$(OUTPUT)")

# what each sample from SkyServer would take; asks nothing of the server
plan: $(READY)
	$(BIN)/sdssflow plan --configfile config/skyserver.yaml --cores $(CORES)

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile rules workflow
	$(BIN)/snakemake --lint
	$(BIN)/python -m sdssflow.configuration.documents --check

# side by side; those of the workflow mostly wait for one process, so the others give way to them
test: $(DEV)
	$(MAKE) --jobs 5 lint test-workflow test-library test-archive test-documents

# all that the others leave, so that no test is forgotten
test-library: $(DEV)
	nice $(BIN)/python -m pytest $(foreach folder,workflow acquire skyserver docs notebooks benchmarks,--ignore tests/$(folder))

test-archive: $(DEV)
	nice $(BIN)/python -m pytest tests/acquire tests/skyserver

test-documents: $(DEV)
	nice $(BIN)/python -m pytest tests/docs tests/notebooks tests/benchmarks

test-workflow: $(DEV)
	$(BIN)/python -m pytest tests/workflow

# every file behind the results against its record, byte for byte, and the results against those that
# were locked (config/locked/): tables, scores, verdicts on published numbers
check: run
	$(BIN)/python -m sdssflow.provenance.show --quiet results/ro-crate-metadata.json
	$(BIN)/python -m sdssflow.evaluate.reproduction --check --only $(ONLY)

# the same from nothing; downloads stay
reproduce: $(READY)
	rm -rf results
	$(MAKE) check

# compares with the local run, so that comes first
test-cluster: run $(DEV)
	$(BIN)/python -m pytest -m cluster tests/cluster

# the report of the last run, and one in small, in a headless Chromium; the search of the documentation
test-report: run $(DEV)
	$(BIN)/python -m pytest -m browser tests/report/test_browser.py tests/docs/test_search.py

# repair what `make lint` complains of, where a program can
format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules workflow

documents: $(READY)
	$(BIN)/python -m sdssflow.configuration.documents

# the rules of the default run as a picture; a test says when it is out of date
rulegraph: $(DEV)
	$(BIN)/python docs/rulegraph.py

lock: $(DEV)
	{ head -1 requirements.lock; $(BIN)/python -m pip freeze --all --exclude-editable | grep -v '^pip==' | sed 's/+cpu$$//'; } > requirements.new
	mv requirements.new requirements.lock

# the documentation as a site; needs no network
docs: $(DEV)
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "The documentation: $(CURDIR)/docs/_build/html/index.html"

# of the report of the last run, by a headless Chromium
pictures: run $(DEV)
	$(BIN)/python docs/pictures.py

# results go, downloads stay: they are not made again but asked for again (rm -r data/downloads)
clean:
	rm -rf results logs benchmarks/runs .snakemake
