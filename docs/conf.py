"""Settings of Sphinx: `sphinx-build -W --keep-going docs docs/_build/html` needs no network."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))

import ketadask  # noqa: E402
from docs.gallery import write_gallery  # noqa: E402
from docs.notebooks import write_notebooks  # noqa: E402
from docs.reference import write_pages  # noqa: E402
from ketadask.store.fingerprints import code_version  # noqa: E402

project = "ketadask"
author = "ketadask developers"
project_copyright = "ketadask developers, BSD-3-Clause"
version = release = ketadask.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4

# Executed once for each state of the code, in folders of their own.
nb_execution_mode = "cache"
nb_execution_cache_path = str(FOLDER / "_build" / "notebooks" / code_version())
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_show_tb = True

autosummary_generate = True
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # the template of a class shows them
templates_path = ["_templates"]
numpydoc_xref_param_type = False

project_table = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text())["project"]
html_theme = "pydata_sphinx_theme"
html_title = f"ketadask {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sourcelink = False
html_sidebars = {"**": ["globaltoc.html"]}
smartquotes = False  # it would turn the dashes of options into one
html_theme_options = {
    "navbar_center": [],
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "external_links": [{"name": n, "url": u} for n, u in project_table.get("urls", {}).items()],
}


def visit_inline(translator: Any, node: Any) -> None:
    """Write a formula as MathML, which browsers draw without a script."""
    translator.body.append(tex2mathml(node.astext()))
    raise SkipNode


def visit_block(translator: Any, node: Any) -> None:
    """Write a formula of its own line."""
    translator.body.append(f'<div class="formula">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise SkipNode


def name_result(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Give a result that is described in prose its type, as numpydoc expects."""
    if "Returns" not in lines:
        return
    first = lines.index("Returns") + 2
    last = next((i for i in range(first, len(lines) - 1) if set(lines[i + 1]) == {"-"}), len(lines))
    if not any(line.startswith(" ") for line in lines[first:last]):
        kind = str(getattr(obj, "__annotations__", {}).get("return", "result"))
        lines[first:last] = [kind, *(f"    {line}" for line in lines[first:last])]


def name_fields(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """List the described fields of a class of settings as its parameters."""
    fields = getattr(obj, "__dataclass_fields__", {}) if what == "class" else {}
    texts = [(n, f.metadata["description"]) for n, f in fields.items() if f.metadata]
    if texts and "Parameters" not in lines:
        start = lines.index("Examples") if "Examples" in lines else len(lines)
        rows = [row for field, text in texts for row in (field, f"    {text}")]
        lines[start:start] = ["Parameters", "----------", *rows, ""]


def setup(app: Any) -> None:
    """Write the reference and the gallery, and register the formulas."""
    write_pages(FOLDER / "reference")
    write_gallery(FOLDER / "reference")
    write_notebooks(FOLDER / "reference" / "notebooks")
    for change in (name_result, name_fields):
        app.connect("autodoc-process-docstring", change, priority=400)
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))


html_math_renderer = "mathml"
