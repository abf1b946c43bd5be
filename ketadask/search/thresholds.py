"""Thresholds of the gates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class GateThresholds:
    """Largest p and smallest Cohen's d of the published gate; p serves the interaction, too."""

    p: float = 0.05
    d: float = 0.5

    def passes(
        self, statistics: Mapping[str, np.ndarray], sign: np.ndarray | float
    ) -> dict[str, np.ndarray]:
        """Return by gate whether each persona passes it.

        Parameters
        ----------
        statistics
            Result of `ketadask.kernels.gates.gates`.
        sign
            1 where the persona claims more benefit, -1 where it claims less.

        Examples
        --------
        >>> statistics = {
        ...     "p": 0.01, "d": np.array([0.6, -0.6]), "interaction_p": 0.2, "interaction": 1.0
        ... }
        >>> GateThresholds().passes(statistics, -1.0)["published"]
        array([False,  True])
        """
        return {
            "published": (statistics["p"] < self.p) & (sign * statistics["d"] > self.d),
            "heterogeneity": (statistics["interaction_p"] < self.p)
            & (sign * statistics["interaction"] > 0),
        }
