"""How Sphinx builds these pages: `make docs`, without a network, warnings are errors."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent / "scripts"), str(DOCS / "extensions")]

import sdssflow  # noqa: E402

project = "sdssflow"
author = "the sdssflow authors"
project_copyright = author
version = release = sdssflow.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "numpydoc",
    "docstrings",
    "rule_pages",
    "library_pages",
    "repository_pages",
]
exclude_patterns = ["_build", "extensions"]

# every internal link has to lead somewhere; names of other projects' objects are not looked up,
# because that would need their inventories from the network
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(?!sdssflow\.).*"),
    (r"py:.*", r".*\._\w+"),
    # variables of types
    (
        r"py:.*",
        r"sdssflow\.(logs\.Item|acquire\.download\.retry\.Answer|regress\.networks\.Model"
        r"|regress\.calibrations\.Result)",
    ),
]
suppress_warnings = ["ref.python"]  # two stages may have classes of one name, and say so by module

highlight_language = "text"  # commands and tables stand in indented blocks
smartquotes = False  # pages and sources have the same signs, so that one finds them
myst_heading_anchors = 5  # of all headings, as GitHub names them
myst_enable_extensions = ["deflist"]

default_role = "code"  # docstrings write `name` for code
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_default_options = {"exclude-members": "model_config"}  # of pydantic, not ours
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"sdssflow {version}"
html_copy_source = False
html_show_sphinx = False
