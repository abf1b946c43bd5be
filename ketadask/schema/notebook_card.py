"""Objects that a notebook shows as a card."""

from __future__ import annotations

from importlib import import_module


class NotebookCard:
    """Shown by notebooks as a small card with the numbers that matter.

    The cards are written above all floors, in `ketadask.study.notebook_cards`, and loaded by name
    when a notebook shows an object: no floor depends on them.
    """

    def _repr_html_(self) -> str:
        return str(import_module("ketadask.study.notebook_cards").card_html(self))
