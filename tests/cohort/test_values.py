"""Facts about a cohort travel as values, not as JSON text in the attributes of a dataset."""

import ast
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

import ketadask
from ketadask.schema.cohort import Cohort
from ketadask.schema.tables import COURSES, EXCLUSIONS
from ketadask.store.datasets import from_dataset, read_dataset, to_dataset, write_dataset
from tests.cohort.cohorts import crossover_cohort

PACKAGE = Path(ketadask.__file__).parent
SOURCES = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "store" / "datasets.py"]


@pytest.mark.parametrize("empty", [False, True])
def test_a_cohort_comes_back_from_the_disk_as_it_was(tmp_path, empty):
    cohort = Cohort(crossover_cohort(3))
    if not empty:
        courses = pd.DataFrame(
            [("s000", 1, "active", 0, 30.0), ("s000", 1, "active", 7, 12.5)],
            columns=list(COURSES.columns),
        )
        exclusions = pd.DataFrame([("s9", 0, "withdrew")], columns=list(EXCLUSIONS.columns))
        finding = {"file": "a.tsv", "where": "row 3", "problem": "not a number", "value": "x"}
        flow = {"assessed": 4, "excluded": [{"reason": "withdrew", "participants": 1}]}
        cohort = Cohort(
            cohort.dataset, exclusions, flow, [finding], {"sex": "constant"}, courses=courses
        )
    write_dataset(tmp_path / "cohort.zarr", to_dataset(cohort))
    again = from_dataset(read_dataset(tmp_path / "cohort.zarr"))
    xr.testing.assert_equal(again.dataset, cohort.dataset)
    assert again.dataset.attrs == cohort.dataset.attrs
    assert list(again.findings) == list(cohort.findings)
    assert (again.flow, again.dropped) == (cohort.flow, cohort.dropped)
    pd.testing.assert_frame_equal(again.exclusions, cohort.exclusions)
    pd.testing.assert_frame_equal(again.courses, cohort.courses, check_dtype=not empty)


def test_a_cohort_introduces_itself():
    cohort = Cohort(crossover_cohort(3), dropped={"sex": "constant"})
    words = "Cohort: 6 cases of 3 participants, 4 features; 0 exclusions, 1 features dropped"
    assert words in repr(cohort)


def json_in_attrs(source):
    """Return the lines of statements with attributes of a dataset and JSON text in them."""
    simple = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return)
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, simple)
        and "attrs" in (text := ast.unparse(node))
        and ("json.loads" in text or "json.dumps" in text)
    ]


def test_the_search_for_json_in_attributes_finds_it():
    assert json_in_attrs("x = json.loads(cohort.attrs['findings'])") == [1]
    assert json_in_attrs("tree.attrs.update(failures=json.dumps(rows))") == [1]
    assert json_in_attrs("x = Dataset(attrs={'a': json.dumps(b)})") == [1]
    assert json_in_attrs("x = json.loads(text)\ny.attrs['day'] = 7") == []


def test_no_file_hides_json_in_attributes():
    lines = {path.name: json_in_attrs(path.read_text()) for path in SOURCES}
    assert {name: line for name, line in lines.items() if line} == {}
