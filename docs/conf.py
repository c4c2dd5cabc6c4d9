"""Settings of the documentation site: the Markdown pages of this folder, the docstrings, and the examples as a gallery.

Nothing is fetched while it is built.
"""

import re

import matplotlib as mpl
from sphinx.application import Sphinx

import sklearn_medgan

mpl.use("Agg")
project = "sklearn_medgan"
author = "The sklearn_medgan developers"
version = release = sklearn_medgan.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates", "sg_execution_times.rst"]
templates_path = ["_templates"]

# Pages below a page, for the navigation alone: the pages themselves stay plain Markdown, read on the repository too.
BELOW = {
    "index": ["user_guide", "auto_examples/index", "api", "benchmarks", "Under development <contributing>"],
    "user_guide": [
        "datasets",
        "restoration",
        "degradations",
        "metrics",
        "benchmark_protocol",
        "practice",
        "backends",
        "scaling",
        "sharing",
        "weights",
    ],
    "benchmarks": ["inference"],
    "contributing": ["research_log", "changelog"],
}
# Files that the pages link to, outside this folder or not, and the pages that they become.
BECOMES = {
    r"\.\./examples/(plot_\w+)\.py": r"auto_examples/\1.rst",
    r"(?:\.\./)?README\.md": "index.md",
    r"(?:\.\./)?CONTRIBUTING\.md": "contributing.md",
    r"(?:\.\./)?CHANGELOG\.md": "changelog.md",
    r"\.\./sklearn_medgan/weights/README\.md": "weights.md",
}
myst_heading_anchors = 4  # as on the repository's pages
suppress_warnings = ["myst.xref_ambiguous"]

default_role = "py:obj"  # `name` in a docstring: a link where there is such an object, else code
nitpicky = True
nitpick_ignore_regex = [("py:obj", ".*"), ("py:.*", r"sklearn\..*")]  # parameters' names; no inventory is fetched
autosummary_generate = True
smartquotes = False  # "auto" is code
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # the docstrings have them, with shapes
numpydoc_show_class_members = False  # the templates do
numpydoc_xref_param_type = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"^(?!plot_)",
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("sklearn_medgan",),
    "remove_config_comments": True,
    "show_memory": False,
    "abort_on_example_error": True,
    "download_all_examples": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_medgan"
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": True,
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_context = {"default_mode": "auto"}


def place(app: Sphinx, docname: str, source: list[str]) -> None:
    """Point a page's links at pages of the site, and hang the pages below it into the navigation."""
    if docname.startswith("auto_examples/"):
        return
    text = source[0]
    for file, page in BECOMES.items():
        text = re.sub(rf"\]\({file}(?=[)#])", f"]({page}", text)
    if docname in BELOW:
        text += "\n\n```{toctree}\n:hidden:\n" + "\n".join(BELOW[docname]) + "\n```\n"
    source[0] = text


def setup(app: Sphinx) -> None:
    """Be called by Sphinx."""
    app.connect("source-read", place)
