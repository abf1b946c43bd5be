"""A study may end early where no word can change, and holds votes against relabelled studies."""

import json
import time

import pandas as pd
import pytest

from ketadask.inference.interim import HALF_WIDTH
from ketadask.search.persona_search import PersonaSearch
from ketadask.study.judge import CURVE, RECURRENCE
from ketadask.study.run import STOPS
from tests.study.test_study import RESULTS, results, said, study

NOISE = ["data.simulate.effect=0", "data.simulate.prognostic=0", "splits.count=12"]


@pytest.fixture
def early(monkeypatch):
    """Look after five and ten already, so that small studies have looks at all."""
    monkeypatch.setattr("ketadask.inference.interim.FIRST_INTERIM", 5)


def stopped(run):
    return json.loads((run / STOPS).read_text())


def test_relabellings_end_where_everything_is_noise_and_no_word_changes(tmp_path, early):
    asked = [*NOISE, "null.relabellings=60", "verdict.suggestive=0.1"]
    whole = study(tmp_path, *asked).run()
    settled = study(tmp_path, *asked, "null.stop=early", out="other")
    ending = settled.run()
    record = stopped(ending.folder)["relabellings"]
    assert record["planned"] == 60
    assert record["made"] in (10, 20, 40)
    assert "no verdict can change any more" in said(settled)
    assert stopped(whole.folder) == {}
    columns = ["persona", "polarity", "verdict", "family_size"]
    pd.testing.assert_frame_equal(ending.verdicts[columns], whole.verdicts[columns])
    summary = json.loads((ending.folder / "summary.json").read_text())
    assert summary["relabellings"] == record["made"]
    provenance = json.loads((ending.folder / "provenance.json").read_text())
    assert provenance["stopped"]["relabellings"] == record
    assert all(state.missing == 0 for state in settled.status())


@pytest.mark.parametrize("stop", ["never", "early"])
def test_all_units_are_searched_once_per_polarity(tmp_path, early, monkeypatch, stop):
    """Large cohorts take minutes for it: what stops a study and what is judged share the result."""
    solve, seen = PersonaSearch.solve, []

    def counted(self, problem, *, polarity="favourable", train=None, rows=None, **asked):
        if train is None and rows is None:
            seen.append(polarity)
            time.sleep(0.2)
        return solve(self, problem, polarity=polarity, train=train, rows=rows, **asked)

    monkeypatch.setattr(PersonaSearch, "solve", counted)
    asked = study(tmp_path, f"splits.stop={stop}", f"null.stop={stop}", "splits.count=12")
    asked.progress.every = 0.03
    asked.run()
    assert sorted(seen) == ["favourable", "unfavourable"]
    assert "search of all 40 units: favourable, 1 of 2, 0 s so far" in said(asked)
    assert "search of all 40 units: unfavourable, 2 of 2, 0 s so far" in said(asked)


def test_relabellings_go_on_where_something_may_be_supported(tmp_path, early):
    ending = study(tmp_path, "null.stop=early", "splits.count=6").run()
    assert stopped(ending.folder) == {}
    assert json.loads((ending.folder / "summary.json").read_text())["relabellings"] == 19


def test_splits_end_where_recurrence_is_known(tmp_path, early, monkeypatch):
    monkeypatch.setattr("ketadask.inference.interim.Convergence.is_precise", known_at(10))
    ending = study(tmp_path, "splits.stop=early").run()
    record = stopped(ending.folder)["splits"]
    assert (record["planned"], record["made"]) == (24, 10)
    assert set(ending.verdicts["recurrence"].dropna() * 10 % 1) == {0.0}
    plain = study(tmp_path, "splits.count=10", out="plain").run()
    names = [name for name in RESULTS if name != "summary.json"]
    assert {n: results(ending.folder)[n] for n in names} == {
        n: results(plain.folder)[n] for n in names
    }
    made = {each.name: (each.new, each.present, each.total) for each in ending.stages}
    assert made["search"] == (10, 0, 10)  # in two looks
    assert len(made) == len(ending.stages)
    again = study(tmp_path, "splits.stop=early")
    assert sum(each.new for each in again.run().stages) == 0
    judged = study(tmp_path, "splits.stop=early").judge()
    assert results(judged.folder) == results(ending.folder)
    monkeypatch.undo()
    more = study(tmp_path, "splits.stop=never").run()
    assert more.folder == ending.folder
    assert stopped(more.folder) == {}
    assert json.loads((more.folder / "summary.json").read_text())["splits"] == 24


def known_at(splits):
    return lambda self, half_width=HALF_WIDTH: self.splits >= splits


def test_blocks_do_not_change_where_it_stops(tmp_path, early, monkeypatch):
    monkeypatch.setattr("ketadask.inference.interim.Convergence.is_precise", known_at(10))
    changes = ["splits.stop=early", "null.calibration_studies=2", "null.calibration_splits=20"]
    first = study(tmp_path, *changes, "execution.block=1")
    one = first.run()
    other = study(tmp_path, *changes, "execution.block=7", out="other").run()
    assert results(one.folder) == results(other.folder)
    assert {s.stage: s.total for s in first.status()}["calibrate"] == 2
    assert all(state.missing == 0 for state in first.status())


def test_convergence_is_said_while_splits_run(tmp_path, early):
    shown = study(tmp_path, "execution.block=2")
    shown.run()
    lines = [line for line in said(shown).splitlines() if line.startswith("search: after")]
    assert [line.split()[2] for line in lines] == ["6", "10", "20"]
    assert "optional: " in lines[0]


def test_votes_are_held_against_relabelled_studies(tmp_path):
    changes = ["splits.count=8", "null.calibration_studies=3", "null.calibration_splits=5"]
    asked = study(tmp_path, *changes)
    ending = asked.run()
    curve = pd.read_parquet(ending.folder / CURVE)
    assert {"coverage", "accuracy", "null_mean", "null_low", "null_high"} <= set(curve)
    rates = pd.read_parquet(ending.folder / RECURRENCE)
    assert rates["p_calibrated"].isna().all()  # three studies give no p below alpha
    summary = json.loads((ending.folder / "summary.json").read_text())
    assert summary["recurrence"]["p"] is summary["explained"]["auc_p"] is None
    assert summary["explained"]["splits"] == summary["recurrence"]["splits"] == 5
    assert summary["recurrence"]["relabelled"] == 3
    page = (ending.folder / "report.html").read_text()
    assert "central 90 % of the relabelled trials" in page
    again = study(tmp_path, *changes, "execution.block=2", out="other").run()
    for name in (CURVE, RECURRENCE, "summary.json"):
        assert (again.folder / name).read_bytes() == (ending.folder / name).read_bytes()
    assert all(state.missing == 0 for state in asked.status())
    none = study(tmp_path, "splits.count=8", "null.calibration_studies=0").run()
    assert none.folder == ending.folder
    assert not (none.folder / CURVE).exists()
