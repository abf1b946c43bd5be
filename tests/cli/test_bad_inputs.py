"""Thirty ways to be wrong: each ends with code 2 and one line that names place, value, remedy."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ketadask.cli.main import run
from ketadask.simulate.study import simulate_study

SCALES = "data: {folder: study, scales: [madrs, bdi]}\nfeatures: {modalities: [scale]}\n"
SMALL = "execution: {block: 1}\nsearch: {max_literals: 1, keep: 5}\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return simulate_study(tmp_path_factory.mktemp("made") / "study", participants=22)


@pytest.fixture
def study(made, tmp_path) -> Path:
    shutil.copytree(made, tmp_path / "study")
    return tmp_path


def edit(name: str, change: Callable[[list[list[str]]], object]) -> Callable[[Path], None]:
    """Change the cells of one table of the study folder."""

    def wrong(study: Path) -> None:
        path = study / "study" / name
        cells = [line.split("\t") for line in path.read_text().splitlines()]
        change(cells)
        path.write_text("".join("\t".join(row) + "\n" for row in cells))

    return wrong


def column(cells: list[list[str]], name: str) -> int:
    return cells[0].index(name)


def setting(row: int, name: str, value: str) -> Callable[[list[list[str]]], None]:
    def change(cells: list[list[str]]) -> None:
        cells[row][column(cells, name)] = value

    return change


def renamed(old: str, new: str) -> Callable[[list[list[str]]], None]:
    def change(cells: list[list[str]]) -> None:
        cells[0][column(cells, old)] = new

    return change


def replaced(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda study: (study / "study" / name).write_bytes(content)


def removed(name: str) -> Callable[[Path], None]:
    return lambda study: (study / "study" / name).unlink()


def recoded(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def wrong(study: Path) -> None:
        path = study / "study" / name
        path.write_bytes(path.read_bytes().replace(old, new))

    return wrong


def file_for_folder(name: str) -> Callable[[Path], None]:
    def wrong(study: Path) -> None:
        shutil.rmtree(study / "study" / name)
        (study / "study" / name).write_text("not a folder")

    return wrong


PEOPLE, MADRS, BDI = "participants.tsv", "phenotype/madrs.tsv", "phenotype/bdi.tsv"

INPUTS: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "participant twice": (
        edit(PEOPLE, lambda cells: cells.append(list(cells[1]))),
        [PEOPLE, "twice", "one row per participant"],
    ),
    "unknown arm": (
        edit(PEOPLE, setting(1, "infusion_1", "x")),
        [PEOPLE, "infusion_1", "unknown arm", "'x'", "valid are"],
    ),
    "both arms the same": (
        edit(PEOPLE, lambda cells: cells[1].__setitem__(slice(None), same_arm(cells))),
        [PEOPLE, "same arm"],
    ),
    "no participant column": (
        edit(PEOPLE, renamed("participant_id", "who")),
        [PEOPLE, "participant_id"],
    ),
    "no name": (edit(PEOPLE, setting(2, "participant_id", "")), [PEOPLE, "no participant"]),
    "impossible age": (edit(PEOPLE, setting(1, "age", "430")), [PEOPLE, "age", "430"]),
    "age in words": (edit(PEOPLE, setting(1, "age", "old")), [PEOPLE, "age", "'old'"]),
    "unknown sex": (edit(PEOPLE, setting(1, "sex", "Q")), [PEOPLE, "sex", "'Q'"]),
    "empty participants": (replaced(PEOPLE, b""), [PEOPLE, "empty"]),
    "participants in latin-1": (
        edit(PEOPLE, setting(1, "site", "Köln")),
        [PEOPLE, "UTF-8"],
    ),
    "commas for tabs": (recoded(PEOPLE, b"\t", b","), [PEOPLE]),
    "no participants file": (removed(PEOPLE), [PEOPLE, "no such file"]),
    "score in words": (edit(BDI, setting(3, "bdi_3", "high")), [BDI, "bdi_3", "'high'"]),
    "score out of range": (edit(BDI, setting(3, "bdi_3", "17")), [BDI, "bdi_3", "17"]),
    "strange session": (edit(BDI, setting(3, "session_id", "later")), [BDI, "'later'"]),
    "stranger among the scales": (
        edit(BDI, setting(3, "participant_id", "sub-NOBODY")),
        [BDI, "sub-NOBODY"],
    ),
    "visit twice": (edit(BDI, lambda cells: cells.append(list(cells[2]))), [BDI]),
    "row too short": (edit(BDI, lambda cells: cells[4].pop()), [BDI]),
    "column twice": (edit(BDI, renamed("bdi_2", "bdi_3")), [BDI, "bdi_3"]),
    "empty scale": (replaced(BDI, b""), [BDI, "empty"]),
    "no outcome table": (removed(MADRS), ["madrs"]),
    "no outcome column": (
        edit(MADRS, lambda cells: [row.__delitem__(slice(3, None)) for row in cells]),
        ["madrs"],
    ),
    "a file for a folder": (file_for_folder("phenotype"), ["phenotype"]),
    "broken description": (replaced("phenotype/bdi.json", b"{"), ["bdi.json"]),
}


def same_arm(cells: list[list[str]]) -> list[str]:
    row = list(cells[1])
    first, second = column(cells, "infusion_1"), column(cells, "infusion_2")
    row[first] = row[second] = "d"
    return row


def one_line(capsys, words: list[str]) -> str:
    said = capsys.readouterr()
    assert said.out == ""
    lines = [
        line
        for line in said.err.splitlines()
        if not line.startswith(("study: ", "data: ", "cohort: "))
    ]
    assert len(lines) == 1, said.err
    for word in words:
        assert word in lines[0], lines[0]
    return lines[0]


@pytest.mark.parametrize("name", INPUTS)
def test_a_wrong_table_is_one_line_and_the_study_stays_usable(study, name, capsys):
    wrong, words = INPUTS[name]
    path = study / "study.yaml"
    path.write_text("name: wrong\n" + SCALES)
    shutil.copytree(study / "study", study / "good")
    wrong(study)
    if name == "participants in latin-1":
        table = study / "study" / PEOPLE
        table.write_bytes(table.read_text().encode("latin-1"))
    assert run(["run", str(path), "--out", str(study / "runs")]) == 2
    one_line(capsys, words)
    shutil.rmtree(study / "study")
    shutil.copytree(study / "good", study / "study")
    assert run(["check", str(path), "--out", str(study / "runs")]) == 0


SETTINGS = {
    "misspelt section": ("spilts: {count: 3}\n", ["spilts", "did you mean 'splits'"]),
    "misspelt key": ("splits: {cuont: 3}\n", ["splits.cuont", "did you mean 'splits.count'"]),
    "wrong type": ("splits: {count: many}\n", ["splits.count", "whole number", "'many'"]),
    "unknown word": ("design: {kind: crosover}\n", ["design.kind", "'crossover'"]),
    "unknown outcome": ("outcome: {scale: madr}\n", ["madr", "madrs"]),
    "day without visits": ("outcome: {day: 5}\n", ["5", "day"]),
    "feature nobody has": ("features: {include: [bdi_99]}\n", ["bdi_99"]),
    "group nobody is in": ("data: {folder: study, groups: [XYZ]}\n", ["XYZ"]),
    "table that is not there": ("data: {folder: study, scales: [madrs, phq]}\n", ["phq"]),
    "folder that is not there": ("data: {folder: stduy}\n", ["stduy", "data.folder"]),
    "file for the folder": ("data: {folder: study.yaml}\n", ["data.folder", "file"]),
    "no volumes": (
        "data: {folder: study, freesurfer: here}\n",
        ["here", "no such folder", "data.freesurfer"],
    ),
    "too few relabellings": ("null: {relabellings: 5}\n", ["null.relabellings", "19"]),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_wrong_setting_is_one_line(study, name, capsys):
    text, words = SETTINGS[name]
    path = study / "study.yaml"
    data = "" if text.startswith("data") else "data: {folder: study}\n"
    path.write_text(f"name: wrong\n{data}{text}")
    assert run(["run", str(path), "--out", str(study / "runs")]) == 2
    one_line(capsys, words)


def test_runs_in_a_place_that_is_a_file(study, capsys):
    path = study / "study.yaml"
    path.write_text("name: wrong\n" + SCALES)
    (study / "runs").write_text("not a folder")
    assert run(["run", str(path), "--out", str(study / "runs")]) == 2
    one_line(capsys, ["runs"])


def test_an_unreadable_folder(study, capsys, monkeypatch):
    """Root may read everything, so the refusal is played."""
    path = study / "study.yaml"
    path.write_text("name: wrong\n" + SCALES)
    iterdir = Path.iterdir

    def refused(folder: Path):
        if folder == study / "study":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        return iterdir(folder)

    monkeypatch.setattr(Path, "iterdir", refused)
    assert run(["run", str(path), "--out", str(study / "runs")]) == 2
    one_line(capsys, ["no permission to read", "data.folder", str(study / "study")])


def test_a_full_disk_leaves_a_run_that_goes_on(study, capsys, monkeypatch):
    path = study / "study.yaml"
    path.write_text("name: wrong\nsplits: {count: 6}\nnull: {relabellings: 19}\n" + SMALL + SCALES)
    (study / "one.yaml").write_text("kind: synchronous\n")
    words = ["run", str(path), "--out", str(study / "runs"), "--cluster", str(study / "one.yaml")]
    fsync, calls = os.fsync, []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) > 40:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    assert run(words) == 2
    said = capsys.readouterr().err.splitlines()
    assert "the disk is full" in said[-1]
    assert "free" in said[-1]
    assert "Traceback" not in "".join(said)
    monkeypatch.setattr(os, "fsync", fsync)
    assert run(words) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("report.html")
