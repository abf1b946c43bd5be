"""Every file knows its room: size, names, docstrings, where Dask is wired, the README's picture."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ketadask"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 400
ATTICS = {"utils", "util", "helpers", "helper", "common", "misc", "tools", "stuff", "core", "base"}

# Files besides graph.py that may import dask, and why.
DASK_ALLOWED = {
    "cluster": "runs graphs, and is the only place that knows the scheduler",
    "pipeline": "computes the graphs of all other floors",
}
# Functions of dask that neither build nor run a graph.
NO_WIRING = {"dask.base.tokenize", "dask.system.CPU_COUNT", "dask.utils.parse_bytes"}


def relative(path):
    return path.relative_to(PACKAGE).as_posix()


def parsed(path):
    return ast.parse(path.read_text())


def tracked_files():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [file for file in files if file.is_file()]


def test_no_file_is_longer_than_a_reader_can_hold():
    lines = {relative(path): len(path.read_text().splitlines()) for path in MODULES}
    assert lines
    assert {name: n for name, n in lines.items() if n > MOST_LINES} == {}


def test_there_is_no_attic():
    names = {part.removesuffix(".py") for path in MODULES for part in path.parts[-2:]}
    assert names & ATTICS == set()


def running(tree):
    """Walk a tree without what is there for type checkers only."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            yield from running(node)


