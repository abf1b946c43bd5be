"""The glossary of a page has the words of the page, and the definitions of the documentation."""

from pathlib import Path

from ketadask.report.glossary import glossary, prose

DOCS = Path(__file__).parents[2] / "docs"


def test_the_documentation_has_the_same_words():
    assert "report/templates/glossary.md" in (DOCS / "glossary.md").read_text()
    names = [term.name for term in glossary()]
    assert {"Persona", "Unit", "Literal", "Family", "Gate", "Saturation", "Q"} <= set(names)
    assert "Part" not in names
    assert len(names) == len(set(names)) > 25


def test_a_page_defines_the_words_that_occur_in_it(page):
    text, _, section = page.partition('<section id="glossary"')
    for term in glossary():
        assert (f'id="{term.anchor}"' in section) == term.occurs_in(prose(text)), term.name
    assert section.count("<dt>") > 20
