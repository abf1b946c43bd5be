"""What the verdicts of a study compare: null, adjustment and strata, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ketadask.inference.second_stage import STUDENTISED


@dataclass(frozen=True)
class ComparisonFacts:
    """Null distribution, adjustment and strata of a study.

    ``method`` is that of the relabelled trials, with its reason where it was chosen; the best
    ``candidates`` personas are compared by ``statistic``. ``n_levels`` are the site levels: the
    ``n_sites`` sites of all trials, small ones merged. ``r2`` is that of the adjustment in
    participants left out, None without one. ``sites_p`` is the p of equal benefit at all sites,
    None where it is not tested. ``alpha`` is the level of the personas, ``linear_alpha`` that of
    the linear modifier, None where that is not tested.
    """

    design: str
    method: str = "features"
    statistic: str = "q"
    candidates: int | None = None
    adjust: str = "none"
    r2: float | None = None
    n_features: int | None = None
    n_trials: int = 1
    n_sites: int = 1
    n_levels: int = 1
    within_arm: bool = False
    cluster: str | None = None
    n_clusters: int | None = None
    sites_p: float | None = None
    alpha: float = 0.05
    linear_alpha: float | None = None
    method_reason: str = ""

    @property
    def sites_differ(self) -> bool:
        """Whether benefit differs between sites at the 5 % level."""
        return self.sites_p is not None and self.sites_p <= 0.05

    @property
    def strata(self) -> str:
        """What participants of one stratum have in common, or '' where all are one."""
        parts = ["trial"] if self.n_trials > 1 else []
        parts += ["site"] if self.n_levels > self.n_trials else []
        if self.design == "crossover":
            parts += ["sequence"]
        elif self.design == "pooled":
            parts += ["pattern of arms"]
        elif self.within_arm:
            parts += ["arm"]
        return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)

    @property
    def null_text(self) -> str:
        """How a trial is relabelled."""
        within = f" of the same {self.strata}" if self.strata else ""
        exchange = f"features are exchanged between participants{within}"
        level = f" within {'site' if self.n_levels > self.n_trials else 'trial'}"
        reason = f", because {self.method_reason}" if self.method_reason else ""
        arms = f"arms are randomised again{level if self.n_levels > 1 else ''}"
        return {
            "features": exchange,
            "arms": f"{arms}, assuming the same effect for all participants",
            "no-effect": f"{arms}, assuming no effect",
            "both": f"{exchange}, and {arms} in other trials; the larger p counts{reason}",
        }[self.method]

    @property
    def sites_text(self) -> str:
        """How sites enter, or '' with one site per trial."""
        if self.n_sites <= self.n_trials:
            return ""
        if self.n_levels == self.n_trials:
            return f"{self.n_sites:,} sites, too small for a comparison within site"
        words = f"{self.n_sites:,} sites"
        if self.n_levels < self.n_sites:
            words += f", small ones merged: {self.n_levels:,} levels"
        return f"{words}; benefit and features may differ between sites"

    @property
    def adjustment_text(self) -> str:
        """How scores are adjusted, with the reason."""
        if self.adjust == "none":
            return "scores are not adjusted, as design.adjust says"
        is_paired = self.design == "crossover"
        features = "all features" if self.n_features is None else f"{self.n_features:,} features"
        if self.r2 is not None and not self.r2 > 0:
            return (
                f"scores are not adjusted, because a ridge regression on {features} predicts no "
                f"better than the means of the {'sequences' if is_paired else 'arms'}"
            )
        words = f"scores are adjusted by ridge regression on {features}"
        if self.r2 is not None:
            words += f" (R2 {self.r2:.2f} in participants left out)"
        if is_paired:
            return f"{words}, because baselines predict the change from period to period"
        return f"{words}, because baselines predict outcomes on both arms"

    @property
    def statistic_text(self) -> str:
        """The statistic that is compared, with the reason."""
        if self.statistic != STUDENTISED:
            return "personas are compared by Q, which takes the spread of scores as equal"
        return (
            f"the {self.candidates:,} best personas are compared by a studentised difference, "
            "because the spread of benefit may differ"
        )

    @property
    def cluster_text(self) -> str:
        """Participants who are exchanged and split as one."""
        if self.cluster is None:
            return "clusters: none"
        return f"clusters: {self.n_clusters:,} by {self.cluster}, exchanged and split as one"

    @property
    def level_text(self) -> str:
        """Levels of the personas and of the linear modifier."""
        words = f"personas are supported at p {self.alpha:g}"
        if self.linear_alpha is None:
            return words
        return f"{words}, a linear modifier at {self.linear_alpha:g}"

    def line(self) -> str:
        """Return everything in one line.

        Examples
        --------
        >>> facts = ComparisonFacts("crossover", statistic="studentised", candidates=20)
        >>> facts.line()[:65]
        'features are exchanged between participants of the same sequence;'
        """
        null = self.null_text + (f" ({self.sites_text})" if self.sites_text else "")
        parts = (null, self.adjustment_text, self.statistic_text)
        return "; ".join((*parts, self.level_text, self.cluster_text))


def comparison_facts(summary: Any) -> ComparisonFacts | None:
    """Return the facts in the headline numbers of a study, or None where it has none."""
    values = summary.get("comparison")
    return ComparisonFacts(**values) if values else None
