"""Versions: `nox` compares a study over the Pythons of this machine, `nox -s tests` runs tests."""

from __future__ import annotations

import nox

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["golden", "lowest"]


def _compare(session: nox.Session) -> None:
    """Run the golden study; the first session writes the results that the others must have."""
    file = session.cache_dir / "golden.json"
    if session.python == PYTHONS[0] and session.name.startswith("golden"):
        file.unlink(missing_ok=True)
    session.run("python", "-m", "tests.golden_study", str(file))


@nox.session(python=PYTHONS)
def golden(session: nox.Session) -> None:
    """Compare the golden study under the newest dependencies."""
    session.install(".")
    _compare(session)


@nox.session(python=PYTHONS[:1], venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Compare the golden study under the lowest dependencies that pyproject.toml allows."""
    session.install("--resolution", "lowest-direct", ".")
    _compare(session)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the quick suite under the newest dependencies."""
    session.install(".[test]")
    session.run("pytest", "-n", "auto", "--dist", "loadfile", *session.posargs)


@nox.session(python=PYTHONS[:1], venv_backend="uv")
def lowest_tests(session: nox.Session) -> None:
    """Run the quick suite under the lowest dependencies."""
    session.install("--resolution", "lowest-direct", ".[test]")
    session.run("pytest", "-n", "auto", "--dist", "loadfile", *session.posargs)
