"""The report floor: what a study found, as one self-contained page.

Figures are drawn by matplotlib, which is loaded when a report is written and not before.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_WHERE = {
    "Findings": "ketadask.report.findings",
    "report": "ketadask.report.page",
    "write_report": "ketadask.report.page",
}
__all__ = ["Findings", "report", "write_report"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'ketadask.report' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


class _Floor(ModuleType):
    """This module, callable: importing it puts it where `ketadask.report(...)` is looked up."""

    def __call__(self, *given: Any, **parts: Any) -> Any:
        return self.report(*given, **parts)


sys.modules[__name__].__class__ = _Floor
