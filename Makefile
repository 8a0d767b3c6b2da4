# texprior: make demo | demo-quick | test | test-extras | lint | bench | reference | notebooks | docs | clean. Needs Python 3.11 or newer and a network for the first install.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

.PHONY: demo demo-quick test test-extras lint bench reference notebooks docs clean

# Train on the shipped prior, sweep, restore and measure on the bundled photographs: minutes on two cores.
demo: $(VENV)/installed
	$(BIN)/texprior demo

# The whole line, the prior included, with tiny budgets, within 90 seconds: shows that everything works, not how well.
demo-quick: $(VENV)/installed
	$(BIN)/texprior demo --quick --from-scratch

# All tests, on every core; arguments of pytest in ARGS, such as make test ARGS="-k sampler". Tests that need Ray or
# PostgreSQL's driver run with EXTRAS=,ray,postgres, and are skipped without them.
test: $(VENV)/installed-dev$(EXTRAS)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

# The tests of components that need packages of their own (timm, spandrel, pyiqa, xformers, schedulefree), and of the page
# of 'texprior app' (gradio), in a second environment of several GB; what a GPU or chromium alone can show is skipped
# without one.
test-extras: $(VENV)-extras/installed
	$(VENV)-extras/bin/python -m pytest tests/plugins/attention tests/plugins/encoder tests/plugins/predictor \
	  tests/plugins/metric/test_pyiqa.py tests/plugins/optimizer tests/platform/training/test_trainee.py \
	  tests/platform/cli/app tests/platform/cli/commands/test_app.py $(ARGS)

# Format, lint, types, and the direction of imports.
lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# What texprior costs beside plain loops and other libraries; arguments of benchmarks/run.py in ARGS.
bench: $(VENV)/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/run.py $(ARGS)

# The pages of the documentation that are made from the code; a test holds that they are up to date.
reference: $(VENV)/installed-dev
	$(BIN)/python -m texprior.cli.settings_page >docs/reference/settings.md
	$(BIN)/python -m texprior.cli.components_page >docs/reference/components.md
	$(BIN)/python -m texprior.cli.component_pictures docs/images/components
	$(BIN)/python -m texprior.cli.json_page >docs/reference/json.md
	$(BIN)/python -m texprior.cli.json_page schema >docs/reference/json-schema.json

# Run the notebooks in docs/notebooks/ and store them with what they show.
notebooks: $(VENV)/installed-dev
	runs=$$(mktemp -d) && cd docs/notebooks && \
	  TEXPRIOR_RUNS=$$runs OMP_NUM_THREADS=1 $(CURDIR)/$(BIN)/jupyter nbconvert --execute --inplace *.ipynb && \
	  sed -i "s#$$runs#texprior-runs#g" *.ipynb && rm -rf detail.py $$runs

# The documentation as a site in site/VERSION, beside the versions that are there; a broken link is an error.
docs: $(VENV)/installed-dev
	$(BIN)/python docs/versions/build.py

# Remove the virtual environment and the caches of the tools; texprior-runs/ stays.
clean:
	rm -rf $(VENV) $(VENV)-extras .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# Each install is done once, and again when its requirements change.
$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/created
	$(PIP) -e .
	@touch $@

# An environment without the EXTRAS that are asked for gets them, too.
$(sort $(VENV)/installed-dev $(VENV)/installed-dev$(EXTRAS)): pyproject.toml constraints.txt | $(VENV)/created
	$(PIP) -e '.[dev$(EXTRAS)]'
	@touch $(VENV)/installed $(VENV)/installed-dev $@

$(VENV)-extras/installed: pyproject.toml constraints-extras.txt
	$(PYTHON) -m venv $(VENV)-extras
	$(VENV)-extras/bin/python -m pip install --disable-pip-version-check -c constraints-extras.txt \
	  -e '.[timm,spandrel,pyiqa,xformers,schedulefree,app]' pytest pytest-timeout
	@touch $@

$(VENV)/created:
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("texprior needs Python 3.11 or newer, but $(PYTHON) is %d.%d; name another: make PYTHON=python3.12 $(MAKECMDGOALS)" % v[:2])'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment; on Debian: apt install python3-venv"; exit 1; }
	@touch $@
