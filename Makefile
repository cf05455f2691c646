PYTHON ?= python3.11
BIN := .venv/bin
# One linear-algebra thread: the matrices are small, and two notebooks may run at once.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
export PYDEVD_DISABLE_FILE_VALIDATION = 1

.PHONY: book test nbval notebooks bench serve pdf clean lock
.DEFAULT_GOAL := book

# Set up once, and again when the pinned versions change. The mark is written last, so an interrupted set-up repeats.
.venv/installed: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) not found: install Python 3.11 or say PYTHON=..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "error: no venv module: on Debian install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

book: .venv/installed          ## execute stale notebooks at the quick preset, render the pages
	$(BIN)/scarce book

test: .venv/installed          ## style, unit and property tests, notebooks, the book in a browser
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term --ignore=tests/book
	$(BIN)/scarce book
	$(BIN)/pytest -n 2 tests/book
	$(NBVAL) notebooks/bslb.ipynb notebooks/segmentation.ipynb

# Executes notebooks in plain kernels and compares the verdicts with the stored ones. The build's own runs have been
# compared with them by then (tests/book/test_stored_notebooks.py), so two are enough in every test.
NBVAL = $(BIN)/pytest -p no:cacheprovider -n 2 --dist loadfile --nbval-lax --nbval-current-env --nbval-cell-timeout 600
nbval: .venv/installed         ## execute all notebooks once more, without papermill, and compare with what is stored
	$(NBVAL) notebooks/*.ipynb

notebooks: .venv/installed     ## execute all notebooks at quick and store their outputs in notebooks/
	$(BIN)/scarce notebooks

bench: .venv/installed         ## compare with peers, record results/benchmarks.json
	$(BIN)/python -m benchmarks

serve: book                    ## serve the pages on this machine
	$(BIN)/scarce serve

# Chromium prints what a browser shows, formulas included; as root add CHROMIUM="chromium --no-sandbox".
CHROMIUM ?= chromium
pdf: book                      ## print every page into _build/pdf (needs Chromium)
	@mkdir -p _build/pdf
	@for page in _build/html/book/*.html _build/html/notebooks/*.html; do \
	  $(CHROMIUM) --headless --disable-gpu --no-pdf-header-footer --virtual-time-budget=20000 \
	    --print-to-pdf="_build/pdf/$$(basename $$page .html).pdf" "file://$$PWD/$$page" 2>/dev/null \
	    || { echo "error: $(CHROMIUM) could not print $$page"; exit 1; }; done
	@echo "one PDF a page in _build/pdf"

clean:                         ## remove what was built; runs/, results/ and data/ stay
	rm -rf _build .pytest_cache .ruff_cache .hypothesis .coverage
	find lib tests benchmarks -name __pycache__ -type d -exec rm -rf {} +

lock:                          ## compile requirements.lock anew (needs uv)
	uv pip compile --quiet --python-version 3.11 --all-extras --no-header --no-annotate pyproject.toml -o requirements.lock.new
	{ echo "# Every exact version of this project, for Python 3.11. Made by 'make lock'; do not edit by hand."; \
	  sed 's/+cpu//' requirements.lock.new; } > requirements.lock && rm requirements.lock.new
