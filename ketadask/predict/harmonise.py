"""Sites brought to a common mean and spread, without outcomes; a site nobody has seen can come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_ROUNDS, _CLOSE = 50, 1e-6


@dataclass(frozen=True, eq=False)
class Sites:
    """Location and scale of every site, shrunken towards what its regions have in common.

    Empirical Bayes as in ComBat (Johnson, Li & Rabinovic 2007, Biostatistics 8:118): of
    standardised values z of a site, z = shift + spread * e, the shift has a normal prior and the
    variance an inverse-gamma prior, both estimated over the regions of that site. A site that was
    not fitted is treated the same way with its own cases, so it needs no outcome and no refit.

    Parameters
    ----------
    name
        (site,) names.
    centre, width
        (region,) mean and pooled within-site standard deviation.
    shift, spread
        (site, region) in units of ``width``.
    """

    name: np.ndarray
    centre: np.ndarray
    width: np.ndarray
    shift: np.ndarray
    spread: np.ndarray

    def apply(self, value: np.ndarray, site: np.ndarray, *, own: bool = True) -> np.ndarray:
        """Return values (case, region) as if all came from one site."""
        z = (value - self.centre) / self.width
        known = {str(name): k for k, name in enumerate(self.name)}
        for name in np.unique(site):
            rows = site == name
            if str(name) in known:
                k = known[str(name)]
                z[rows] = (z[rows] - self.shift[k]) / self.spread[k]
            elif own:
                shift, spread = _shrunken(z[rows])
                z[rows] = (z[rows] - shift) / spread
        return z * self.width + self.centre


def fit_sites(value: np.ndarray, site: np.ndarray) -> Sites:
    """Fit location and scale of the sites of a train part.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> value, site = rng.normal(size=(60, 5)), np.repeat(["a", "b"], 30)
    >>> value[30:] = 3 * value[30:] + 10
    >>> made = fit_sites(value, site).apply(value, site)
    >>> bool(abs(made[:30].mean() - made[30:].mean()) < 0.5)
    True
    """
    names, group = np.unique(site, return_inverse=True)
    means = np.stack([value[group == k].mean(axis=0) for k in range(len(names))])
    centre = np.bincount(group) @ means / len(value)
    within = value - means[group]
    width = np.sqrt((within**2).sum(axis=0) / max(len(value) - len(names), 1))
    width = np.where(width > 0, width, 1.0)
    z = (value - centre) / width
    shrunken = [_shrunken(z[group == k]) for k in range(len(names))]
    return Sites(
        name=names.astype(str),
        centre=centre,
        width=width,
        shift=np.stack([shift for shift, _ in shrunken]),
        spread=np.stack([spread for _, spread in shrunken]),
    )


def _shrunken(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return posterior shift and spread (region,) of one site's standardised values."""
    count, regions = z.shape
    shift = z.mean(axis=0)
    if count < 2 or regions < 2:
        return (shift if count >= 2 else np.zeros(regions)), np.ones(regions)
    variance = z.var(axis=0, ddof=1)
    prior, looseness = shift.mean(), shift.var(ddof=1)
    mean, varied = variance.mean(), variance.var(ddof=1)
    if varied <= 0 or mean <= 0:
        return shift, np.ones(regions)
    shape, rate = 2 + mean**2 / varied, mean + mean**3 / varied
    squares = (z**2).sum(axis=0)
    total = count * shift
    posterior, spread = shift, variance
    for _ in range(_ROUNDS):
        new = (looseness * total + spread * prior) / (count * looseness + spread)
        left = squares - 2 * new * total + count * new**2
        changed = (rate + left / 2) / (shape + count / 2 - 1)
        moved = max(np.abs(new - posterior).max(), np.abs(changed - spread).max())
        posterior, spread = new, changed
        if moved < _CLOSE:
            break
    return posterior, np.sqrt(spread)
