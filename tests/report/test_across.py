"""The section on several trials: numbers as the tables hold them, figures, and no such section."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ketadask import names as nm
from ketadask.inference.trial_effects import left_out_summary, summaries
from ketadask.report.page import render
from ketadask.report.trials import across_view
from ketadask.schema.tables import LEFT_OUT, TRIALS
from tests.report.made_findings import make_findings
from tests.report.test_numbers import printed, section


def make_trials(verdicts, trials=8, seed=3):
    """Tables of trials: the first persona holds in one, the second in all, the rest in none."""
    rng = np.random.default_rng(seed)
    rows = []
    for row in verdicts.to_dict("records"):
        true = {2: np.full(trials, 6.0), 1: np.r_[12.0, np.zeros(trials - 1)]}
        effect = rng.normal(true.get(row["rank"], np.zeros(trials)), 1.0)
        sign = -1 if row["polarity"] == nm.UNFAVOURABLE else 1
        se = rng.uniform(0.7, 2.0, trials)
        if row["rank"] == 3:
            effect[-1] = se[-1] = np.nan
        rows += [
            {
                "rank": row["rank"],
                "persona": row["persona"],
                "polarity": row["polarity"],
                "trial": f"trial-{k + 1}",
                "n": 60,
                "inside": 20 + k,
                "effect": sign * effect[k],
                "se": se[k],
                "low": sign * effect[k] - 2.01 * se[k],
                "high": sign * effect[k] + 2.01 * se[k],
                "clear": bool(effect[k] > 3 * se[k]),
                "weight": 1 / trials,
                "found_rank": int(row["rank"] == 2) * (k + 1),
            }
            for k in range(trials)
        ]
    table = TRIALS.check(pd.DataFrame(rows))
    first = pd.DataFrame(
        [
            {
                "trial": f"trial-{k + 1}",
                "polarity": polarity,
                "text": "age <= 30 and <i>x</i> > 3",
                "n": 60,
                "inside": 21,
                "effect": 5.0 + 0.1 * k,
                "se": 1.5,
                "low": 2.0,
                "high": 8.0 + 0.1 * k,
                "confirmed": k != 2,
            }
            for polarity in nm.POLARITIES
            for k in range(trials)
        ]
    )
    tables = {"trials": table, "summaries": summaries(table), "left_out": LEFT_OUT.check(first)}
    return tables, {"count": trials, "left_out": left_out_summary(first)}


def several(trials=8, best=nm.SUPPORTED):
    made = make_findings(best)
    tables, numbers = make_trials(made.verdicts, trials)
    return replace(made, trials=tables, summary={**made.summary, "trials": numbers})


@pytest.fixture(scope="module")
def whole():
    made = several()
    return made, render(made)


@pytest.fixture(scope="module")
def across(whole):
    return whole[0], section(whole[1], "across")


def test_a_study_of_one_trial_has_no_such_section(page):
    assert 'id="across"' not in page
    assert "Across trials" not in page


def test_every_number_is_one_of_the_tables(across):
    made, html = across
    own = {8.0, 10.0, 60.0}
    for table in made.trials.values():
        own |= set(table.select_dtypes("number").to_numpy(float).ravel())
    for told in made.summary["trials"]["left_out"].values():
        own |= {float(v) for v in told.values()}
    shown = printed(html)
    assert len(shown) > 100
    assert [pair for pair in shown if pair[0] not in own] == []


def test_forest_plots_say_each_trial_the_mean_and_a_further_trial(across):
    made, html = across
    labels = re.findall(r'aria-label="(Persona [^"]*)"', html)
    assert len(labels) == 2 * 3  # wide and narrow, three personas at least
    for k in range(1, 9):
        assert f"trial-{k} " in labels[0]
    assert "; mean " in labels[0]
    assert "; a further trial " in labels[0]
    titles = re.findall(r"<title>([^<]*)</title>", html)
    squares = [t for t in titles if t.startswith("trial-1: ")]
    assert len(squares) == 6
    assert "not found without this trial" in squares[0]
    assert ", found without this trial" in squares[2]
    assert [t for t in titles if t.startswith("mean of 8 trials")]
    assert [t for t in titles if t.startswith("expected in a further trial")]
    assert "too few to tell" in html
    told = made.trials["summaries"].iloc[0]
    assert f"{told['effect']:.1f}" in labels[0]


def test_it_says_where_a_persona_holds(across):
    _, html = across
    text = re.sub(r"<[^>]+>", "", html)
    assert "Holds in all trials" in text
    assert "Holds in a single trial only: trial-1" in text


def test_first_page_and_verdicts_name_a_persona_of_a_single_trial(whole):
    claims = re.sub(r"<[^>]+>", "", section(whole[1], "claims"))
    assert "It holds in a single trial only: trial-1." in claims
    assert "holds in a single trial only, trial-1." in claims
    assert "matters in other trials: trial-1 alone shows it." in claims
    assert "in a single trial only: trial-1" in section(whole[1], "verdicts")


def test_noise_that_agrees_in_all_trials_is_not_said_to_hold():
    made = several(best=nm.SUPPORTED)
    words = made.verdicts["verdict"].mask(made.verdicts["rank"] == 2, nm.NOISE)
    html = render(replace(made, verdicts=made.verdicts.assign(verdict=words)))
    text = re.sub(r"<[^>]+>", "", section(html, "across"))
    assert made.trials["summaries"].iloc[1]["where"] == "in all trials"
    assert "in all trials" not in text.lower()
    assert "no claim" in text
    assert "nothing is said to hold, however well the trials agree" in text


@pytest.mark.parametrize(("low", "shown"), [(2.0, True), (-0.4, False)])
def test_first_page_tells_what_is_found_without_a_trial(low, shown):
    made = several()
    first = str(made.verdicts.iloc[0]["polarity"])
    numbers = made.summary["trials"]
    sign = -1.0 if first == nm.UNFAVOURABLE else 1.0
    low, high = sorted((sign * low, sign * 9.0))
    told = numbers["left_out"] | {first: numbers["left_out"][first] | {"low": low, "high": high}}
    made = replace(made, summary={**made.summary, "trials": numbers | {"left_out": told}})
    text = re.sub(r"<[^>]+>", "", section(render(made), "claims"))
    assert "on average over 8 trials that had no say" in text
    assert ("holds in a trial the search has not seen" in text) != shown


def test_two_trials_have_no_prediction():
    view = across_view(several(trials=2))
    for row in view["shown"]:
        assert "needs three trials" in row["figure"].wide
        assert "a further trial −" not in row["figure"].alt


def test_texts_of_findings_are_escaped(across):
    assert "&lt;i&gt;x&lt;/i&gt;" in across[1]
    assert "<i>x</i>" not in across[1]


def test_downloads_hold_the_tables(across):
    names = re.findall(r'download="([^"]*)"', across[1])
    assert names == ["trials.csv", "summaries.csv", "left_out.csv"]


def test_the_same_findings_give_the_same_figures():
    one, two = (across_view(several(trials=3))["shown"][0]["figure"] for _ in range(2))
    assert one == two


@pytest.mark.parametrize(("known", "said"), [(0, None), (1, "1 trial left out"), (2, "2 trials")])
def test_a_mean_over_no_trial_is_not_told(known, said):
    made = several(trials=3)
    table = made.trials["left_out"].copy()
    table.loc[table.groupby("polarity").cumcount() >= known, ["effect", "se", "low", "high"]] = None
    told = {"trials": {"count": 3, "left_out": left_out_summary(table)}}
    tables = {**made.trials, "left_out": table}
    page = render(replace(made, trials=tables, summary={**made.summary, **told}))
    text = re.sub(r"<[^>]+>", "", section(page, "across"))
    assert ("on average over" in text) == bool(known)
    assert said is None or f"on average over {said}" in text
    assert text.count("too few to tell") >= 2 * (3 - known)
