"""Studies of the tests end with their process, and nobody pulls the plug meanwhile."""

import os

import pytest

from ketadask.report import canvas

# Tests that look at the figures, or at whom they name.
OWN_FIGURES = (
    "test_discover",
    "test_next_trial",
    "test_notebook_cards",
    "test_outlook",
    "test_privacy",
)


@pytest.fixture(scope="session")
def in_process(tmp_path_factory):
    """Return a cluster profile that computes in this process: workers take seconds to start."""
    path = tmp_path_factory.mktemp("profile") / "in_process.yaml"
    path.write_text("kind: synchronous\n")
    return path


@pytest.fixture(autouse=True, scope="module")
def _quick_studies(request, drawn_once):
    """Do not wait for the disk (tests of store cover a power cut), and draw each figure once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        if request.module.__name__.rpartition(".")[2] not in OWN_FIGURES:
            patch.setattr(canvas, "svg_pair", drawn_once)
        yield
