"""Names are escaped, and participants are not identified."""

import re
from dataclasses import replace
from html import unescape

import pytest

from ketadask.report.labels import Mask
from ketadask.report.page import render, write_page
from tests.report.example_data import page_and_downloads, rename_feature

SCRIPT = "<script>alert(1)</script>"
LONG = "a_feature_with_a_very_long_name_" * 10


@pytest.mark.parametrize("name", [SCRIPT, LONG, "$x_{1}$ & \"quoted\" 'name'", "体积 μ"])
def test_names_show_as_text(data, name):
    html = render(replace(rename_feature(data, name), title=f"Study of {name}"))
    assert SCRIPT not in html
    assert html.count("<script>") == 1
    table = html[html.index('id="verdict-table"') :]
    assert name in unescape(table[: table.index("</tr>", table.index("<tbody"))])


def test_no_identifier_by_default(data, page):
    text = page_and_downloads(page)
    assert [name for name in data.participants() if name in text] == []
    assert [name for name in data.participants() if name.removeprefix("sub-") in text] == []


def test_identifiers_on_request(data):
    assert "sub-KX9001" in render(data, identifiers=True)


def test_the_setting_allows_identifiers(data, tmp_path):
    with_names = replace(data, settings={**data.settings, "report": {"identifiers": True}})
    assert "sub-KX9001" in write_page(with_names, tmp_path / "r.html").read_text()
    assert "sub-KX9001" not in write_page(data, tmp_path / "r.html").read_text()


def test_free_text_is_masked(data):
    exclusions = data.exclusions.assign(reason="sub-KX9001 dropped out")
    private = replace(
        data,
        exclusions=exclusions,
        summary={**data.summary, "note": "best in sub-KX0003"},
        settings={**data.settings, "folder": "/data/KX0003/scans"},
        provenance={
            "inputs": {"sub-KX0001_ses-1_scan.stats": "5b6e"},
            "command": ["run", "KX0003"],
        },
    )
    text = page_and_downloads(render(private))
    assert not re.search(r"KX\d", text)
    assert "[participant] dropped out" in text


def test_participants_with_files_only_are_masked(data):
    """A FreeSurfer folder may contain participants of other cohorts."""
    files = (
        "freesurfer/sub-KX7001/stats/aseg.stats",
        "other: freesurfer/KX7002/stats/lh.aparc.stats",
        "sub-KX7003/ses-p1d0/meg/sub-KX7003_ses-p1d0_task-rest_meg.ds",
        "other: sub-KX7004/meg/sub-KX7004_task-rest_meg.json",
        "derivatives/mne/sub-KX7005/sub-KX7005-fwd.fif",
    )
    private = replace(data, provenance={"inputs": dict.fromkeys(files, "5b6e")})
    text = page_and_downloads(render(private))
    assert not re.search(r"KX\d", text)
    assert text.count("[participant]/stats/") == 2
    assert "KX7002" in render(private, identifiers=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no outcome of MOA 117; see MOA 1178", "no outcome of [participant]; see MOA 1178"),
        ("12/34A is out", "[participant] is out"),
        ("sub-KX07_KX08.tsv", "[participant]_[participant].tsv"),
        ("KX07-rest, (KX08), KX0", "[participant]-rest, ([participant]), KX0"),
        ("AKX07 and KX07b", "AKX07 and KX07b"),
    ],
)
def test_identifiers_are_masked_in_any_position(text, expected):
    assert Mask(["MOA 117", "12/34A", "sub-KX07", "KX08", ""])(text) == expected


def test_mask_leaves_counts_alone():
    mask = Mask(["1", "12", "1043", "sub-007"])
    assert mask("12 of 33 in 1043, sub-007") == "12 of 33 in [participant], [participant]"
