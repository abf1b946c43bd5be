"""Terminal output: verdicts within 80 columns, status until all stages are complete."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pandas as pd
import pytest
from rich.console import Console

from ketadask import names as nm
from ketadask.cli import checks, tables
from ketadask.cli.power import print_power_preview
from ketadask.cluster.queue_checks import SystemCheck
from ketadask.inference.trial_effects import IN_ALL
from ketadask.study.status import StageStatus
from ketadask.study.study import RunSummary

FEATURES = "bdi_10 >= 1 and wm-lh-posteriorcingulate <= 4550 and wm-rh-inferiorparietal <= 11960"


def text_of(table, width=80):
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(table)
    return out.getvalue()


def verdicts(text):
    row = {"text": text, "polarity": nm.FAVOURABLE, "support": 35, "p_adjusted": 0.002}
    row |= {"recurrence": 0.7, "verdict": nm.NOISE, "unknown": 0, "difference": 12.6}
    row |= {"difference_low": -1.25, "difference_high": 26.5, "difference_shrunken": 6.1}
    return pd.DataFrame([row])


def test_verdicts_are_whole_at_80_columns():
    lines = text_of(tables.render_verdicts(verdicts(FEATURES))).splitlines()
    assert max(map(len, lines)) <= 80
    words = " ".join(lines).split()
    for word in ("wm-lh-posteriorcingulate", "wm-rh-inferiorparietal", "0.002", "70%", "more"):
        assert word in words
    assert "6.1" in words
    assert "-1.2 to 26.5" in " ".join(lines)
    assert words.count("noise") == 1


@pytest.mark.parametrize("width", [80, 200])
def test_lines_on_a_terminal_break_between_words(width):
    text = "verdicts      " + ", because the spread of benefit may differ" * 9
    for is_terminal in (True, False):
        out = Console(file=io.StringIO(), width=width, force_terminal=is_terminal)
        tables.print_line(out, text, indent=14)
        lines = out.file.getvalue().splitlines()
        assert [word for line in lines for word in line.split()] == text.split()
        assert max(map(len, lines)) <= width if is_terminal else len(lines) == 1
        assert all(line.startswith(" " * 14) for line in lines[1:])


def test_a_difference_without_interval_is_named_uncorrected():
    table = verdicts(FEATURES).assign(difference_shrunken=-0.0)
    assert "-0.0" not in text_of(tables.render_verdicts(table))
    table = verdicts(FEATURES).assign(difference_low=float("nan"))
    assert "0.25" in text_of(tables.render_verdicts(table.assign(difference_low=0.25), places=2))
    words = text_of(tables.render_verdicts(table)).split()
    assert "12.6" in words
    assert "uncorrected" in words


def test_units_with_a_missing_value_are_counted(capsys, tmp_path):
    tables.print_summary(RunSummary(tmp_path, (), verdicts(FEATURES).assign(unknown=4)))
    assert "up to 4 units are neither inside nor outside" in capsys.readouterr().out
    tables.print_summary(RunSummary(tmp_path, (), verdicts(FEATURES)))
    assert "neither" not in capsys.readouterr().out


def test_a_feature_named_like_markup_is_shown_as_it_is():
    assert "[red]x[/red] > 1" in text_of(tables.render_verdicts(verdicts("[red]x[/red] > 1")))


def test_noise_that_agrees_in_all_trials_holds_in_none(capsys, tmp_path):
    row = {"polarity": nm.FAVOURABLE, "effect": 4.0, "low": 2.0, "high": 6.0, "only_trial": ""}
    row |= {"prediction_low": 1.0, "prediction_high": 7.0, "n_rediscovered": 6, "n_trials": 8}
    summaries = pd.DataFrame([row | {"rank": rank, "consistency": IN_ALL} for rank in (1, 2)])
    noise = verdicts(FEATURES).assign(rank=2)
    good = verdicts(FEATURES).assign(rank=1, verdict=nm.SUPPORTED)
    tables.print_summary(RunSummary(tmp_path, (), pd.concat([good, noise]), trials=summaries))
    output = capsys.readouterr().out
    assert output.count(IN_ALL) == 1
    tables.print_summary(RunSummary(tmp_path, (), noise, trials=summaries))
    output = capsys.readouterr().out
    assert IN_ALL not in output
    assert "no persona supported" in output


def test_names_that_look_like_markup_are_shown_as_they_are(capsys):
    check = SystemCheck("disk", False, "/data/[old]/[/b] is full", "[red]")
    tables.print_system_checks([check])
    checks._print_list(tables.console(), "Excluded features", {"x[/red]": "never [bold]seen"})
    output = capsys.readouterr().out
    for word in ("/data/[old]/[/b] is full", "[red]", "x[/red]: never [bold]seen"):
        assert word in output


def test_a_cohort_without_both_answers_has_no_auc():
    one = {"n": 3.0, "n_response": 3.0, "bac": None, "auc": None}
    prediction = {"order": ["other"], "cohorts": {"other": one}, "p": None}
    row = text_of(tables.render_prediction(prediction)).splitlines()[-1]
    assert row.split() == ["other", "3", "3"]

    one |= {"auc": 0.584, "auc_low": 0.46, "auc_high": 0.69, "p_auc": 0.1121}
    table = tables.render_prediction(prediction)
    assert [column.header for column in table.columns][3:5] == ["AUC", "p (AUC)"]
    assert [next(iter(column.cells)) for column in table.columns][3:5] == [
        "0.58 (0.46 to 0.69)", "0.1121",
    ]  # fmt: skip


def test_following_ends_with_the_run(capsys):
    present = iter([3, 7, 10])
    read = lambda: [StageStatus("search", "splits", 10, next(present), 1)]  # noqa: E731
    assert tables.follow_status(read, lambda: None, seconds=0.0)
    assert "10 of 10 splits" in capsys.readouterr().out
    assert list(present) == []


def test_following_prints_how_an_incomplete_run_ended(capsys):
    ends = iter([None, "over", None, "head job 7 ended: FAILED", "head job 7 ended: FAILED"])
    read = lambda: [StageStatus("search", "splits", 10, 3, 1)]  # noqa: E731
    assert not tables.follow_status(read, lambda: next(ends), seconds=0.0)
    assert capsys.readouterr().out.rstrip().endswith("head job 7 ended: FAILED")


def test_a_check_of_a_large_table_simulates_nothing(capsys):
    settings = SimpleNamespace(design=SimpleNamespace(kind="parallel"))
    check = SimpleNamespace(units=120, modalities=pd.DataFrame({"features": [20_000]}))
    print_power_preview(SimpleNamespace(settings=settings), check)
    text = "Power: not simulated for 120 participants and 20,000 features; see `ketadask power`"
    assert capsys.readouterr().out.strip() == text
