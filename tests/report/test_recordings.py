"""MEG recordings: quality as measured, order, spectra, exclusions, and no participant."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ketadask.plot.curves import reduce_spectrum
from ketadask.report.context import build_context
from ketadask.report.page import render
from ketadask.report.recordings import recordings_view, worst_first
from tests.report.example_data import page_and_downloads, page_section
from tests.report.example_parts import make_recordings


@pytest.fixture(scope="module")
def recorded_data(data):
    return replace(data, recordings=make_recordings())


@pytest.fixture(scope="module")
def view(recorded_data):
    return recordings_view(build_context(recorded_data, identifiers=True))


def test_every_recording_has_its_sheet(recorded_data, view):
    quality = recorded_data.recordings["quality"].set_index("participant")
    assert len(view.sheets) == len(quality) == 63
    for sheet in view.sheets:
        own = quality.loc[sheet.label.partition("_")[0]]
        for name in ("clean_seconds", "bad_sensors", "line_ratio", "called_bad", "heart_removed"):
            assert getattr(sheet.quality, name) == own[name]
    assert view.n_flagged == 1
    assert view.line_ratio == quality["line_ratio"].median()


def test_flagged_recordings_come_first(view):
    assert [sheet.quality.flags for sheet in view.sheets[:2]] == ["mains", ""]
    assert view.sheets[0].label == "sub-KX0062_ses-p1d0"


def test_unflagged_recordings_are_ordered_by_clean_time_and_mains_power():
    rows = [("a", "", 90, 1.0), ("b", "", 50, 1.0), ("c", "", 50, 3.0), ("d", "mains", 99, 20.0)]
    table = pd.DataFrame(rows, columns=["recording", "flags", "clean_seconds", "line_ratio"])
    assert worst_first(table.assign(seconds=100.0))["recording"].tolist() == ["d", "c", "b", "a"]


def test_exclusions_have_reasons(view):
    reason = "all sensors are flat; find another"
    assert view.exclusions == (("sub-KX8000_ses-p1d0_task-rest", reason),)


def test_spectral_lines_remain_and_the_rest_is_averaged():
    frequency = np.arange(0.25, 120.25, 0.25)
    density = np.where(np.abs(frequency - 60) < 0.1, 400.0, 4.0)
    frequency, amplitude = reduce_spectrum(frequency, density)
    assert len(frequency) < 70
    assert frequency[np.argmax(amplitude)] == 60
    assert amplitude.max() == 20.0
    assert np.sort(amplitude)[-2] == 2.0


def test_spectra_stay_inside_their_axes(view):
    for sheet in view.sheets:
        x, y = np.array([pair.split(",") for pair in sheet.path[1:].split("L")], float).T
        assert (x.min() >= 38, x.max() <= 314, y.min() >= 8, y.max() <= 128) == (True,) * 4
        assert (np.diff(x) > 0).all()


def test_pages_stay_small_and_without_identifiers(data, recorded_data, page):
    text = render(recorded_data)
    assert len(text) - len(page) < 250_000
    assert not re.search(r"KX\d", page_and_downloads(text))
    assert "MRT&lt;21&gt; (flat)" in text
    assert "Recording 63" in text


@pytest.mark.parametrize(("count", "failures"), [(1, 0), (2, 3), (0, 2)])
def test_few_recordings_have_a_section_too(data, count, failures):
    page = render(replace(data, recordings=make_recordings(count, failures)))
    section = page_section(page, "recordings")
    assert section.count('<article class="sheet"') == count
    assert section.count("all sensors are flat") == failures
    assert "nan" not in section
