"""Hits and null maxima as Dask collections: lazy, composable, resumable, and judged as they are."""

from __future__ import annotations

import re
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest

import ketadask as kd
from ketadask.inference.graph import hits_summary
from ketadask.inference.hit_summary import stability_frame
from ketadask.pipeline.executor import CurrentScheduler, collect
from ketadask.pipeline.shared_folder import require_shared
from ketadask.schema.errors import InputError
from ketadask.search.persona_search import PersonaSearch
from tests.inference.test_notebook import search_matrix

MATRIX, SEARCH = search_matrix(), PersonaSearch(2, cuts=3, keep=10)
SPLITS = kd.HoldoutSplit(12, seed=7)


def refuse(graph, keys, **options):
    raise AssertionError("something was computed")


@pytest.fixture(scope="module", autouse=True)
def in_this_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def eager(tmp_path_factory):
    """Return the results of the eager calls."""
    store = tmp_path_factory.mktemp("eager")
    hits = SEARCH.run(MATRIX, SPLITS, store=store, block=5)
    return hits, kd.null(SEARCH, MATRIX, relabellings=39, store=store)


def sorted_hits(hits):
    """Return computed hits in the order of a study."""
    return hits.sort_values(["split", "polarity", "rank"], kind="stable", ignore_index=True)


def test_nothing_is_computed_before_it_is_asked_for(tmp_path):
    folder = kd.simulate_study(tmp_path / "study", participants=3, meg_seconds=6)
    with dask.config.set(scheduler=refuse):
        recordings = kd.open_recordings(folder)
        lazy = [
            kd.meg_features(recordings),
            kd.band_power(recordings * 2),
            kd.open_volumes(folder / "derivatives" / "freesurfer"),
            SEARCH.hits(MATRIX, SPLITS),
            SEARCH.hits(MATRIX, SPLITS, store=tmp_path).groupby("polarity")["d_holdout"].mean(),
            kd.lazy_null(SEARCH, MATRIX, 39)["t"].max(),
            kd.lazy_null(SEARCH, MATRIX, 39, store=tmp_path),
        ]
        for collection in lazy:
            assert dask.is_dask_collection(collection)
            with pytest.raises(AssertionError, match="something was computed"):
                collection.compute()
        with pytest.raises(AssertionError, match="something was computed"):
            kd.judge(SEARCH.hits(MATRIX, SPLITS), kd.lazy_null(SEARCH, MATRIX, 39))


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_lazy_tables_are_those_of_the_study(eager, scheduler):
    hits, null = SEARCH.hits(MATRIX, SPLITS, block=5), kd.lazy_null(SEARCH, MATRIX, 39)
    assert (hits.npartitions, null.npartitions) == (3, 2)
    with dask.config.set(scheduler=scheduler):
        table, maxima = dask.compute(hits, null)
        verdicts = kd.judge(hits, null)
    assert table.dtypes.equals(hits.dtypes)
    pd.testing.assert_frame_equal(
        sorted_hits(table), eager[0].hits, check_exact=True, check_dtype=False
    )
    pd.testing.assert_frame_equal(maxima.reset_index(drop=True), eager[1].maxima, check_exact=True)
    expected = kd.judge(*eager)
    pd.testing.assert_frame_equal(verdicts, expected, check_exact=True)


def test_lazy_and_eager_may_be_mixed(eager):
    hits, null = SEARCH.hits(MATRIX, SPLITS, block=7), kd.lazy_null(SEARCH, MATRIX, 39)
    expected = kd.judge(*eager)
    for pair in ((hits, eager[1]), (eager[0], null)):
        pd.testing.assert_frame_equal(kd.judge(*pair), expected, check_exact=True)


def test_hits_reduced_with_plain_dask_are_the_stability_table(eager):
    """Which features the hits of a split use, counted by a user, and by the study."""
    hits = SEARCH.hits(MATRIX, SPLITS, block=5)
    problem = eager[0].problem
    features = np.array(problem.literals.feature_names)[problem.literals.feature]
    passing = hits[hits["heterogeneity_train"]]
    columns = ["split", "polarity"]
    literals = passing.melt(columns, [f"literal_{k}" for k in range(1, 5)], value_name="literal")
    literals = literals[literals["literal"] >= 0]
    literals["feature"] = literals["literal"].map(dict(enumerate(features)), meta=("f", "str"))
    pairs = literals[["split", "polarity", "feature"]].drop_duplicates()
    counts = pairs.groupby(["polarity", "feature"]).size().compute()
    stored = eager[0]
    ranges = stored.parts.ranges(12)
    task = hits_summary(problem, stored.splitter, stored.parts, ranges, gate="heterogeneity", n=12)
    (summary,) = collect([task], CurrentScheduler())
    table = stability_frame(summary.selection, problem.literals.feature_names)
    selected = table[table["selected"] > 0].set_index(["polarity", "feature"])["selected"]
    assert len(counts) > 2
    assert counts.astype(int).sort_index().to_dict() == selected.sort_index().to_dict()


