"""Only the pipeline computes: other floors build tasks or lazy data, and call it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import dask
import numpy as np
import pytest

import ketadask as kd
from ketadask.search.persona_search import PersonaSearch
from tests.inference.test_notebook import search_matrix

PACKAGE = Path(kd.__file__).parent
TRIGGERS = {"compute", "persist"}
EXECUTORS = {"cluster/dask_executor.py", "cluster/in_process.py"}
"""Executors on a scheduler: `Client.compute` is how they are asked by the pipeline."""


def triggers(source):
    """Return the lines of a module that would compute lazy data or tasks themselves."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dask"):
            lines += [node.lineno for alias in node.names if alias.name in TRIGGERS]
        if isinstance(node, ast.Attribute) and node.attr in TRIGGERS:
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from dask.base import compute", [1]),
        ("import dask\ndask.compute(task)", [2]),
        ("volumes = volumes.persist()", [1]),
        ("run = volumes.compute", [1]),
        ("from ketadask.pipeline.executor import collect\ncollect(tasks, executor)", []),
    ],
)
def test_triggers_are_recognised(source, expected):
    assert triggers(source) == expected


def test_no_other_floor_computes():
    offenders = {}
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith("pipeline/") and name not in EXECUTORS:
            lines = triggers(path.read_text())
            offenders |= {name: lines} if lines else {}
    assert offenders == {}


def called_from_pipeline():
    frame = sys._getframe()
    while frame is not None:
        if Path(frame.f_code.co_filename).parent == PACKAGE / "pipeline":
            return True
        frame = frame.f_back
    return False


def test_in_a_notebook_the_scheduler_is_called_by_the_pipeline_only(tmp_path):
    calls = []

    def scheduler(graph, keys, **options):
        if not called_from_pipeline():
            raise AssertionError("computed outside of the pipeline")
        calls.append(len(keys))
        return dask.get(graph, keys, **options)

    matrix, search = search_matrix(), PersonaSearch(1, cuts=3, keep=10)
    volumes = kd.open_volumes(kd.simulate_study(tmp_path / "study", participants=12)
                              / "derivatives" / "freesurfer")  # fmt: skip
    with dask.config.set(scheduler=scheduler):
        with pytest.raises(AssertionError, match="outside of the pipeline"):
            dask.delayed(abs)(-1).compute()
        hits = search.run(matrix, kd.HoldoutSplit(4, seed=7), store=tmp_path)
        null = kd.null(search, matrix, relabellings=19, store=tmp_path)
        assert len(kd.judge(hits, null))
        settings = {"participants": 40, "features": 3, "literals": 1}
        assert len(kd.power(PersonaSearch(1, cuts=2), simulations=5, **settings))
        scales = kd.read_phenotype(tmp_path / "study", ["madrs"])
        cohort = kd.assemble(scales, volumes, outcome="madrs", day=7)
        assert np.isfinite(cohort.dataset["value"].to_numpy()).any()
    assert len(calls) >= 5
