"""The report of a real run prints the numbers of its files, and no others in their place."""

import io
import json
import re
from dataclasses import replace

import pandas as pd
import pytest
import xarray as xr
from rich.console import Console
from scipy import stats

from ketadask.cluster import Profile
from ketadask.report.numerals import flattened, is_number
from ketadask.study import Study
from ketadask.study.progress import Progress

STUDY = """
name: small
data: {simulate: {participants: 24, seed: 7}}
features: {families: [demographic, scale], include: [age, bmi, "bdi_1*"]}
search: {max_literals: 2, keep: 20}
splits: {count: 8}
null: {relabellings: 19}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("numbers")
    (place / "study.yaml").write_text(STUDY)
    quiet = Progress(Console(file=io.StringIO()))
    made = Study.read(place / "study.yaml", out=place / "runs", progress=quiet)
    return replace(made, profile=Profile(kind="synchronous")).run().folder


def section(folder, name):
    html = (folder / "report.html").read_text()
    start = html.index(f'<section id="{name}"')
    return html[start : html.index("</section>", start)]


def printed(html):
    return [float(value) for value in re.findall(r'<data value="([^"]*)">', html)]


def test_every_number_of_the_summary_is_printed_exactly(folder):
    summary = json.loads((folder / "summary.json").read_text())
    told = [float(value) for _, value in flattened(summary) if is_number(value)]
    assert len(told) > 30
    assert printed(section(folder, "numbers")) == told


def test_carry_over_and_false_selections_are_reported(folder):
    summary = json.loads((folder / "summary.json").read_text())
    cohort = xr.open_zarr(folder / "cohort.zarr")
    names = ["participant", "sequence", "improvement"]
    cases = pd.DataFrame({name: cohort[name].values for name in names})
    both = cases.groupby("participant").filter(lambda rows: len(rows) == 2)
    total = both.groupby(["sequence", "participant"])["improvement"].sum()
    test = stats.ttest_ind(total["active-control"], total["control-active"], equal_var=False)
    assert summary["carry_over"]["p"] == pytest.approx(test.pvalue)
    for told in summary["selection"].values():
        bound = told["features_per_split"] ** 2 / (0.8 * summary["features"])
        assert told["false_selections"]["meinshausen_buhlmann"] == pytest.approx(bound)


def test_every_row_of_the_verdicts_is_printed_exactly(folder):
    table = pd.read_parquet(folder / "verdicts.parquet").sort_values("rank")
    rows = section(folder, "verdicts").split("<tbody")[1].split("<tr role")[1:]
    columns = ["rank", "p_adjusted", "recurrence", "recurrence_low", "support", "share"]
    assert len(rows) == len(table) > 1
    for html, row in zip(rows, table.to_dict("records"), strict=True):
        assert {float(row[c]) for c in columns} <= set(printed(html))


def test_the_card_of_the_best_is_that_of_the_verdicts(folder):
    best = pd.read_parquet(folder / "verdicts.parquet").sort_values("rank").iloc[0]
    card = section(folder, "personas").split("</article>")[0]
    columns = ["p_adjusted", "p_mean", "d_mean", "d_full", "g_full", "active_mean", "control_mean"]
    assert {float(best[c]) for c in columns} <= set(printed(card))
