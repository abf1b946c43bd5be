"""Checks of a job queue and of its compute nodes, the latter by one small job."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ketadask.cluster import slurm
from ketadask.cluster.node_check import NodeReport, check_node, job_script, sbatch_options
from ketadask.cluster.node_probe import worker_code, worker_versions
from ketadask.cluster.profile import STAGES, Profile
from ketadask.cluster.queues import scheduler_host, worker_memory
from ketadask.schema.errors import InputError

_GIB = 2**30
_MAX_SKEW = 5.0
_MIN_MEMORY = 600 * 2**20  # compiling the kernels needs most of it


@dataclass(frozen=True)
class SystemCheck:
    """One check: what it is about, whether it passes, the finding, and the remedy."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""

    @classmethod
    def of(cls, name: str, ok: bool, detail: str, remedy: str) -> SystemCheck:
        """Return a check whose remedy counts only where it fails."""
        return cls(name, ok, detail, "" if ok else remedy)


def check_queue(profile: Profile, out: Path) -> list[SystemCheck]:
    """Check commands, limits and address on this machine, then the rest on a compute node."""
    queue, interface = _queue(profile), _interface(profile)
    checks = [queue, _head(profile), _memory(profile), interface, _encryption(profile)]
    checks += _stages(profile)
    if not (queue.ok and interface.ok):
        return checks
    try:
        report = check_node(profile, out)
    except InputError as error:
        return [*checks, SystemCheck("compute node", False, error.problem, error.remedy or "")]
    return [*checks, *_node_checks(profile, report)]


def _queue(profile: Profile) -> SystemCheck:
    try:
        slurm.call("scontrol", "ping")
        slurm.check_script(job_script(sbatch_options(profile), "true"))
    except InputError as error:
        remedy = error.remedy or "correct job in the profile"
        return SystemCheck("queue", False, _detail(error), remedy)
    text = f"accepts {profile.workers} jobs of {profile.job.walltime}"
    return SystemCheck("queue", True, text)


def _stages(profile: Profile) -> list[SystemCheck]:
    """Check the jobs of stages with other resources."""
    checks = []
    for stage in STAGES:
        stage_profile = profile.for_stage(stage)
        if (stage_profile.job, stage_profile.workers) == (profile.job, profile.workers):
            continue
        for check in (_queue(stage_profile), _memory(stage_profile)):
            remedy = check.remedy.replace("job.", f"stages.{stage}.")
            checks.append(replace(check, name=f"{check.name} ({stage})", remedy=remedy))
    return checks


def _head(profile: Profile) -> SystemCheck:
    head, job = profile.head, profile.job
    partition = head.partition or job.partition
    options = [f"--time={head.walltime}", f"--mem={head.mebibytes}M", *head.directives]
    options += [f"--partition={partition}"] if partition else []
    options += [f"--account={job.account}"] if job.account else []
    try:
        slurm.check_script(job_script(options, "true"))
    except InputError as error:
        remedy = (error.remedy or "correct head in the profile").replace("job.", "head.")
        return SystemCheck("head job", False, _detail(error), remedy)
    return SystemCheck("head job", True, f"the queue accepts one of {head.walltime}")


def _detail(error: InputError) -> str:
    return error.problem if error.value is None else f"{error.problem}: {error.value}"


def _memory(profile: Profile) -> SystemCheck:
    memory = worker_memory(profile)
    text = f"{memory / _GIB:.2f} GiB per worker, {profile.job.memory} per job"
    remedy = "raise job.memory or lower job.workers in the profile"
    return SystemCheck.of("memory of a worker", memory >= _MIN_MEMORY, text, remedy)


def _interface(profile: Profile) -> SystemCheck:
    try:
        return SystemCheck("interface", True, f"workers connect to {scheduler_host(profile)}")
    except InputError as error:
        return SystemCheck("interface", False, _detail(error), f"job.interface: {error.remedy}")


def _encryption(profile: Profile) -> SystemCheck:
    if profile.listen_without_encryption_on_the_network:
        text = "off: anyone on the network can run code as you"
        remedy = "remove listen_without_encryption_on_the_network from the profile"
        return SystemCheck("encryption", False, text, remedy)
    try:
        from cryptography import __version__ as version
    except ImportError as error:
        remedy = "pip install cryptography"
        return SystemCheck("encryption", False, f"cannot create certificates ({error})", remedy)
    return SystemCheck("encryption", True, f"certificates by cryptography {version}")


def _node_checks(profile: Profile, report: NodeReport) -> list[SystemCheck]:
    if report.facts is None:
        return [_no_reply(profile, report)]
    facts = report.facts
    return [
        SystemCheck("compute node", True, f"{facts['host']}, {facts['cores']} cores"),
        _folder(report, facts),
        _network(profile, report, facts),
        _certificates(report),
        *_versions(facts),
        _clock(report, facts),
        _threads(facts),
        _scratch(facts),
        _locks(report, facts),
    ]