def imported(tree):
    """Return the full names a module imports when it runs."""
    for node in running(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def wires_dask(tree):
    return any(name.split(".")[0] == "dask" and name not in NO_WIRING for name in imported(tree))


def reaches_scheduler(tree):
    return any(
        name.split(".")[0] == "distributed" or name.startswith("dask.distributed")
        for name in imported(tree)
    )


@pytest.mark.parametrize(
    "line", ["import dask", "from dask import delayed", "import dask.array as da"]
)
def test_the_check_of_wiring_can_fail(line):
    assert wires_dask(ast.parse(f"def late():\n    {line}\n"))
    assert not wires_dask(ast.parse("from ketadask.search import graph"))
    assert not wires_dask(ast.parse(f"if TYPE_CHECKING:\n    {line}\n"))
    assert reaches_scheduler(ast.parse("from dask.distributed import Client"))


def test_dask_is_wired_in_graph_files_only():
    wiring = {relative(path) for path in MODULES if wires_dask(parsed(path))}
    assert {
        name
        for name in wiring
        if not name.endswith(("/graph.py", "_graph.py"))
        and name not in DASK_ALLOWED
        and name.split("/")[0] not in DASK_ALLOWED
    } == set()


def test_every_exception_for_dask_is_still_needed():
    wiring = {relative(path) for path in MODULES if wires_dask(parsed(path))}
    used = {place for name in wiring for place in (name, name.split("/")[0])}
    assert set(DASK_ALLOWED) <= used


def test_only_cluster_reaches_the_scheduler():
    found = {relative(path) for path in MODULES if reaches_scheduler(parsed(path))}
    assert {name for name in found if not name.startswith("cluster/")} == set()


def test_graph_files_fit_on_a_screen_or_two_and_open_with_their_strategy():
    for path in PACKAGE.rglob("*graph.py"):
        text = ast.get_docstring(parsed(path)) or ""
        assert len(text.split()) >= 25, f"{relative(path)} does not say its strategy"
        assert len(path.read_text().splitlines()) <= 200, relative(path)


def test_every_module_has_a_docstring():
    files = [*MODULES, *(ROOT / "tests").rglob("*.py")]
    assert [str(path) for path in files if not ast.get_docstring(parsed(path))] == []


def public_definitions(body, prefix=""):
    """Return the public functions, classes and methods of a module as (name, node)."""
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if node.name.startswith("_"):
            continue
        yield f"{prefix}{node.name}", node
        if isinstance(node, ast.ClassDef):
            yield from public_definitions(node.body, f"{node.name}.")


def test_everything_public_has_a_docstring():
    missing = [
        f"{relative(path)}: {name}"
        for path in MODULES
        for name, node in public_definitions(parsed(path).body)
        if not ast.get_docstring(node)
    ]
    assert missing == []


# Words that mean two things here; `config` is a word of the floors that know the configuration.
AMBIGUOUS = {
    *("condition", "sample", "subgroup", "rule", "batch", "chunk"),
    *("cfg", "info", "params", "utils", "helper", "manager"),
}
CONFIGURED = ("cli", "study", "bench", "config", "cluster")
OTHERS_NAMES = {"model_config", "get_params", "set_params", "params"}  # pydantic, scikit-learn


def defined(tree):
    """Return the names a module gives to functions, classes, arguments and variables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr


def ambiguous(name, floor):
    words = {word.removesuffix("s") for word in name.lower().split("_")}
    forbidden = {word.removesuffix("s") for word in AMBIGUOUS}
    if floor not in CONFIGURED:
        forbidden |= {"config"}
    return name not in OTHERS_NAMES and bool(words & forbidden)


def test_ambiguous_words_are_found():
    found = list(defined(ast.parse("def f(sample_rows):\n    self.chunks = batch = 1\n")))
    wrong = {name for name in found if ambiguous(name, "search")}
    assert wrong == {"sample_rows", "batch", "chunks"}
    assert ambiguous("config", "search")
    assert not ambiguous("config", "study")


def test_no_name_means_two_things():
    found = {
        f"{relative(path)}: {name}"
        for path in MODULES
        for name in defined(parsed(path))
        if ambiguous(name, relative(path).split("/")[0])
    }
    assert found == set()


UNFINISHED = re.compile(r"\b(?:" + "TO" + "DO|" + "FIX" + "ME|" + "XX" + "X)\\b")
MACHINE = re.compile(r"(?<![\w.~$}])/(?:home|root|Users|work|mnt|scratch|opt)/\w")


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (UNFINISHED, "# TO" + "DO later", True),
        (UNFINISHED, "the to-do list", False),
        (MACHINE, "open('/ho" + "me/me/x')", True),
        (MACHINE, "https://example.org/home/page", False),
        (MACHINE, "../shared/wo" + "rk/x", False),
    ],
)
def test_the_patterns_find_what_they_should(pattern, text, found):
    assert (pattern.search(text) is not None) == found


@pytest.mark.parametrize("pattern", [UNFINISHED, MACHINE], ids=["unfinished", "machine"])
def test_no_tracked_file_holds_such_words(pattern):
    found = []
    for path in tracked_files():
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip():.80}"
            for number, line in enumerate(lines, 1)
            if pattern.search(line)
        ]
    assert found == []


def floors_of_contract():
    text = (ROOT / "pyproject.toml").read_text()
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    return next(each["layers"] for each in contracts if each["type"] == "layers")


def floors_of_picture(text):
    """Return the first words of the lines in the fenced block after ``<!-- floors -->``."""
    block = re.search(r"<!-- floors -->\s*```\w*\n(.*?)```", text, re.DOTALL)
    assert block, "there is no fenced block after <!-- floors -->"
    lines = [line for line in block[1].splitlines() if line and not line.startswith(" ")]
    return [re.split(r"\s{2,}", line)[0] for line in lines]


def test_the_picture_is_read_as_drawn():
    text = "x\n<!-- floors -->\n```text\ncli          verbs\nstudy | bench   root\n   more\n```\n"
    assert floors_of_picture(text) == ["cli", "study | bench"]


def test_the_picture_draws_the_floors_of_the_contract():
    assert floors_of_picture((ROOT / "CONTRIBUTING.md").read_text()) == floors_of_contract()


def test_every_floor_of_the_contract_exists():
    floors = {floor for layer in floors_of_contract() for floor in layer.split(" | ")}
    found = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert found - {"__init__", "__main__", "__pycache__"} == floors


def test_no_two_files_of_a_run_have_one_name():
    named = [
        node.value
        for path in (PACKAGE / "study").glob("*.py")
        for statement in parsed(path).body
        if isinstance(statement, ast.Assign)
        for node in ast.walk(statement.value)
        if isinstance(node, ast.Constant)
        and re.search(r"\.(parquet|json|zarr|html|npz)$", str(node.value))
    ]
    assert len(named) > 15
    assert sorted(named) == sorted(set(named))
