"""The notebooks run top to bottom, define nothing, and are kept without outputs."""

import ast
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NAMES = [
    *("01_load", "02_features", "03_search", "04_verdicts", "05_cluster"),
    *("06_own_table", "07_negative_result"),
]
MAX_SECONDS = 240
pytestmark = pytest.mark.slow


def read_notebook(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def output_text(cell):
    return "\n".join(str(output.get("data", {}).get("text/plain", "")) for output in cell.outputs)


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory):
    """Execute every notebook once in an empty folder; return them by name, and the seconds."""
    start, by_name = time.monotonic(), {}
    for name in NAMES:
        folder = tmp_path_factory.mktemp(name)
        client = NotebookClient(
            read_notebook(name),
            timeout=120,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
        )
        by_name[name] = client.execute()
        assert list(folder.iterdir()) == []
    return by_name, time.monotonic() - start


def test_the_folder_has_these_notebooks():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_are_small_and_committed_without_outputs(name):
    notebook = read_notebook(name)
    nbformat.validate(notebook)
    assert notebook.cells[0].cell_type == "markdown"
    for cell in code_cells(notebook):
        assert (cell.outputs, cell.execution_count) == ([], None)
    assert sum(len(cell.source.splitlines()) for cell in code_cells(notebook)) <= 50


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_define_nothing(name):
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    for cell in code_cells(read_notebook(name)):
        nodes = ast.walk(ast.parse(cell.source))
        assert not [node for node in nodes if isinstance(node, definitions)]


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_run_without_a_warning(name, notebooks):
    for cell in code_cells(notebooks[0][name]):
        assert [o.text for o in cell.outputs if o.get("name") == "stderr"] == []
        assert cell.execution_count


def test_together_they_are_quick(notebooks):
    assert notebooks[1] < MAX_SECONDS


def test_the_planted_persona_is_the_first_verdict(notebooks):
    cells = code_cells(notebooks[0]["04_verdicts"])
    cell = next(cell for cell in cells if "kd.judge" in cell.source)
    for feature in ("bdi_10", "wm-lh-posteriorcingulate", "wm-rh-inferiorparietal"):
        assert feature in cell.outputs[0].data["text/html"]
    assert output_text(cell).splitlines()[1].split()[1] == "1"


def test_the_cluster_changes_no_number(notebooks):
    cells = code_cells(notebooks[0]["05_cluster"])
    assert output_text(next(cell for cell in cells if "equals" in cell.source)) == "True"


def test_objects_describe_themselves_in_a_line(notebooks):
    texts = [output_text(cell) for book in notebooks[0].values() for cell in code_cells(book)]
    for start in (
        "<ResamplingResult: 100",
        "<NullDistribution: 99",
        "{'favourable': <SearchResult",
    ):
        assert [text for text in texts if text.startswith(start)], start
    assert max(len(text) for text in texts if text.startswith("<")) < 20_000


@pytest.mark.parametrize("name", NAMES)
def test_each_draws_figures_and_each_figure_is_shown(name, notebooks):
    cells = code_cells(notebooks[0][name])
    kinds = [{kind for o in cell.outputs for kind in o.get("data", {})} for cell in cells]
    plots = [kinds[k] for k, cell in enumerate(cells) if "kd.plot." in cell.source]
    assert all("image/png" in kind for kind in plots)
    cards = [o for cell in cells for o in cell.outputs if "<svg" in str(o.get("data"))]
    assert plots or cards


def test_the_persona_of_the_own_table_is_supported_and_no_other_study_claims_one(notebooks):
    own, negative = (
        str(
            next(
                output["data"]["text/html"]
                for cell in code_cells(notebooks[0][name])
                for output in cell.outputs
                if "<Discovery: " in str(output.get("data"))
            )
        )
        for name in ("06_own_table", "07_negative_result")
    )
    assert "1. crp &gt; 3" in own
    assert "smoker = yes" in own
    assert "0 supported, 0 suggestive" in negative
