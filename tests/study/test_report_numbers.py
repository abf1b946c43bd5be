"""The report of a real run prints the numbers of its files, and no others in their place."""

import io
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from rich.console import Console
from scipy import stats

from ketadask import names as nm
from ketadask.cluster.profile import Profile
from ketadask.cohort.designs import TrialArrays
from ketadask.pipeline.progress import Progress
from ketadask.report.format import flatten, is_number
from ketadask.study.study import Study
from ketadask.study.summary import _carry_over

STUDY = """
name: small
data: {simulate: {participants: 24, seed: 7}}
features: {modalities: [demographic, scale], include: [age, bmi, "bdi_1*"]}
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
    told = [float(value) for _, value in flatten(summary) if is_number(value)]
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
    methods = section(folder, "methods")
    assert summary["carry_over"]["p"] in printed(methods)
    for told in summary["selection"].values():
        bound = told["features_per_split"] ** 2 / (0.8 * summary["features"])
        assert told["false_selections"]["meinshausen_buhlmann"] == pytest.approx(bound)


@pytest.mark.parametrize("trials", [1, 2])
def test_carry_over_of_cases_is_that_of_their_participants(trials):
    """Cases of those seen once say nothing of it; few of one sequence cannot be compared."""
    rng = np.random.default_rng(3)
    who = np.repeat(np.arange(12), 2)[:-1]
    first = who % 2 == 0
    active = first == (np.arange(23) % 2 == 0)
    value = rng.normal(size=23)
    outcome = np.where(active[:, None] == [True, False], value[:, None], np.nan)
    same = np.zeros(23, dtype=np.int64)
    name = np.where(who < 9, "a", "b") if trials == 2 else np.full(23, "a")
    trial = TrialArrays("pooled", outcome, who, same, same, same + 1, first, same, value)
    told = _carry_over(trial, name)["carry_over"]
    total = np.bincount(who, value)[:9] if trials == 2 else np.bincount(who, value)[:11]
    test = stats.ttest_ind(total[::2], total[1::2], equal_var=False)
    assert (told["a"] if trials == 2 else told)["p"] == pytest.approx(test.pvalue)
    assert "b" not in told
    assert _carry_over(replace(trial, active_first=same == 0), name) == {}


def test_every_row_of_the_verdicts_is_printed_exactly(folder):
    table = pd.read_parquet(folder / "verdicts.parquet").sort_values("rank")
    rows = section(folder, "verdicts").split("<tbody")[1].split("<tr role")[1:]
    columns = ["rank", "p_adjusted", "recurrence", "recurrence_low", "support", "prevalence"]
    assert len(rows) == len(table) > 1
    for html, row in zip(rows, table.to_dict("records"), strict=True):
        assert {float(row[c]) for c in columns} <= set(printed(html))


def test_every_card_is_that_of_its_row(folder):
    table = pd.read_parquet(folder / "verdicts.parquet").sort_values("rank")
    cards = section(folder, "personas").split("</article>")[:-1]
    columns = [
        "p_adjusted",
        "difference",
        "difference_low",
        "difference_high",
        "difference_shrunken",
        "support",
        "outside",
        "p_mean",
        "p_mean_hits",
        "d_mean",
        "d_mean_hits",
        "d_full",
    ]
    columns += [
        "g_full",
        "p_full",
        "recurrence",
        "confirmed_rate",
        "benefit_inside",
        "benefit_outside",
        "published_favourable",
        "published_unfavourable",
    ]
    columns += [f"prevalence_{side}" for side in nm.SIDES] + [
        f"support_{side}_mean" for side in nm.SIDES
    ]
    columns += [f"{arm}_{end}" for arm in nm.ARMS for end in ("mean", "low", "high")]
    assert cards
    for html, row in zip(cards, table.to_dict("records"), strict=False):
        assert {float(row[c]) for c in columns if pd.notna(row[c])} <= set(printed(html))


def test_no_number_of_the_whole_report_is_of_its_own_making(folder):
    own = set()
    for path in folder.glob("*.json"):
        told = json.loads(path.read_text())
        for _, value in flatten(told if isinstance(told, dict) else {"": told}):
            each = value if isinstance(value, list) else [value]
            own.update(float(v) for v in each if is_number(v))
    for path in folder.glob("*.parquet"):
        own.update(map(float, pd.read_parquet(path).select_dtypes("number").to_numpy().ravel()))
    cohort = xr.open_zarr(folder / "cohort.zarr")
    features = cohort["value"].values
    own |= set(np.nanmin(features, axis=0)) | set(np.nanmax(features, axis=0))
    own |= {float(np.isnan(features[:, cohort["modality"].values == name]).mean())
            for name in set(cohort["modality"].values)}  # fmt: skip
    html = (folder / "report.html").read_text()
    names = set(re.findall(r'<section id="([a-z]+)"', html))
    names -= {"courses", "baseline"}  # means of scales and features, see tests/report
    assert len(names) > 12
    for name in names:
        assert [value for value in printed(section(folder, name)) if value not in own] == [], name
