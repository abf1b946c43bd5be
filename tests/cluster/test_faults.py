"""Everything that happens to long studies on a shared cluster, and the bits stay the same."""

from __future__ import annotations

from collections import Counter

from tests.cluster.conftest import results


def go_on(place, more=3):
    """Wait until some more blocks are finished."""
    wanted = len(place.computed("done")) + more
    place.until(lambda: len(place.computed("done")) >= wanted, 300, f"{more} more blocks")


def allowed_to_go_on(place):
    """Let a few more blocks pass, and wait for them; all others stay in flight."""
    wanted = len(place.computed("done")) + 3
    place.allow(wanted)
    place.until(lambda: len(place.computed("done")) >= wanted, 300, "three more blocks")


def head_says(place, word):
    """Tell whether the log of a head job holds a word."""
    return any(word in path.read_text() for path in place.there("logs/head-*.log"))


def unlike_the_head(place):
    """Return a worker job on another node than the head job, and that node."""
    head = [node for nodes in place.heads().values() for node in nodes]
    found = [(job, node) for job, node in place.workers().items() if node not in head]
    return found[0] if found else None


def test_one_fault_after_another(place, laptop):
    slurm = place.slurm
    place.last(0.2)
    place.allow(0)
    profile = place.profile(slow=True, workers=3)
    assert place.do("submit", cluster=profile).returncode == 0
    allowed_to_go_on(place)

    victim, _ = place.until(lambda: unlike_the_head(place), 60, "a worker")
    slurm.call("scancel", victim)
    place.until(lambda: head_says(place, "CANCELLED"), 60, "word of the cancelled job")
    allowed_to_go_on(place)

    _, node = place.until(lambda: unlike_the_head(place), 90, "a worker on another node")
    slurm.call("scontrol", "update", f"nodename={node}", "state=down", "reason=planted")
    try:
        place.until(lambda: head_says(place, "NODE_FAIL"), 90, "word of the failed node")
        allowed_to_go_on(place)
    finally:
        slurm.call("scontrol", "update", f"nodename={node}", "state=resume")

    victim, _ = place.until(lambda: unlike_the_head(place), 90, "a worker")
    slurm.call("scontrol", "update", f"jobid={victim}", "EndTime=now+2")
    place.until(lambda: head_says(place, "TIMEOUT"), 120, "the end of a walltime")
    allowed_to_go_on(place)

    (place.folder / "bomb").touch()
    place.until((place.folder / "bomb-used").exists, 60, "a worker over its memory")
    place.until(lambda: head_says(place, "memory") or head_says(place, "died"), 60, "word of it")

    slurm.stop_controller()
    place.until(lambda: head_says(place, "does not answer"), 90, "word of the controller")
    slurm.start_controller()
    allowed_to_go_on(place)

    (head,) = place.heads()
    slurm.call("scancel", head)
    place.until(lambda: not slurm.jobs(), 120, "the end of head and workers")
    assert not place.there("report.html")
    before = len(place.computed("done"))
    assert before < 60

    place.last(0)
    place.allow(60)
    assert place.do("submit", cluster=profile).returncode == 0
    place.until(lambda: place.there("report.html") and not slurm.jobs(), 300, "the report")
    assert results(place.run) == laptop
    blocks = Counter(first for first, _, _ in place.computed("done"))
    assert set(blocks) == set(range(60))
    assert set(blocks.values()) == {1}, "a finished block was computed again"
    events = "\n".join(place.events())
    report = (place.run / "report.html").read_text()
    for word in ("CANCELLED", "NODE_FAIL", "TIMEOUT", "does not answer", "interrupted"):
        assert word in events, word
        assert word in report, word
    assert "died" in events or "memory" in events


def test_a_head_near_its_walltime_requeues_itself(place, laptop):
    place.last(0.6)
    assert place.do("submit", cluster=place.profile(slow=True)).returncode == 0
    go_on(place, 4)
    (head,) = place.heads()
    place.slurm.call("scancel", "--signal=USR1", "--batch", head)
    place.until(lambda: head_says(place, "storing, then requeueing"), 60, "the signal")
    place.last(0.1)
    place.until(lambda: place.there("report.html") and not place.slurm.jobs(), 240, "the report")
    assert results(place.run) == laptop
    assert place.there("logs/head-*.log")[0].name == f"head-{head}.log"
    blocks = Counter(first for first, _, _ in place.computed("done"))
    assert set(blocks.values()) == {1}


def test_a_block_that_kills_its_workers_is_quarantined_and_named(place, laptop):
    place.last(0.1)
    (place.folder / "poison-000007").touch()
    profile = place.profile(slow=True)
    told = place.do("run", cluster=profile)
    assert told.returncode == 1, told.stdout + told.stderr
    assert "search: 1 of 60 splits failed (7-7)" in told.stderr
    assert "quarantined, its worker died 3 times" in told.stderr
    assert "job.memory" in told.stderr
    assert len(place.computed("done")) == 59
    assert place.slurm.jobs() == []
    (place.folder / "poison-000007").unlink()
    assert place.do("run", cluster=profile).returncode == 0
    assert results(place.run) == laptop
    assert len(place.computed("done")) == 60


def test_one_interrupt_stores_a_second_cancels_and_after_a_kill_nothing_is_left(place, laptop):
    place.last(2)
    profile = place.profile(slow=True)
    process = place.start("run", cluster=profile)
    go_on(place, 2)
    place.until(lambda: len(place.computed("begin")) > len(place.computed("done")), 30, "work")
    process.send_signal(2)
    assert process.wait(120) != 0
    assert "completing and storing running tasks" in place.said
    assert sorted(place.computed("begin")) == sorted(place.computed("done"))
    assert len(place.computed("done")) < 60
    place.until(lambda: not place.slurm.jobs(), 60, "an empty queue")

    place.last(60)
    done = len(place.computed("done"))
    begun = len(place.computed("begin"))
    process = place.start("run", cluster=profile)
    place.until(lambda: len(place.computed("begin")) > begun, 120, "work")
    process.send_signal(2)
    place.until(lambda: place.said.count("completing and storing") == 2, 30, "the first interrupt")
    process.send_signal(2)
    assert process.wait(60) != 0
    place.until(lambda: not place.slurm.jobs(), 60, "an empty queue")
    assert len(place.computed("done")) == done

    process = place.start("run", cluster=profile)
    place.until(lambda: len(place.computed("begin")) > begun + 2, 120, "work")
    process.kill()
    process.wait()
    place.last(0)
    assert place.do("run", cluster=profile).returncode == 0
    assert results(place.run) == laptop
    assert "ended without finishing" in "".join(place.events())
    assert not place.there("tls-*")
    assert place.slurm.jobs() == []
