"""A page to look at personas by hand: choose value ranges, see who is inside, arms and courses.

The page contains values of every unit without identifiers, in the order of the scores, and needs
neither server nor network. It tests nothing and shows no p-value.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from scipy.special import stdtrit

from ketadask import names as nm
from ketadask.plot.patients import with_members
from ketadask.report.context import ReportContext, build_context
from ketadask.report.labels import format_measurement_unit
from ketadask.report.overall import printed_outcome
from ketadask.report.page import page_text
from ketadask.report.personas import FeatureLabels

if TYPE_CHECKING:
    from ketadask.report.report_data import ReportData

MAX_FEATURES, MAX_VALUES = 40, 200_000
_DEGREES = 200  # of freedom; the quantile changes little beyond


def render_explorer(runs: Sequence[ReportData]) -> str:
    """Return the page of one run, or of two side by side, as HTML text.

    ``runs`` are results with cohort, units, literals, verdicts and courses.
    """
    contexts = [build_context(data, identifiers=False) for data in runs]
    shared = _features(contexts)
    content = {
        "runs": [explorer_values(context, shared) for context in contexts],
        "quantiles": stdtrit(np.arange(1, _DEGREES + 1), 0.975).round(5).tolist(),
    }
    text = json.dumps(content, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return page_text(
        " and ".join(dict.fromkeys(data.title for data in runs)),
        [("explore", "Explore")],
        {"explore": contexts},
        kind="Exploration of personas",
        scripts=("page.js", "explore.js"),
        content=Markup(text),
        max_literals=nm.MAX_LITERALS,
        max_features=MAX_FEATURES,
        n_features=len(shared),
    )


def explorer_values(context: ReportContext, shared: Sequence[str]) -> dict[str, Any]:
    """Return what the page contains of one run, as plain values; None where missing.

    Parameters
    ----------
    context
        The run.
    shared
        Names of the features in the page.

    Returns
    -------
    ``title``, ``unit``, ``places``; ``personas`` with their ranges; ``features`` with the values of
    the units, the best score first; ``score`` and ``outcome`` (arm, unit) of the units; ``courses``
    (unit, arm, day, score columns), empty with more than ``MAX_VALUES`` visits.
    """
    data, labels = context.data, FeatureLabels(context.data.features)
    units = data.units
    assert units is not None
    score = units["score"].to_numpy().astype(float)
    order = np.argsort(-score, kind="stable")  # the order of a table would identify participants
    units = units.isel({nm.UNIT: order})
    values, names = units["value"].to_numpy(), units[nm.FEATURE].values.tolist()
    return {
        "title": data.title,
        "unit": context.endpoint.unit,
        "places": context.endpoint.places,
        "personas": [
            {
                "name": f"{row.rank}, {row.verdict}: {' and '.join(row.lines)}",
                "ranges": [[v.feature, _plain(v.low), _plain(v.high)] for v in row.literals],
            }
            for row in context.personas
            if all(v.low is not None and v.feature in shared for v in row.literals)
        ],
        "features": {
            name: {
                "label": labels.label(name),
                "unit": format_measurement_unit(labels.text("measurement_unit", name)),
                "values": _plain(values[:, names.index(name)]),
            }
            for name in shared
            if name in names
        },
        "score": _plain(units["score"].to_numpy()),
        "outcome": _plain(printed_outcome(units).T),
        "courses": _course_columns(context, order),
    }


def _features(contexts: Sequence[ReportContext]) -> list[str]:
    """Return the features of the personas, those of the best personas first, up to the caps."""
    rows = sorted((row for context in contexts for row in context.personas), key=lambda r: r.rank)
    names = dict.fromkeys(v.feature for row in rows for v in row.literals)
    n_units = sum(context.n_units or 0 for context in contexts)
    return list(names)[: max(nm.MAX_LITERALS, min(MAX_FEATURES, MAX_VALUES // max(n_units, 1)))]


def _course_columns(context: ReportContext, order: np.ndarray) -> dict[str, list[Any]]:
    table, units = context.data.courses, context.data.units
    if table is None or units is None or not 0 < len(table) <= MAX_VALUES:
        return {}
    position = np.empty(len(order))
    position[order] = np.arange(len(order))
    table = with_members(table, units, position).dropna(subset=["inside", "score"])
    table = table.sort_values(["inside", "day"], kind="stable")
    return {
        "unit": table["inside"].astype(int).tolist(),
        "arm": [nm.ARMS.index(arm) for arm in table[nm.ARM]],
        "day": table["day"].astype(int).tolist(),
        "score": table["score"].astype(float).tolist(),
    }


def _plain(values: Any) -> Any:
    """Return numbers as lists; None for what is missing or infinite."""
    numbers = np.asarray(values, float).astype(object)
    numbers[~np.isfinite(numbers.astype(float))] = None
    return numbers.tolist()
