"""What is asked: YAML files read strictly into frozen models, with errors a person can act on."""

from ketadask.config.execution import Execution
from ketadask.config.prediction import Predict
from ketadask.config.reading import read
from ketadask.config.sections import (
    Data,
    Design,
    Features,
    Gates,
    LiteralCuts,
    Null,
    Outcome,
    Report,
    Search,
    Simulate,
    Splits,
    Verdict,
)
from ketadask.config.settings import Settings, load

__all__ = [
    "Data",
    "Design",
    "Execution",
    "Features",
    "Gates",
    "LiteralCuts",
    "Null",
    "Outcome",
    "Predict",
    "Report",
    "Search",
    "Settings",
    "Simulate",
    "Splits",
    "Verdict",
    "load",
    "read",
]
