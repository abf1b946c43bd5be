"""No file of a floor imports, directly or through others of the floor, a file that imports it."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "ketadask"


def runtime_nodes(tree):
    """Walk a tree without the imports for type checkers."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            yield from runtime_nodes(node)


def imports_of(text, modules):
    """Return the modules of the package that a text imports at any time, late imports too."""
    names = set()
    for node in runtime_nodes(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names & modules


def circles(graph):
    """Return the sets of modules that reach each other, by the closure of the imports."""
    reach = {module: set(targets) for module, targets in graph.items()}
    for middle in graph:
        for module in graph:
            if middle in reach[module]:
                reach[module] |= reach[middle]
    return {
        frozenset(other for other in reach[module] if module in reach[other])
        for module in graph
        if module in reach[module]
    }


def test_a_circle_is_recognised():
    texts = {"p.a": "def f():\n    from p import b", "p.b": "import p.c", "p.c": "import p.a"}
    graph = {module: imports_of(text, set(texts)) for module, text in texts.items()}
    assert circles(graph) == {frozenset(texts)}
    typing_only = "if TYPE_CHECKING:\n    import p.a"
    graph["p.c"] = imports_of(typing_only, set(texts))
    assert circles(graph) == set()


def test_there_is_no_circle():
    paths = {
        ".".join(("ketadask", *path.relative_to(PACKAGE).with_suffix("").parts)): path
        for path in PACKAGE.rglob("*.py")
        if path.name != "__init__.py"
    }
    modules = set(paths)
    graph = {module: imports_of(path.read_text(), modules) for module, path in paths.items()}
    assert len(graph) > 150
    assert circles(graph) == set()
