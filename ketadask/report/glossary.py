"""Words of the field with their definitions, at the end of each page.

The definitions are those of the documentation: ``templates/glossary.md`` is a page of both. The
script of the page marks up the first occurrence of each word in each section, with a link to its
definition.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from markupsafe import Markup, escape

_EVERYDAY = "## Running"  # whose words are also words of every day
_ENTRY = re.compile(r"^(\S[^\n]*)\n  (\S[^\n]*(?:\n  [^\n]+)*)", re.MULTILINE)


@dataclass(frozen=True)
class Term:
    """One entry: its name, other names, and what it means."""

    name: str
    aliases: tuple[str, ...]
    meaning: str

    @property
    def anchor(self) -> str:
        """Identifier of the entry in the page."""
        return "term-" + re.sub(r"\W+", "-", self.name.lower()).strip("-")

    @property
    def names(self) -> str:
        """All names, between bars."""
        return "|".join((self.name, *self.aliases))

    def occurs_in(self, text: str) -> bool:
        """Return whether a text has one of the names, in the singular or plural.

        Examples
        --------
        >>> Term("Unit", (), "").occurs_in("All units."), Term("Q", (), "").occurs_in("q")
        (True, False)
        """
        return any(
            re.search(
                rf"(?<![\w’'-]){re.escape(name)}{'' if len(name) == 1 else 's?'}(?![\w’'-])",
                text,
                0 if len(name) == 1 else re.IGNORECASE,
            )
            for name in (self.name, *self.aliases)
        )


@cache
def glossary() -> tuple[Term, ...]:
    """Return the terms of the report, in the order of the documentation."""
    text = (resources.files("ketadask.report") / "templates" / "glossary.md").read_text("utf-8")
    terms = []
    for names, meaning in _ENTRY.findall(text.split(f"\n{_EVERYDAY}\n")[0]):
        name, *aliases = (n.strip() for n in names.split(","))
        terms.append(Term(name, tuple(aliases), " ".join(meaning.split())))
    return tuple(terms)


def prose(page: str) -> str:
    """Return the text of a page without its settings.

    Examples
    --------
    >>> prose("<p>One <b>unit</b></p><dt><code>search.keep</code></dt><dd>2</dd>").split()
    ['One', 'unit']
    """
    settings = r"<(script|style|pre)\b.*?</\1>|<dt><code>.*?</dd>"
    return re.sub(rf"{settings}|<[^>]*>", " ", page, flags=re.DOTALL)


def glossary_section(page: str) -> str:
    """Return the section with the definitions of the terms that occur in the prose of a page."""
    text = prose(page)
    terms = sorted((t for t in glossary() if t.occurs_in(text)), key=lambda t: t.name.lower())
    rows = Markup("").join(
        Markup('<div id="{}" data-names="{}"><dt>{}</dt><dd>{}</dd></div>\n').format(
            term.anchor,
            term.names,
            ", ".join((term.name, *term.aliases)),
            Markup(re.sub("`(.+?)`", r"<code>\1</code>", str(escape(term.meaning)))),
        )
        for term in terms
    )
    return (
        '<section id="glossary" aria-labelledby="glossary-heading">\n'
        '<h2 id="glossary-heading">Glossary</h2>\n'
        f'<dl class="facts two">\n{rows}</dl>\n</section>\n'
    )
