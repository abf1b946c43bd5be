"""The section about MEG recordings: what was measured, what was left out, and nobody named."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ketadask.report.page import render
from ketadask.report.recordings import thinned, worst_first
from tests.report.test_numbers import printed, section
from tests.report.test_privacy import everything

FREQUENCY = np.arange(0.25, 120.25, 0.25)


def make_recordings(count=63, failures=1, seed=0):
    """Return quality, spectra and failures of a study; the last recording has much mains."""
    rng = np.random.default_rng(seed)
    names = [f"sub-KX{k:04d}_ses-p1d0_task-rest" for k in range(count)]
    line = rng.uniform(0.9, 1.4, count)
    line[-1:] = 31.7
    quality = pd.DataFrame(
        {
            "participant": [f"sub-KX{k:04d}" for k in range(count)],
            "session": "ses-p1d0",
            "recording": names,
            "seconds": 300.0,
            "clean_seconds": rng.integers(100, 150, count) * 2.0,
            "sensors": 273,
            "bad_sensors": rng.integers(0, 3, count),
            "bad": "",
            "bad_segments": 3,
            "called_bad": np.arange(count) % 3,
            "mains": 60.0,
            "line_ratio": line,
            "grade": 3,
            "heart_removed": np.arange(count) % 2,
            "pulse": np.where(np.arange(count) % 2, 62.5, np.nan),
            "flags": ["mains" if each > 10 else "" for each in line],
        }
    )
    if count:
        quality.loc[0, ["bad", "bad_sensors"]] = ["MLC11 (noisy), MRT<21> (flat)", 2]
    spectra = [
        pd.DataFrame(
            {
                "recording": name,
                "frequency": FREQUENCY,
                "density": 900 / FREQUENCY * rng.lognormal(0, 0.3)
                + ratio * 40 * (np.abs(FREQUENCY - 60) < 0.3),
            }
        )
        for name, ratio in zip(names, line, strict=True)
    ]
    broken = pd.DataFrame(
        {
            "participant": [f"sub-KX8{k:03d}" for k in range(failures)],
            "session": "ses-p1d0",
            "recording": [f"sub-KX8{k:03d}_ses-p1d0_task-rest" for k in range(failures)],
            "reason": [
                f"sub-KX8{k:03d}_ses-p1d0_task-rest_meg.fif: all sensors are flat; find another"
                for k in range(failures)
            ],
        }
    )
    return {
        "quality": quality,
        "spectra": pd.concat(spectra, ignore_index=True) if spectra else pd.DataFrame(),
        "failures": broken,
    }


@pytest.fixture(scope="module")
def told():
    return make_recordings()


@pytest.fixture(scope="module")
def html(findings, told):
    return section(render(replace(findings, recordings=told), identifiers=True), "recordings")


def test_every_recording_has_its_sheet_and_its_row(html, told):
    assert html.count('<article class="sheet"') == 63
    assert html.count('<path class="own"') == 63
    rows = html[html.index("<tbody>") : html.index("</tbody>")].split("<tr>")[1:]
    by_name = told["quality"].set_index("participant")
    for row in rows:
        mine = by_name.loc[re.search(r"(sub-KX\d+)_ses-p1d0<", row).group(1)]
        columns = ["clean_seconds", "seconds", "bad_sensors", "sensors", "line_ratio", "grade"]
        assert [value for value, _ in printed(row)] == mine[columns].astype(float).tolist()


def test_flagged_recordings_come_first(html, told):
    assert worst_first(told["quality"])["flags"].tolist()[:2] == ["mains", ""]
    first = html[html.index('<article class="sheet"') :].partition("</article>")[0]
    assert "sub-KX0062" in first
    assert '<strong class="flag">mains</strong>' in first
    assert "31.7" in first


def test_of_recordings_without_a_flag_the_shortest_and_then_the_noisiest_come_first():
    rows = [("a", "", 90, 1.0), ("b", "", 50, 1.0), ("c", "", 50, 3.0), ("d", "mains", 99, 20.0)]
    table = pd.DataFrame(rows, columns=["recording", "flags", "clean_seconds", "line_ratio"])
    assert worst_first(table.assign(seconds=100.0))["recording"].tolist() == ["d", "c", "b", "a"]


def test_a_sheet_says_where_the_heart_was_taken_off(html):
    assert html.count("Heart taken off, ") == 31
    assert html.count('<data value="62.5">62.5</data> beats per minute') == 31


def test_a_sheet_counts_what_somebody_called_bad(html):
    assert html.count('<data value="1">1</data> stretch called bad by hand.') == 21
    assert html.count('<data value="2">2</data> stretches called bad by hand.') == 21


def test_bad_sensors_are_named_and_text_is_text(html):
    assert "Bad: MLC11 (noisy), MRT&lt;21&gt; (flat)." in html


def test_what_was_left_out_says_why(html):
    left_out = html[html.index("Left out") :].partition("</ul>")[0]
    assert "<li>sub-KX8000_ses-p1d0_task-rest: all sensors are flat; find another</li>" in left_out


def test_a_line_stays_a_line_and_the_rest_is_its_mean():
    density = np.where(np.abs(FREQUENCY - 60) < 0.1, 400.0, 4.0)
    frequency, amplitude = thinned(FREQUENCY, density)
    assert len(frequency) < 70
    assert frequency[np.argmax(amplitude)] == 60
    assert amplitude.max() == 20.0
    assert np.sort(amplitude)[-2] == 2.0


def test_drawings_lie_in_their_frame(html):
    for drawing in re.findall(r'class="own" d="M([^"]*)"', html):
        x, y = np.array([pair.split(",") for pair in drawing.split("L")], float).T
        assert (x.min() >= 38, x.max() <= 314, y.min() >= 8, y.max() <= 128) == (True,) * 4
        assert (np.diff(x) > 0).all()


def test_nobody_is_named_where_nobody_may_be(findings, told):
    text = everything(render(replace(findings, recordings=told)))
    assert not re.search(r"KX\d", text)
    assert "Recording 63" in text


def test_many_recordings_stay_small(findings, told):
    bare = len(render(findings))
    assert len(render(replace(findings, recordings=told))) - bare < 250_000


@pytest.mark.parametrize(("count", "failures"), [(1, 0), (2, 3), (0, 2)])
def test_few_recordings_are_shown_too(findings, count, failures):
    html = render(replace(findings, recordings=make_recordings(count, failures)))
    part = section(html, "recordings")
    assert part.count('<article class="sheet"') == count
    assert part.count("all sensors are flat") == failures
    assert "nan" not in part


def test_a_study_without_recordings_does_not_miss_them(findings):
    assert "MEG recordings" not in render(findings)
