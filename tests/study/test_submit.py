"""The head job without a queue: what it does when the controller does not answer."""

from __future__ import annotations

import time

import pytest

from ketadask.cluster import slurm
from ketadask.schema.errors import InputError
from ketadask.study import submit


@pytest.fixture
def controller(monkeypatch):
    """Return the calls to a controller that is away for as many of them as asked for."""
    calls, away = [], [2]

    def call(*words):
        calls.append(words)
        if len(calls) <= away[0]:
            raise slurm.UnreachableError("SLURM does not answer: Unable to contact")
        return ""

    monkeypatch.setattr(slurm, "call", call)
    monkeypatch.setattr(submit, "_PAUSE", 0.01)
    return calls, away


def test_a_head_asks_again_until_the_controller_requeues_it(controller):
    calls, _ = controller
    said = []
    submit.requeue("77", time.monotonic() + 60, said.append)
    assert calls == [("scontrol", "requeue", "77")] * 3
    assert len(said) == 2
    assert "trying again: SLURM does not answer" in said[0]


def test_at_the_end_of_the_walltime_the_head_says_why_it_was_not_requeued(controller):
    calls, away = controller
    away[0] = 1_000_000
    with pytest.raises(InputError, match="does not answer"):
        submit.requeue("77", time.monotonic() + 0.1, lambda line: None)
    assert len(calls) > 2
