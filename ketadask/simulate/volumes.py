"""Regional brain volumes with the means, spreads and covariances of adults.

The table ``volumes.tsv`` summarises the group tables of OpenNeuro ds002790 (AOMIC-PIOP2,
n = 226, CC0), rounded: mean and standard deviation of every region, its correlation with head size
(eTIV), loadings on six factors of what is left, on a factor shared by the two hemispheres
(`homologue`) and on one shared by cortex and white matter of a parcel (`parcel`). Of skewed
regions (`lognormal`) mean and sd are the median and the sd of the logarithm.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

HEAD_SIZE = "EstimatedTotalIntraCranialVol"
_BRAIN = "BrainSegVolNotVent"
FRONTAL = re.compile(
    "(lh|rh)_(caudalmiddlefrontal|lateralorbitofrontal|medialorbitofrontal|paracentral|pars.+|"
    "precentral|rostralmiddlefrontal|superiorfrontal|frontalpole)_volume"
)
# Men's heads are larger: difference of the means, spread within a sex, fraction of men in the
# source, all in standard deviations of eTIV.
_SEX_DIFFERENCE, _SPREAD_WITHIN_SEX, _FRACTION_MEN = 1.3, 0.775, 0.43


@dataclass(frozen=True, eq=False)
class Regions:
    """The model of all regions: names (region,), loadings (region, source), and their scales."""

    table: tuple[str, ...]
    name: tuple[str, ...]
    shape: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    size: np.ndarray
    factors: np.ndarray
    homologue: np.ndarray
    parcel: np.ndarray
    homologue_group: np.ndarray
    parcel_group: np.ndarray

    @property
    def own(self) -> np.ndarray:
        """Standard deviation of what a region shares with nothing else, in standard units."""
        variance = self.size**2 + (self.factors**2).sum(1) + self.homologue**2 + self.parcel**2
        return np.asarray(np.sqrt(np.clip(1 - variance, 0, None)))

    def column(self, name: str) -> int:
        """Return the column of a region."""
        return self.name.index(name)


def _parts(name: str) -> tuple[str, str, str]:
    """Split a FreeSurfer name into hemisphere, tissue and parcel."""
    for pattern, tissue in (
        (r"(lh|rh)_(.+)_volume", "cortex"),
        (r"wm-(lh|rh)-(.+)", "white"),
        (r"(Left|Right)-(.+)", "deep"),
    ):
        if match := re.fullmatch(pattern, name):
            return match[1], tissue, match[2]
    return "", "middle", name


def _groups(keys: list[tuple[str, ...]]) -> np.ndarray:
    values = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return np.array([values[key] for key in keys])


@cache
def regions() -> Regions:
    """Return the 185 regions: 68 aparc, 70 wmparc, 45 aseg, whole brain and head size.

    Examples
    --------
    >>> len(regions().name), regions().name[-1]
    (185, 'EstimatedTotalIntraCranialVol')
    """
    text = files("ketadask.simulate").joinpath("volumes.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()[2:]]
    table, name, shape = zip(*(row[:3] for row in rows), strict=True)
    values = np.array([row[3:] for row in rows], dtype=float)
    parts = [_parts(n) for n in name]
    return Regions(
        table=table,
        name=name,
        shape=np.array(shape),
        mean=values[:, 0],
        sd=values[:, 1],
        size=values[:, 2],
        factors=values[:, 3:9],
        homologue=values[:, 9],
        parcel=values[:, 10],
        homologue_group=_groups([(tissue, parcel) for _, tissue, parcel in parts]),
        parcel_group=_groups([(side, parcel) for side, _, parcel in parts]),
    )


def draw_volumes(
    rng: np.random.Generator, male: np.ndarray, shift: np.ndarray | None = None
) -> np.ndarray:
    """Draw volumes of adults.

    Parameters
    ----------
    rng, male
        As for `draw_brains`.
    shift
        (person, region) displacement in standard units, for example of scanners.

    Returns
    -------
    numpy.ndarray
        (person, region) mm3: whole numbers for aparc, one decimal elsewhere, as FreeSurfer writes.

    Examples
    --------
    >>> volume = draw_volumes(np.random.default_rng(0), np.ones(500, bool))
    >>> volume.shape, bool((volume >= 0).all())
    ((500, 185), True)
    """
    brains = draw_brains(rng, male)
    return in_mm3(brains if shift is None else brains + shift)


def draw_brains(rng: np.random.Generator, male: np.ndarray) -> np.ndarray:
    """Draw brains of adults, before any scanner.

    Parameters
    ----------
    rng
        Source of randomness.
    male
        (person,) bool.

    Returns
    -------
    numpy.ndarray
        (person, region) in standard units.
    """
    model, n = regions(), len(male)
    head = _SEX_DIFFERENCE * (male - _FRACTION_MEN) + _SPREAD_WITHIN_SEX * rng.standard_normal(n)
    z = head[:, None] * model.size
    z += rng.standard_normal((n, model.factors.shape[1])) @ model.factors.T
    for group, loading in (
        (model.homologue_group, model.homologue),
        (model.parcel_group, model.parcel),
    ):
        z += rng.standard_normal((n, group.max() + 1))[:, group] * loading
    return np.asarray(z + rng.standard_normal(z.shape) * model.own)


def in_mm3(z: np.ndarray) -> np.ndarray:
    """Return volumes in mm3, rounded as FreeSurfer does, of (person, region) standard units."""
    model = regions()
    volume = model.mean + model.sd * z
    skew = model.shape == "lognormal"
    volume[:, skew] = model.mean[skew] * np.exp(model.sd[skew] * z[:, skew])
    # The normal tail never reaches zero where a region exists in everybody.
    is_normal = model.shape == "normal"
    volume[:, is_normal] = np.maximum(volume[:, is_normal], 0.25 * model.mean[is_normal])
    volume = np.maximum(volume, 0)
    is_integer = np.array(
        [t.endswith("aparc") or n == _BRAIN for t, n in zip(model.table, model.name, strict=True)]
    )
    return np.asarray(np.where(is_integer, np.round(volume), np.round(volume, 1)))


def in_standard_units(volume: np.ndarray) -> np.ndarray:
    """Return (person, region) standard units of volumes in mm3: the inverse of `in_mm3`.

    Examples
    --------
    >>> z = draw_brains(np.random.default_rng(0), np.ones(50, bool))
    >>> bool(np.abs(in_standard_units(in_mm3(z)) - z)[:, regions().mean > 500].max() < 0.01)
    True
    """
    model = regions()
    skew = model.shape == "lognormal"
    z = (volume - model.mean) / np.where(model.sd > 0, model.sd, 1.0)
    ratio = np.maximum(volume[:, skew], 0.1) / model.mean[skew]
    z[:, skew] = np.log(ratio) / model.sd[skew]
    return np.asarray(z)


def brain_score(volume: np.ndarray) -> np.ndarray:
    """Return (person,) frontal minus cerebellar volume beyond head size, mean 0 and spread 1.

    Examples
    --------
    >>> volume = draw_volumes(np.random.default_rng(0), np.ones(220, bool))
    >>> score = brain_score(volume)
    >>> score.shape, abs(round(float(score.std()), 6))
    ((220,), 1.0)
    """
    model = regions()
    z = in_standard_units(volume)
    beyond = z - z[:, [model.column(HEAD_SIZE)]] * model.size
    frontal = [j for j, name in enumerate(model.name) if FRONTAL.fullmatch(name)]
    cerebellar = [j for j, name in enumerate(model.name) if "Cerebellum" in name]
    parts = [beyond[:, columns].mean(axis=1) for columns in (frontal, cerebellar)]
    score = np.subtract(*[(part - part.mean()) / part.std() for part in parts])
    return np.asarray((score - score.mean()) / score.std())
