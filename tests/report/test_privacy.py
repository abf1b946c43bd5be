"""Text is shown as text, and nobody is named who must not be."""

import base64
import re
from dataclasses import replace
from html import unescape

import pytest

from ketadask.report.labels import Mask
from ketadask.report.page import render
from tests.report.made_tables import PLANTED

SCRIPT = "<script>alert(1)</script>"
LONG = "a_feature_with_a_very_long_name_" * 10


def everything(html: str) -> str:
    """The page and the tables that travel inside it."""
    links = re.findall(r'href="data:text/csv;charset=utf-8;base64,([^"]*)"', html)
    return html + "".join(base64.b64decode(link).decode() for link in links)


def renamed(findings, name: str):
    """Findings whose first planted feature is called ``name``, wherever it occurs."""
    old = PLANTED[0][0]

    def swap(dataset):
        features = [name if f == old else f for f in dataset["feature"].values]
        labels = [f if f == name else label for f, label in zip(features, dataset["label"].values,
                                                               strict=True)]  # fmt: skip
        return dataset.assign_coords(feature=features, label=("feature", labels))

    tables = {
        part: getattr(findings, part).map(
            lambda v: v.replace(old, name) if isinstance(v, str) else v
        )
        for part in ("literals", "verdicts", "stability")
    }
    return replace(findings, units=swap(findings.units), cohort=swap(findings.cohort), **tables)


@pytest.mark.parametrize("name", [SCRIPT, LONG, "$x_{1}$ & \"quoted\" 'name'", "体积 μ"])
def test_names_show_as_text(findings, name):
    html = render(replace(renamed(findings, name), title=f"Study of {name}"))
    assert SCRIPT not in html
    assert html.count("<script>") == 1
    table = html[html.index('id="verdict-table"') :]
    assert name in unescape(table[: table.index("</tr>", table.index("<tbody"))])


def test_no_identifier_by_default(findings, page):
    text = everything(page)
    assert [who for who in findings.participants() if who in text] == []
    assert [who for who in findings.participants() if who.removeprefix("sub-") in text] == []


def test_identifiers_on_request(findings):
    assert "sub-KX9001" in render(findings, identifiers=True)


def test_setting_asks_for_identifiers(findings, tmp_path):
    from ketadask.report.page import write_page

    asked = replace(findings, settings={**findings.settings, "report": {"identifiers": True}})
    assert "sub-KX9001" in write_page(asked, tmp_path / "r.html").read_text()
    assert "sub-KX9001" not in write_page(findings, tmp_path / "r.html").read_text()


def test_identifiers_in_free_text_are_masked(findings):
    excluded = findings.exclusions.assign(reason="sub-KX9001 dropped out")
    told = replace(
        findings,
        exclusions=excluded,
        summary={**findings.summary, "note": "best in sub-KX0003"},
        settings={**findings.settings, "folder": "/data/KX0003/scans"},
        provenance={
            "inputs": {"sub-KX0001_ses-1_scan.stats": "5b6e"},
            "command": ["run", "KX0003"],
        },
    )
    text = everything(render(told))
    assert not re.search(r"KX\d", text)
    assert "[participant] dropped out" in text


def test_people_are_masked_of_whom_only_a_file_is_known(findings):
    """A folder of FreeSurfer may hold more people than the trial, and those of another cohort."""
    files = (
        "freesurfer/sub-KX7001/stats/aseg.stats",
        "other: freesurfer/KX7002/stats/lh.aparc.stats",
        "sub-KX7003/ses-p1d0/meg/sub-KX7003_ses-p1d0_task-rest_meg.ds",
        "other: sub-KX7004/meg/sub-KX7004_task-rest_meg.json",
        "derivatives/mne/sub-KX7005/sub-KX7005-fwd.fif",
    )
    told = replace(findings, provenance={"inputs": dict.fromkeys(files, "5b6e")})
    text = everything(render(told))
    assert not re.search(r"KX\d", text)
    assert text.count("[participant]/stats/") == 2
    assert "KX7002" in render(told, identifiers=True)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("no outcome of MOA 117; see MOA 1178", "no outcome of [participant]; see MOA 1178"),
        ("12/34A is out", "[participant] is out"),
        ("sub-KX07_KX08.tsv", "[participant]_[participant].tsv"),
        ("KX07-rest, (KX08), KX0", "[participant]-rest, ([participant]), KX0"),
        ("AKX07 and KX07b", "AKX07 and KX07b"),
    ],
)
def test_identifiers_are_masked_wherever_they_stand(text, masked):
    assert Mask(["MOA 117", "12/34A", "sub-KX07", "KX08", ""])(text) == masked


def test_mask_leaves_counts_alone():
    mask = Mask(["1", "12", "1043", "sub-007"])
    assert mask("12 of 33 in 1043, sub-007") == "12 of 33 in [participant], [participant]"
