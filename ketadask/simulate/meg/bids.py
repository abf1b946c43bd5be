"""Recordings of a whole simulated study, in BIDS, beside its tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ketadask.schema.errors import InputError
from ketadask.simulate.folder import write_json
from ketadask.simulate.meg.helmet import Helmet, helmet
from ketadask.simulate.meg.signals import MegTruth
from ketadask.simulate.trial import MEG_PERSONA, generator

_PERSON, _FLAWS = 3, 1
# Hz and exponent between members and others, more than recordings of some seconds err by.
_PEAK_GAP, _SLOPE_GAP = 0.4, 0.08
TASK = "rest"


def write_recordings(
    folder: Path,
    participants: Sequence[str],
    sessions: Sequence[str] = ("ses-p1d0", "ses-p2d0"),
    *,
    seconds: float = 20.0,
    sensors: int = 30,
    rate: float = 300.0,
    seed: int = 0,
    flaws: bool = False,
    members: Collection[str] | None = None,
) -> list[Path]:
    """Write one resting recording per participant and session, with sidecars.

    Alpha frequency, slope and levels differ between participants and hardly between recordings of
    one. Participant k is drawn from (seed, k), whatever the number of participants.

    Parameters
    ----------
    folder
        The study folder; recordings go to ``sub-*/ses-*/meg/``.
    participants, sessions
        Names with their prefixes.
    seconds, sensors, rate
        Length, number of sensors (273 are a whole helmet) and time points per second.
    flaws
        Whether some recordings have a broken sensor, a burst of muscle activity, or mains.
    members
        Participants that match the persona of MEG, and no others do; None plants none.
    """
    try:
        from ketadask.simulate.meg.fif import write_recording
    except ModuleNotFoundError as error:
        raise InputError(
            f"recordings are written by the package {error.name}",
            where="meg_seconds",
            remedy='install it by pip install "ketadask[meg]", or choose 0',
        ) from error
    head = helmet(sensors, references=min(6, sensors))
    paths = []
    for index, participant in enumerate(participants):
        rng = generator(seed, index, _PERSON)
        person = draw_person(rng)
        if members is not None:
            while not matches_membership(person, participant in members):
                person = draw_person(rng)
        for visit, session in enumerate(sessions):
            stem = f"{participant}_{session}_task-{TASK}"
            meg_folder = folder / participant / session / "meg"
            address = int(generator(seed, index, _PERSON, visit).integers(2**31))
            path = meg_folder / f"{stem}_meg.fif"
            truth = person
            if flaws:
                flaw = generator(seed, index, _PERSON, visit, _FLAWS)
                truth = replace(person, **draw_flaws(flaw, head, seconds))
            write_recording(path, head, truth, seconds=seconds, rate=rate, seed=address)
            write_sidecars(meg_folder, stem, head, seconds=seconds, rate=rate, mains=person.mains)
            paths.append(path)
    return paths


def draw_person(rng: np.random.Generator) -> MegTruth:
    """Draw the properties of a participant's resting recordings."""
    height = rng.lognormal(0.0, 0.5)
    return MegTruth(
        exponent=float(np.clip(rng.normal(1.0, 0.15), 0.5, 1.6)),
        level=float(60 * rng.lognormal(0.0, 0.2)),
        alpha=float(np.clip(rng.normal(10.0, 0.9), 8.2, 12.2)),
        alpha_power=tuple(float(power * height) for power in MegTruth().alpha_power),
    )


def matches_membership(person: MegTruth, is_member: bool) -> bool:
    """Return whether a person is clearly inside the persona of MEG, or clearly outside.

    Examples
    --------
    >>> slow = MegTruth(alpha=9.0, exponent=1.3)
    >>> matches_membership(slow, True), matches_membership(slow, False)
    (True, False)
    >>> matches_membership(MegTruth(alpha=10.2, exponent=1.3), False)
    False
    """
    peak, slope = MEG_PERSONA
    away = person.alpha - peak.cut, person.exponent - slope.cut
    if abs(away[0]) < _PEAK_GAP or abs(away[1]) < _SLOPE_GAP:
        return False
    return (away[0] < 0 < away[1]) == is_member


def draw_flaws(rng: np.random.Generator, head: Helmet, seconds: float) -> dict[str, Any]:
    """Draw the flaw of a recording: none in two of three.

    Examples
    --------
    >>> from ketadask.simulate.meg.helmet import helmet
    >>> draw_flaws(np.random.default_rng(3), helmet(10), 60.0)
    {'noisy': ('MLF11',)}
    """
    chance, which, when = rng.random(), int(rng.integers(len(head.names))), rng.random()
    if chance < 0.12:
        return {"noisy": (head.names[which],)}
    if chance < 0.2:
        return {"flat": (head.names[which],)}
    if chance < 0.3:
        return {"bursts": ((float(when * max(seconds - 1.0, 0.0)), 1.0),)}
    return {"mains_left": 60.0} if chance < 0.33 else {}


def write_sidecars(
    meg_folder: Path,
    stem: str,
    head: Helmet,
    *,
    seconds: float,
    rate: float,
    mains: float,
    bad: Sequence[str] = (),
) -> None:
    """Write ``_meg.json`` and ``_channels.tsv`` beside a recording."""
    meg_folder.mkdir(parents=True, exist_ok=True)
    about: dict[str, Any] = {
        "TaskName": TASK,
        "Manufacturer": "CTF",
        "PowerLineFrequency": mains,
        "SamplingFrequency": rate,
        "SoftwareFilters": "n/a",
        "DewarPosition": "upright",
        "DigitizedLandmarks": False,
        "DigitizedHeadPoints": False,
        "RecordingDuration": seconds,
        "MEGChannelCount": len(head.names),
        "MEGREFChannelCount": len(head.references),
    }
    write_json(meg_folder / f"{stem}_meg.json", about)
    lines = ["name\ttype\tunits\tstatus"]
    lines += [f"{n}\tMEGGRADAXIAL\tT\t{'bad' if n in bad else 'good'}" for n in head.names]
    lines += [f"{name}\tMEGREFMAG\tT\tgood" for name in head.references]
    (meg_folder / f"{stem}_channels.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