def test_the_same_call_continues_and_shares_its_parts_with_a_run(tmp_path, eager):
    hits = SEARCH.hits(MATRIX, SPLITS, store=tmp_path, block=5)
    hits.partitions[1].compute()
    (receipt,) = tmp_path.glob("hits/*/*.json")
    assert receipt.name == "000005-000009.json"
    written = receipt.stat().st_mtime_ns
    again = SEARCH.hits(MATRIX, SPLITS, store=tmp_path, block=4)
    assert again.npartitions == 4, "0-3, 4, 5-9 from the store, 10-11"
    table = sorted_hits(again.compute())
    pd.testing.assert_frame_equal(table, eager[0].hits, check_exact=True, check_dtype=False)
    with dask.config.set(scheduler=refuse):
        result = SEARCH.run(MATRIX, SPLITS, store=tmp_path)
    assert receipt.stat().st_mtime_ns == written
    pd.testing.assert_frame_equal(result.hits, eager[0].hits, check_exact=True)
    fewer = SEARCH.hits(MATRIX, kd.HoldoutSplit(7, seed=7), store=tmp_path)
    assert sorted(fewer["split"].unique().compute()) == list(range(7))
    null = kd.lazy_null(SEARCH, MATRIX, 20, store=tmp_path)
    assert len(null.compute()) == 20
    assert len(kd.lazy_null(SEARCH, MATRIX, 39, store=tmp_path).compute()) == 39
    pd.testing.assert_frame_equal(
        kd.null(SEARCH, MATRIX, relabellings=39, store=tmp_path).maxima, eager[1].maxima
    )


def test_a_derived_table_is_refused_and_a_persisted_one_is_taken(eager):
    hits = SEARCH.hits(MATRIX, SPLITS)
    with pytest.raises(InputError, match="does not say which search it comes from"):
        kd.judge(hits[hits["rank"] == 1], eager[1])
    with pytest.raises(InputError, match="as hits and lazy_null return them"):
        kd.judge(kd.lazy_null(SEARCH, MATRIX, 39), hits)
    (kept,) = dask.persist(hits)
    pd.testing.assert_frame_equal(kd.judge(kept, eager[1]), kd.judge(*eager), check_exact=True)


def test_a_relative_store_is_that_of_the_driver(tmp_path, monkeypatch, eager):
    """Workers may stand in another folder than the notebook."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def elsewhere(graph, keys, **options):
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path / "there")
            return dask.get(graph, keys, **options)

    with dask.config.set(scheduler=elsewhere):
        result = SEARCH.run(MATRIX, SPLITS, store="runs")
        null = kd.null(SEARCH, MATRIX, relabellings=39, store="runs")
        SEARCH.hits(MATRIX, SPLITS, store="lazy").compute()
        verdicts = kd.judge(result, null)
    assert list((tmp_path / "there").iterdir()) == []
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["lazy", "runs"]
    pd.testing.assert_frame_equal(verdicts, kd.judge(*eager), check_exact=True)


def test_workers_that_do_not_see_the_store_are_known_before_anything_runs(tmp_path):
    """The scheduler runs tasks where the store's disk is not mounted."""
    n_searches = []

    def on_another_disk(graph, keys, **options):
        n_searches.append(sum(str(key).startswith("search-") for key in graph))
        store.rename(tmp_path / "not mounted")
        try:
            return dask.get(graph, keys, **options)
        finally:
            (tmp_path / "not mounted").rename(store)

    store = tmp_path / "runs"
    store.mkdir()
    with dask.config.set(scheduler=on_another_disk):
        message = r"store: a worker on \S+ cannot see the folder of the results; name a folder"
        with pytest.raises(InputError, match=message):
            SEARCH.run(MATRIX, SPLITS, store=store)
        with pytest.raises(InputError, match=message):
            kd.null(SEARCH, MATRIX, relabellings=39, store=store)
        assert n_searches == [0, 0]
        with pytest.raises(InputError, match=message):
            SEARCH.hits(MATRIX, SPLITS, store=store).compute()
        with pytest.raises(InputError, match=message):
            kd.lazy_null(SEARCH, MATRIX, 39, store=store).compute()
    assert not list(store.rglob(".probe*"))
    require_shared(store, CurrentScheduler())


def test_the_example_of_the_documentation_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).parents[2] / "docs" / "collections.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    assert set(names["confirmed"].index) <= {"favourable", "unfavourable"}
    assert names["largest"] > 0
    assert names["verdicts"]["p_adjusted"].between(0, 1).all()
