"""The notebooks run top to bottom, define nothing, and are kept without outputs."""

import ast
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NAMES = ["01_load", "02_features", "03_search", "04_verdicts", "05_cluster"]
MOST_SECONDS = 180
_spent: dict[str, float] = {}


def book(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell):
    return "\n".join(str(output.get("data", {}).get("text/plain", "")) for output in cell.outputs)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Return a function that executes a notebook once, in an empty folder."""
    made = {}

    def run(name):
        if name not in made:
            start, notebook = time.monotonic(), book(name)
            place = tmp_path_factory.mktemp(name)
            client = NotebookClient(
                notebook,
                timeout=120,
                kernel_name="python3",
                resources={"metadata": {"path": str(place)}},
            )
            made[name] = client.execute()
            _spent[name] = time.monotonic() - start
            assert list(place.iterdir()) == []
        return made[name]

    return run


def test_there_are_five():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_committed_without_outputs_and_small(name):
    notebook = book(name)
    nbformat.validate(notebook)
    assert notebook.cells[0].cell_type == "markdown"
    assert [(c.outputs, c.execution_count) for c in code(notebook) if c.outputs] == []
    assert all(cell.execution_count is None for cell in code(notebook))
    assert sum(len(cell.source.splitlines()) for cell in code(notebook)) <= 50


@pytest.mark.parametrize("name", NAMES)
def test_defines_nothing(name):
    made = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    for cell in code(book(name)):
        assert not [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, made)]


@pytest.mark.parametrize("name", NAMES)
def test_runs_top_to_bottom_without_a_warning(name, executed):
    for cell in code(executed(name)):
        assert [o.text for o in cell.outputs if o.get("name") == "stderr"] == []
        assert cell.execution_count


def test_together_they_are_quick(executed):
    for name in NAMES:
        executed(name)
    assert sum(_spent.values()) < MOST_SECONDS


def test_the_planted_persona_is_the_first_verdict(executed):
    table = next(cell for cell in code(executed("04_verdicts")) if "kd.judge" in cell.source)
    first = shown(table).splitlines()[1]
    for feature in ("bdi_10", "wm-lh-posteriorcingulate", "wm-rh-inferiorparietal"):
        assert feature in table.outputs[0].data["text/html"]
    assert first.split()[1] == "1"


def test_the_cluster_changes_no_number(executed):
    same = next(cell for cell in code(executed("05_cluster")) if "equals" in cell.source)
    assert shown(same) == "True"


def test_objects_say_what_they_are_in_a_line(executed):
    told = [shown(cell) for name in NAMES for cell in code(executed(name))]
    for start in (
        "<Resampled: 100 splits",
        "<NullDistribution: 99 relabelled",
        "{'favourable': <Found: 20",
    ):
        assert [text for text in told if text.startswith(start)], start
    assert max(len(text) for text in told if text.startswith("<")) < 20_000
