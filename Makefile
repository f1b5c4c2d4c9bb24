# Needs make and Python 3.11 or newer, and the network the first time. All else goes into .venv.
# If python3 is too old but another one is there:  make lab PYTHON=python3.12

PYTHON = python3
BIN    = .venv/bin
READY  = .venv/ready

## make lab     open the book in JupyterLab at its first chapter   (5 seconds; half a minute the first time)
## make test    prove it: lint, types, tests, every chapter        (a quarter of an hour)
## make book    bind the chapters into book/_build/html            (two minutes the first time, then half a minute)
## make serve   show that book in a browser on this machine       (until Ctrl-C)
## make pdf     print that book into book/_build/pages-that-survive.pdf, with Chromium   (half a minute)
## make notebooks   run every chapter from an empty kernel and store what it says  (half a minute)
## make bench   measure it on this machine                         (seven minutes)
## make lock    after a change of pyproject.toml: renew uv.lock and environment.yml   (10 seconds)
## make clean   remove .venv and all that was built
##
## Each works alone on a fresh copy. More words for the program behind it go into ARGS:
##   make lab ARGS=--no-browser        make test ARGS='tests/test_lint.py -x'

.PHONY: help lab test book serve pdf notebooks bench lock clean
help:
	@sed -n 's/^## \{0,1\}//p' Makefile

# Copies, so that the book's own chapters stay as they are proved; none that a reader has is touched.
lab: $(READY)
	@mkdir -p my
	@for own in notebooks/*.ipynb; do test -e "my/$${own##*/}" || cp "$$own" my/; done
	@echo "Opening JupyterLab on this machine, with your copies of the chapters in my/. Stop it with Ctrl-C."
	@$(BIN)/jupyter lab --config tools/lab_config.py $(ARGS)

test: $(READY)
	@echo "Testing: lint, types, the suite and the stored outputs of every chapter."
	@$(BIN)/python -m pytest --nbval --nbval-current-env $(ARGS)

# The pages from nothing each time: what was read before would not be warned about again. Chapters are run again only
# if they or the model changed.
book: $(READY)
	@echo "Running and binding the chapters. A warning counts as an error."
	@rm -rf book/_build/html book/_build/doctrees
	@$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going \
	  --doctree-dir book/_build/doctrees $(ARGS) book book/_build/html
	@echo "The book is at book/_build/html/index.html"

serve: book/_build/html/index.html
	@echo "Serving the book. Stop it with Ctrl-C."
	@$(BIN)/python tools/serve.py $(ARGS)

pdf: book/_build/html/index.html
	@echo "Printing the book, page by page."
	@$(BIN)/python -m tools.pdf $(ARGS)

book/_build/html/index.html:
	@$(MAKE) --no-print-directory book

notebooks: $(READY)
	@echo "Running the chapters. Look at what changed before you keep it."
	@$(BIN)/python tools/chapters.py $(ARGS)

bench: $(READY)
	@echo "Measuring. Leave the machine alone until it is done."
	@$(BIN)/python -m bench $(ARGS)

lock: $(READY)
	@echo "Asking the package index for the newest versions that fit together."
	@$(BIN)/uv lock --upgrade
	@$(BIN)/python tools/envfile.py

clean:
	@echo "Removing .venv and everything that was built."
	@rm -rf .venv book/_build book/generated book/notebooks .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv is taken at the version in its own lock. It is one of the packages it installs there, so that a
# sync does not remove it. JupyterLab is told here not to ask the network for news and updates.
$(READY): pyproject.toml uv.lock tools/lab-overrides.json
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "khosim needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
	  echo "If a newer one is installed, name it: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; } >&2
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments. On Debian or Ubuntu: apt install python3-venv"; exit 1; } >&2
	@test ! -L .venv || { echo ".venv is a link. Setting up would empty the folder it leads to; remove the link first."; \
	  exit 1; } >&2
	@echo "Setting up .venv with $$($(PYTHON) --version). This happens once and takes about half a minute."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  "$$(sed -n '/^name = "uv"$$/{n;s/version = "\(.*\)"/uv==\1/p;}' uv.lock)"
	@UV_PROJECT_ENVIRONMENT=.venv $(BIN)/uv sync --quiet --frozen --all-extras --python $(BIN)/python
	@mkdir -p .venv/share/jupyter/lab/settings
	@cp tools/lab-overrides.json .venv/share/jupyter/lab/settings/overrides.json
	@touch $(READY)
