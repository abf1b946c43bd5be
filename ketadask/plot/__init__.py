"""Figures: the values of a study in, matplotlib axes in (``ax=``) and out.

The report draws its figures with the same functions.
"""

from ketadask.plot.brain import draw_brain as brain
from ketadask.plot.curves import draw_power as power
from ketadask.plot.curves import draw_risk_coverage as risk_coverage
from ketadask.plot.curves import draw_spectra as spectra
from ketadask.plot.effects import draw_forest as forest
from ketadask.plot.effects import draw_personas as personas
from ketadask.plot.patients import draw_courses as courses
from ketadask.plot.patients import draw_flow as flow
from ketadask.plot.patients import draw_waterfall as waterfall
from ketadask.plot.search_figures import draw_null as null
from ketadask.plot.search_figures import draw_overlap as overlap
from ketadask.plot.search_figures import draw_stability as stability

__all__ = [
    "brain",
    "courses",
    "flow",
    "forest",
    "null",
    "overlap",
    "personas",
    "power",
    "risk_coverage",
    "spectra",
    "stability",
    "waterfall",
]
