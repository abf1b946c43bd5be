"""The doctor tries things out, and says what would fail and what to do."""

from __future__ import annotations

import re
import time
from importlib import import_module

import pytest

from ketadask.cli.main import run
from ketadask.study.doctor import check_system, compile_search


@pytest.fixture
def profile(tmp_path):
    path = tmp_path / "profile.yaml"
    path.write_text("kind: threads\nworkers: 2\n")
    return path


def test_a_good_machine_is_found_good(tmp_path, profile):
    findings = {each.name: each for each in check_system(profile, tmp_path / "runs")}
    assert {"python", "numpy", "memory", "disk", "locks", "threads", "cluster"} <= set(findings)
    assert all(each.ok for each in findings.values())
    assert "4 tasks" in findings["cluster"].detail
    assert not (tmp_path / "runs").exists()


def test_what_is_bad_comes_with_its_remedy_and_code_one(tmp_path, profile, capsys, monkeypatch):
    import tempfile

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refused)
    assert run(["doctor", "--cluster", str(profile), "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "bad" in said
    assert "--out" in said


def test_a_scheduler_that_is_not_there_is_bad(tmp_path, monkeypatch):
    monkeypatch.setattr(import_module("ketadask.cluster.connect"), "CONNECT_TIMEOUT", "1s")
    path = tmp_path / "profile.yaml"
    path.write_text("kind: address\naddress: tcp://127.0.0.1:9\n")
    (cluster,) = [each for each in check_system(path, tmp_path) if each.name == "cluster"]
    assert not cluster.ok
    assert "dask scheduler" in cluster.remedy


def test_a_compiled_search_is_used_again():
    first = compile_search()
    assert first.ok
    assert re.fullmatch(r"\d+\.\d s", first.detail)
    start = time.process_time()
    compile_search()
    assert time.process_time() - start < 10  # compiling takes longer
