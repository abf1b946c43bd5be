"""The command line: fast to start, exit codes, and errors without tracebacks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ketadask.cli.app import app
from ketadask.cli.main import run
from ketadask.config.study import read_study

ROOT = Path(__file__).parents[2]
VERBS = [command.name for command in app.registered_commands if not command.hidden]
HEAVY = ("mne", "numba", "matplotlib", "distributed", "dask", "pandas", "xarray", "scipy", "numpy")


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom ketadask.cli.main import run\nassert run(['--help']) == 0\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    assert python(code).splitlines()[-1] == "[]"


def test_importing_the_package_loads_nothing_heavy():
    assert (
        python(f"import sys, ketadask; print([m for m in {HEAVY} if m in sys.modules])") == "[]\n"
    )


def test_help_names_every_verb(capsys):
    assert run(["--help"]) == 0
    said = capsys.readouterr().out
    assert {"simulate", "check", "run", "extract", "predict", "submit"} <= set(VERBS)
    for verb in VERBS:
        assert re.search(rf"^  {verb} +[A-Z]", said, re.MULTILINE), verb


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb, capsys):
    assert run([verb, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"ketadask {verb} " in said
    other = [
        "simulate",
        "doctor",
        "bench",
        "verify",
        "head",
        "keys",
        "configs",
        "lock",
        "plan",
        "explore",
    ]
    assert ("STUDY.yaml" in said) == (verb not in other)


@pytest.mark.parametrize("words", [["nonsense"], ["run"], ["run", "a.yaml", "--colour", "red"]])
def test_a_wrong_command_line_ends_with_two(words, capsys):
    assert run(words) == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("share x", "share: unknown command; it is now ketadask array-task"),
        (
            "power --coverage=.3",
            "--coverage: unknown command; it is now ketadask power --prev",
        ),
        ("bench noise", "it is now python -m tests.benchmarks.noise in a checkout"),
    ],
)
def test_an_old_command_names_the_new_one(words, message, capsys):
    assert run(words.split()) == 2
    assert message in capsys.readouterr().err


def test_a_missing_study_is_one_line(tmp_path, capsys):
    assert run(["run", str(tmp_path / "none.yaml")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [f"{tmp_path / 'none.yaml'}: no such file; check the path"]


def test_debug_shows_the_traceback(tmp_path):
    words = ["-m", "ketadask", "run", str(tmp_path / "none.yaml"), "--debug"]
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "InputError" in done.stderr


def test_an_unexpected_error_is_short_and_ends_with_one(monkeypatch, capsys):
    from ketadask.study.study import Study

    def broken(*_, **__):
        error = ZeroDivisionError("it broke\nin two lines")
        error.add_note("the log is here.log")
        raise error

    monkeypatch.setattr(Study, "read", broken)
    assert run(["status", "x.yaml"]) == 1
    said = capsys.readouterr().err
    assert said.splitlines()[0] == "failed: ZeroDivisionError: it broke"
    assert "here.log" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_studies_of_the_repository_are_valid(path):
    assert read_study(path).name


def test_simulate_then_check(tmp_path, capsys):
    assert run(["simulate", str(tmp_path / "study"), "--participants", "22"]) == 0
    study = tmp_path / "study.yaml"
    study.write_text("name: small\ndata: {folder: study}\n")
    assert run(["check", str(study), "--out", str(tmp_path / "runs")]) == 0
    said = capsys.readouterr().out
    assert "participants  22" in said
    assert "crossover" in said
    assert "volume" in said
    assert "second infusion was not given" in said
    assert not (tmp_path / "runs").exists()


def test_status_of_a_study_never_run(tmp_path, capsys):
    study = tmp_path / "study.yaml"
    study.write_text("name: small\ndata: {simulate: {participants: 12}}\nsplits: {count: 30}\n")
    assert run(["status", str(study), "--out", str(tmp_path / "runs")]) == 0
    said = capsys.readouterr().out
    assert "0 of 30 splits" in said
    assert not (tmp_path / "runs").exists()


def test_nohup_keeps_a_run_alive_after_logout():
    code = (
        "import signal\nfrom ketadask.cli.main import main\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "try:\n    main(['--version'])\n"
        "finally:\n    print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)\n"
    )
    assert python(code).splitlines()[-1] == "True"


def test_version(capsys):
    from ketadask import __version__

    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_bench_names_what_it_can_measure(capsys):
    assert run(["bench", "nonsense"]) == 2
    assert "bench: no such benchmark" in capsys.readouterr().err
    for words in (["bench"], ["bench", "--help"]):
        assert run(words) == 0
        lines = capsys.readouterr().out.splitlines()
        assert any(line.split()[:1] == ["search"] and "exact search" in line for line in lines)