def _no_reply(profile: Profile, report: NodeReport) -> SystemCheck:
    if report.state.startswith("PENDING"):
        text = f"not checked, the job is still waiting: {report.state}"
        return SystemCheck("compute node", True, text, "try again when the queue is shorter")
    remedy = (
        f"check that {profile.job.python or 'this Python'} and {report.folder.parent} exist on the "
        "compute nodes; correct job.python, job.prologue or --out"
    )
    text = f"no reply from the job ({report.state or 'state unknown'}); its log: {report.log}"
    return SystemCheck("compute node", False, text, remedy)


def _folder(report: NodeReport, facts: dict[str, Any]) -> SystemCheck:
    folder, host = report.folder.parent, facts["host"]
    remedy = "choose a folder on the shared file system, writable on compute nodes (--out)"
    if not facts["visible"]:
        return SystemCheck("shared folder", False, f"{folder} is another folder on {host}", remedy)
    if not facts["writable"] or not report.by_folder:
        return SystemCheck("shared folder", False, f"{folder} is not writable on {host}", remedy)
    return SystemCheck("shared folder", True, f"{folder} is readable and writable on both")


def _network(profile: Profile, report: NodeReport, facts: dict[str, Any]) -> SystemCheck:
    host, address = facts["host"], report.address
    if report.by_network:
        return SystemCheck("network", True, f"{host} reaches {address}")
    text = f"{host} cannot reach {address} ({facts.get('unreachable', 'no answer')})"
    interface = profile.job.interface or "none"
    remedy = f"choose another job.interface (now {interface}), or use jobs/array.sbatch"
    return SystemCheck("network", False, text, remedy)


def _certificates(report: NodeReport) -> SystemCheck:
    text = f"keys in {report.folder.parent} have mode {report.key_mode:o}"
    remedy = "choose a folder on a file system with permissions (--out)"
    return SystemCheck.of("certificates", not report.key_mode & 0o077, text, remedy)


def _versions(facts: dict[str, Any]) -> list[SystemCheck]:
    host, here, there = facts["host"], worker_versions(), facts["versions"]
    remedy = "use the same environment on both: set job.python, or activate it in job.prologue"
    checks = [
        SystemCheck(name, False, f"{here[name]} here, {there.get(name, 'none')} on {host}", remedy)
        for name in here
        if here[name] != there.get(name)
    ]
    if facts["code"] != worker_code():
        text = f"another version of ketadask on {host} ({facts['code'][:60]})"
        checks.append(SystemCheck("ketadask", False, text, "install the same version on both"))
    text = f"{len(here)} libraries and the code of ketadask are the same on both"
    return checks or [SystemCheck("versions", True, text)]


def _clock(report: NodeReport, facts: dict[str, Any]) -> SystemCheck:
    if report.clock_skew is None:
        return SystemCheck("clock", True, "not checked, the network check failed")
    text = f"{facts['host']} differs by {report.clock_skew:+.1f} s"
    remedy = "ask the administrator to synchronise the clocks (NTP)"
    return SystemCheck.of("clock", abs(report.clock_skew) < _MAX_SKEW, text, remedy)


def _threads(facts: dict[str, Any]) -> SystemCheck:
    variables = {name: value for name, value in facts["threads"].items() if value != "1"}
    if not variables:
        return SystemCheck("threads", True, "one per worker")
    text = ", ".join(f"{name}={value}" for name, value in variables.items())
    text += f" on {facts['host']} inside the Python of the workers"
    remedy = "remove them from the start of job.python; workers set them to 1"
    return SystemCheck("threads", False, text, remedy)


def _scratch(facts: dict[str, Any]) -> SystemCheck:
    folder, free = facts["scratch"], facts["scratch_free"] / _GIB
    if not facts["scratch_writable"]:
        text = f"{folder} is not writable on {facts['host']}"
        return SystemCheck("scratch", False, text, "set job.scratch to a node-local folder")
    remedy = "set job.scratch to a larger node-local folder"
    return SystemCheck.of("scratch", free > 1, f"{free:.1f} GiB free in {folder}", remedy)


def _locks(report: NodeReport, facts: dict[str, Any]) -> SystemCheck:
    name = "locks between machines"
    if not facts["visible"]:
        return SystemCheck(name, True, "not checked, the folder is not shared")
    if facts["sees_lock"]:
        return SystemCheck(name, True, "effective on both")
    text = f"a lock of this machine is not effective on {facts['host']}"
    remedy = f"mount {report.folder.parent} with flock, or choose another folder (--out)"
    return SystemCheck(name, False, text, remedy)
