"""What a study needs of a queue and of its compute nodes, tried out with one small job."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ketadask.cluster import slurm
from ketadask.cluster.node_check import Preflight, asked_of_queue, preflight
from ketadask.cluster.node_probe import code, versions
from ketadask.cluster.profile import STAGES, Profile
from ketadask.cluster.queues import host_of, worker_memory
from ketadask.schema.errors import InputError

_GIB = 2**30
_SKEW = 5.0
_LEAST = 600 * 2**20  # what compiling the kernels takes, and some room


@dataclass(frozen=True)
class SystemCheck:
    """One thing tried: whether it is well, what was found, and what to do otherwise."""

    what: str
    well: bool
    found: str
    remedy: str = ""


def check_queue(profile: Profile, out: Path) -> list[SystemCheck]:
    """Try commands, limits and address here, then everything else from a compute node."""
    found = [_queue(profile), _head(profile), _memory(profile), _interface(profile), _tls(profile)]
    found += _stages(profile)
    if not all(each.well for each in (found[0], found[3])):
        return found
    try:
        seen = preflight(profile, out)
    except InputError as error:
        return [*found, SystemCheck("compute node", False, error.problem, error.remedy or "")]
    return [*found, *_compared(profile, seen)]


def _queue(profile: Profile) -> SystemCheck:
    script = "\n".join(
        ["#!/bin/sh", *(f"#SBATCH {line}" for line in asked_of_queue(profile)), "true\n"]
    )
    try:
        slurm.call("scontrol", "ping")
        slurm.trial_submit(script)
    except InputError as error:
        return SystemCheck(
            "queue", False, _found(error), error.remedy or "correct job in the profile"
        )
    return SystemCheck("queue", True, f"takes {profile.workers} jobs of {profile.job.walltime}")


def _stages(profile: Profile) -> list[SystemCheck]:
    """Try the jobs of stages that ask for something else."""
    found = []
    for stage in STAGES:
        own = profile.for_stage(stage)
        if own.job == profile.job and own.workers == profile.workers:
            continue
        for each in (_queue(own), _memory(own)):
            remedy = each.remedy.replace("job.", f"stages.{stage}.")
            found.append(replace(each, what=f"{each.what} ({stage})", remedy=remedy))
    return found


def _head(profile: Profile) -> SystemCheck:
    head, job = profile.head, profile.job
    partition = head.partition or job.partition
    lines = [f"--time={head.walltime}", f"--mem={head.mebibytes}M", *head.directives]
    lines += [f"--partition={partition}"] if partition else []
    lines += [f"--account={job.account}"] if job.account else []
    try:
        slurm.trial_submit("\n".join(["#!/bin/sh", *(f"#SBATCH {x}" for x in lines), "true\n"]))
    except InputError as error:
        remedy = (error.remedy or "correct head in the profile").replace("job.", "head.")
        return SystemCheck("head job", False, _found(error), remedy)
    return SystemCheck("head job", True, f"the queue takes one of {head.walltime}")


def _found(error: InputError) -> str:
    return error.problem if error.value is None else f"{error.problem}: {error.value}"


def _memory(profile: Profile) -> SystemCheck:
    each = worker_memory(profile)
    text = f"{each / _GIB:.2f} GiB for each worker of {profile.job.memory} in a job"
    remedy = "raise job.memory or lower job.workers in the profile"
    return SystemCheck("memory of a worker", each >= _LEAST, text, "" if each >= _LEAST else remedy)


def _interface(profile: Profile) -> SystemCheck:
    try:
        return SystemCheck("interface", True, f"workers are told {host_of(profile)}")
    except InputError as error:
        return SystemCheck("interface", False, _found(error), f"job.interface: {error.remedy}")


def _tls(profile: Profile) -> SystemCheck:
    if profile.listen_without_encryption_on_the_network:
        return SystemCheck(
            "encryption",
            False,
            "off: anyone on the network can run code as you",
            "remove listen_without_encryption_on_the_network from the profile",
        )
    try:
        import cryptography
    except ImportError as error:
        remedy = "pip install cryptography"
        return SystemCheck("encryption", False, f"no certificates can be made ({error})", remedy)
    return SystemCheck(
        "encryption", True, f"certificates by cryptography {cryptography.__version__}"
    )


def _compared(profile: Profile, seen: Preflight) -> list[SystemCheck]:
    if seen.told is None:
        return [_silent(profile, seen)]
    told = seen.told
    return [
        SystemCheck("compute node", True, f"{told['host']}, {told['cores']} cores"),
        _folder(seen, told),
        _network(profile, seen, told),
        _private(seen),
        *_versions(told),
        _clock(seen, told),
        _threads(told),
        _scratch(profile, told),
        _locks(seen, told),
    ]


def _silent(profile: Profile, seen: Preflight) -> SystemCheck:
    if seen.state.startswith("PENDING"):
        text = f"the job still waits: {seen.state}; no compute node was examined"
        return SystemCheck("compute node", True, text, "try again when the queue is shorter")
    python = profile.job.python
    remedy = (
        f"make sure that {python or 'this Python'} and {seen.folder.parent} are there on the "
        "compute nodes; correct job.python, job.prologue or --out"
    )
    text = f"the job told nothing: {seen.state or 'no state'}; its log: {seen.log}"
    return SystemCheck("compute node", False, text, remedy)


def _folder(seen: Preflight, told: dict[str, Any]) -> SystemCheck:
    place = seen.folder.parent
    if not told["visible"]:
        text = f"{place} is not the same folder on {told['host']}"
        return SystemCheck(
            "shared folder", False, text, "give --out a folder on the shared file system"
        )
    if not told["writable"] or not seen.by_folder:
        text = f"{place} cannot be written on {told['host']}"
        remedy = "give --out a folder that compute nodes may write"
        return SystemCheck("shared folder", False, text, remedy)
    return SystemCheck("shared folder", True, f"{place} is read and written on both")


def _network(profile: Profile, seen: Preflight, told: dict[str, Any]) -> SystemCheck:
    if seen.by_network:
        return SystemCheck("network", True, f"{told['host']} reaches {seen.address}")
    text = f"{told['host']} cannot reach {seen.address} ({told.get('unreachable', 'no answer')})"
    named = profile.job.interface or "none"
    remedy = f"name another interface in job.interface (now {named}), or use jobs/array.sbatch"
    return SystemCheck("network", False, text, remedy)


def _private(seen: Preflight) -> SystemCheck:
    well = not seen.key_mode & 0o077
    text = f"keys in {seen.folder.parent} have mode {seen.key_mode:o}"
    remedy = "give --out a folder on a file system with permissions"
    return SystemCheck("certificates", well, text, "" if well else remedy)


def _versions(told: dict[str, Any]) -> list[SystemCheck]:
    here, there = versions(), told["versions"]
    names = [name for name in here if here[name] != there.get(name)]
    found = [
        SystemCheck(
            name,
            False,
            f"{here[name]} here, {there.get(name, 'none')} on {told['host']}",
            "use one environment on both: set job.python, or activate it in job.prologue",
        )
        for name in names
    ]
    if told["code"] != code():
        text = f"another version of ketadask on {told['host']} ({told['code'][:60]})"
        found.append(SystemCheck("ketadask", False, text, "install the same one on both"))
    if not found:
        found.append(SystemCheck("versions", True, f"{len(here)} and ketadask's code are equal"))
    return found


def _clock(seen: Preflight, told: dict[str, Any]) -> SystemCheck:
    if seen.skew is None:
        return SystemCheck("clock", True, "not compared, the network does not work")
    well = abs(seen.skew) < _SKEW
    text = f"{told['host']} is {seen.skew:+.1f} s from here"
    return SystemCheck("clock", well, text, "" if well else "ask the administrator about NTP")


def _threads(told: dict[str, Any]) -> SystemCheck:
    many = {name: value for name, value in told["threads"].items() if value != "1"}
    text = ", ".join(f"{name}={value}" for name, value in many.items())
    if many:
        text += f" on {told['host']} inside the Python of the workers"
        remedy = "remove them from the start of job.python; workers set them to 1 themselves"
        return SystemCheck("threads", False, text, remedy)
    return SystemCheck("threads", True, "one per worker")


def _scratch(profile: Profile, told: dict[str, Any]) -> SystemCheck:
    place, free = told["scratch"], told["scratch_free"] / _GIB
    if not told["scratch_writable"]:
        text = f"{place} cannot be written on {told['host']}"
        return SystemCheck("scratch", False, text, "set job.scratch to a node-local folder")
    well = free > 1
    remedy = "" if well else "set job.scratch to a larger node-local folder"
    return SystemCheck("scratch", well, f"{free:.1f} GiB free in {place}", remedy)


def _locks(seen: Preflight, told: dict[str, Any]) -> SystemCheck:
    if not told["visible"]:
        return SystemCheck("locks", True, "not tried, the folder is not shared")
    well = told["locked"] is True
    text = "seen on both" if well else f"a lock held here is not seen on {told['host']}"
    remedy = "" if well else f"mount {seen.folder.parent} with flock, or give --out another folder"
    return SystemCheck("locks between machines", well, text, remedy)
