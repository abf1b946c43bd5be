"""A whole study folder: participants, scales, volumes, and the truth planted in them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ketadask import __version__
from ketadask import names as nm
from ketadask.schema.errors import InputError, nearest
from ketadask.simulate.folder import whole_folder, write_json
from ketadask.simulate.participants import (
    AGE_MEAN,
    AGE_SD,
    draw_people,
    plant_second_persona,
)
from ketadask.simulate.ratings import draw_ratings
from ketadask.simulate.tables import GLOBAL_VOLUMES, Slice, StudyTables
from ketadask.simulate.trial import (
    BLOCK_SIZE,
    DAY,
    PERSONAS,
    PROGNOSTIC,
    SECOND_PERSONA,
    SPREAD,
    draw_design,
    draw_improvement,
    generator,
    visits,
)
from ketadask.simulate.volumes import brain_score, regions

LAYOUTS = ("bids", "nda", "both")
# Points of benefit and of response to saline, standard deviations of volumes.
_BETWEEN_TRIALS, _BETWEEN_CONTROLS = 1.0, 1.5
_BETWEEN_SCANNERS, _BETWEEN_PROTOCOLS = 0.3, 0.5
_MOST = {"participants": 99_999, "trials": 20, "sites": 20}
_LARGEST_EFFECT = 10.0
_SHORTEST, _LONGEST = 2.0, 480.0
_REGIONS = len(regions().name)
_TRUTH = "truth.json"
_NAME = "Simulated crossover trial of ketamine"


def simulate_study(
    out: str | Path,
    *,
    participants: int = 33,
    seed: int = 7,
    trials: int = 1,
    sites: int = 1,
    effect: float = 2.1,
    persona: str = nm.VOLUME,
    persona_trials: int | None = None,
    second_effect: float = 0.0,
    prognostic: float = 0.4,
    brain: float = 0.0,
    overall: float = 0.0,
    missing_visits: bool = True,
    missing_volumes: float = 0.0,
    shuffle_columns: bool = False,
    layout: str = "bids",
    meg_seconds: float = 0.0,
    overwrite: bool = False,
) -> Path:
    """Write a study folder with planted truth, in the formats real studies come in.

    A crossover of two infusions, ketamine and saline, in depressed adults: ten rating scales,
    185 brain volumes. Seven in twenty match a persona (small white matter of the left posterior
    cingulate and of the right inferior parietal, crying) and benefit more from ketamine; age
    predicts improvement on both arms alike. ``truth.json`` describes the planted effects.

    Parameters
    ----------
    out
        Folder of the study, which appears complete or not at all.
    participants
        Number of participants. The first n of a larger study are the same.
    seed
        Address of all randomness.
    trials, sites
        Trials differ in overall benefit, response to saline and scanning protocol, sites (within
        each trial) in their scanner.
    effect
        Extra benefit of the persona's members on active at day 7, in standard deviations.
    persona
        ``volume``, as above, or ``meg``: members have slow alpha and a steep spectrum.
    persona_trials
        Number of trials, the first ones, in which members benefit more; all by default.
    second_effect
        The same as ``effect`` for a second persona, in all trials: large cortex of the left isthmus
        cingulate and of the right lingual gyrus, cardiovascular symptoms. 0 plants none.
    prognostic
        Points lost per standard deviation of age on both arms, in the same unit.
    brain
        Extra benefit on active per standard deviation of frontal minus cerebellar volume.
    overall
        Improvement added on both arms, in the unit of ``effect``.
    missing_visits
        If true, one participant in eleven has one usable arm only (33 give 63 cases), and 4 % of
        the other follow-ups are missing. If false, all visits are complete.
    missing_volumes
        Fraction of the volumes of brain regions that are missing at random.
    shuffle_columns
        Write the columns of the brain volumes in another order.
    layout
        Scales as BIDS ``phenotype/``, as NDA texts in ``nda/``, or both.
    meg_seconds
        Seconds of resting MEG before each infusion, with 30 sensors, one in three with a flaw; 0
        makes none.
    overwrite
        Replace an earlier simulated study; any other folder that is not empty is left alone.

    Returns
    -------
    pathlib.Path
        The folder.

    Examples
    --------
    >>> import tempfile, json
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as temporary:
    ...     folder = simulate_study(Path(temporary) / "study", participants=11)
    ...     json.loads((folder / _TRUTH).read_text())["counts"]["cases"]
    21
    """
    _check_counts(participants=participants, trials=trials, sites=sites)
    n_persona_trials = trials if persona_trials is None else persona_trials
    if not 1 <= n_persona_trials <= trials:
        raise InputError(
            "cannot be simulated",
            where="persona_trials",
            value=persona_trials,
            remedy=f"choose 1 to {trials}, the number of trials; an effect of 0 plants none",
        )
    if seed < 0:
        raise InputError(
            "must not be negative", where="seed", value=seed, remedy="choose 0 or more"
        )
    _check_effects(
        effect=effect, second_effect=second_effect, prognostic=prognostic, brain=brain,
        overall=overall,
    )  # fmt: skip
    if not 0 <= missing_volumes < 1:
        raise InputError(
            "not a fraction", where="missing_volumes", value=missing_volumes,
            remedy="choose 0 or more, below 1",
        )  # fmt: skip
    if layout not in LAYOUTS:
        raise InputError(
            "unknown layout", where="layout", value=layout, remedy=nearest(layout, LAYOUTS)
        )
    if persona not in PERSONAS:
        raise InputError(
            "unknown persona", where="persona", value=persona, remedy=nearest(persona, PERSONAS)
        )
    _check_seconds(meg_seconds)
    if persona == nm.MEG and not meg_seconds:
        raise InputError(
            "a persona of MEG needs recordings", where="meg_seconds", value=meg_seconds,
            remedy=f"choose {_SHORTEST:g} to {_LONGEST:g} seconds, 20 for example",
        )  # fmt: skip
    out, members, second, singles = Path(out), [], [], 0
    ids: list[str] = []
    population = _Population(
        seed, trials, sites, effect, persona, n_persona_trials, prognostic, missing_visits,
        missing_volumes, brain, overall, second_effect,
    )  # fmt: skip
    with whole_folder(out, overwrite=overwrite, mark=_TRUTH) as folder:
        with ExitStack() as files:
            tables = StudyTables(folder, layout, files, _column_order(seed, shuffle_columns))
            for first in range(0, participants, BLOCK_SIZE):
                part = population.draw_block(first // BLOCK_SIZE).first(participants - first)
                tables.write(part)
                ids += part.ids.tolist()
                members += part.ids[part.people.member].tolist()
                second += part.ids[part.people.second].tolist()
                singles += int((~part.has_pair).sum())
        tables.describe(_NAME, __version__)
        if meg_seconds:
            from ketadask.simulate.meg.bids import write_recordings

            planted = set(members) if persona == nm.MEG else None
            write_recordings(
                folder, ids, seconds=meg_seconds, seed=seed, flaws=True, members=planted
            )
        counts = {
            "participants": participants,
            "members": len(members),
            "pairs": participants - singles,
            "singles": singles,
            "cases": 2 * participants - singles,
            "trials": trials,
            "sites": sites,
        }
        truth = {**population.truth(), "counts": counts, "members": members}
        if second_effect:
            truth["second_members"] = second
        write_json(folder / _TRUTH, truth)
    return out


@dataclass(frozen=True)
class _Population:
    """The population of a simulated study."""

    seed: int
    trials: int
    sites: int
    effect: float
    persona: str
    n_persona_trials: int
    prognostic: float
    missing_visits: bool
    missing_volumes: float
    brain: float = 0.0
    overall: float = 0.0
    second_effect: float = 0.0

    def draw_block(self, index: int) -> Slice:
        """Draw one block of participants."""
        rng = generator(self.seed, index)
        design = draw_design(rng)
        row = index * BLOCK_SIZE + np.arange(BLOCK_SIZE)
        # Sequences are balanced in pairs: pairs stay together, so trials and sites are balanced.
        trial, site = row // 2 % self.trials, row // 2 // self.trials % self.sites
        people = draw_people(
            rng, design.member, trial * self.sites + site, self._scanners(),
            of_volumes=self.persona == nm.VOLUME,
        )  # fmt: skip
        if self.second_effect:
            people = plant_second_persona(generator(self.seed, index, 8), people)
        effect = self.effect * (trial < self.n_persona_trials) * people.member
        volume = self._remove_volumes(people.volume, index)
        brain = self.brain * SPREAD * brain_score(people.volume) if self.brain else 0.0
        improvement = draw_improvement(
            rng,
            design,
            (people.age - AGE_MEAN) / AGE_SD,
            effect=effect + self.second_effect * people.second,
            prognostic=self.prognostic,
            overall=self._differences(_BETWEEN_TRIALS, 2)[trial] + brain,
            placebo=self._differences(_BETWEEN_CONTROLS, 4)[trial] + self.overall * SPREAD,
        )
        ratings = draw_ratings(rng, people, improvement)
        attendance = visits(design, self.missing_visits)
        second = attendance[:, 1, 0]
        people = replace(people, volume=volume)
        return Slice(row, design.active_first, second, attendance, trial, site, people, ratings)

    def _remove_volumes(self, volume: np.ndarray, index: int) -> np.ndarray:
        if not self.missing_volumes:
            return volume
        is_missing = generator(self.seed, index, 6).random(volume.shape) < self.missing_volumes
        is_missing[:, [regions().column(name) for name in GLOBAL_VOLUMES]] = False
        return np.where(is_missing, np.nan, volume)

    def _scanners(self) -> np.ndarray:
        """(trial and site, region) displacements; none with one trial of one site."""
        own = np.array([self._regions(code, 1) for code in range(self.trials * self.sites)])
        protocols = np.array([self._regions(trial, 5) for trial in range(self.trials)])
        protocols = np.repeat(protocols - protocols.mean(axis=0), self.sites, axis=0)
        return _BETWEEN_SCANNERS * own * (self.sites > 1) + _BETWEEN_PROTOCOLS * protocols * (
            self.trials > 1
        )

    def _regions(self, *address: int) -> np.ndarray:
        return generator(self.seed, *address).standard_normal(_REGIONS)

    def _differences(self, spread: float, stream: int) -> np.ndarray:
        """(trial,) points by which trials differ; none with one trial."""
        points = [generator(self.seed, t, stream).standard_normal() for t in range(self.trials)]
        return spread * np.array(points) * (self.trials > 1)

    def truth(self) -> dict[str, object]:
        """Return the planted effects."""
        return {
            "persona": [vars(literal) for literal in PERSONAS[self.persona]],
            "polarity": nm.FAVOURABLE,
            "outcome": "madrs",
            "day": DAY,
            "effect": self.effect,
            "effect_points": round(self.effect * SPREAD, 3),
            "persona_trials": [f"trial-{t + 1}" for t in range(self.n_persona_trials)],
            **(self._second_truth() if self.second_effect else {}),
            **({"brain": self.brain} if self.brain else {}),
            "prognostic": PROGNOSTIC,
            "prognostic_points": round(-self.prognostic * SPREAD, 3),
            "seed": self.seed,
        }

    def _second_truth(self) -> dict[str, object]:
        return {
            "second_persona": [vars(literal) for literal in SECOND_PERSONA],
            "second_effect": self.second_effect,
            "second_effect_points": round(self.second_effect * SPREAD, 3),
        }


def _column_order(seed: int, shuffle: bool) -> np.ndarray | None:
    return generator(seed, 7).permutation(_REGIONS) if shuffle else None


def _check_counts(**counts: int) -> None:
    for name, value in counts.items():
        most = _MOST[name]
        if not 1 <= value <= most:
            raise InputError(
                "cannot be simulated", where=name, value=value, remedy=f"choose 1 to {most}"
            )


def _check_seconds(meg_seconds: float) -> None:
    if meg_seconds and not _SHORTEST <= meg_seconds <= _LONGEST:
        raise InputError(
            "cannot be recorded",
            where="meg_seconds",
            value=meg_seconds,
            remedy=f"choose 0, or {_SHORTEST:g} to {_LONGEST:g} seconds",
        )


def _check_effects(**effects: float) -> None:
    for name, value in effects.items():
        if not abs(value) <= _LARGEST_EFFECT:
            raise InputError(
                "not a plausible effect",
                where=name,
                value=value,
                remedy=f"choose -{_LARGEST_EFFECT:g} to {_LARGEST_EFFECT:g} standard deviations",
            )
