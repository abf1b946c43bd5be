"""The gallery shows every figure of `kd.plot` with words for those who cannot see it."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

import ketadask as kd
from docs.gallery import write_gallery


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """Write the gallery; return its folder."""
    folder = tmp_path_factory.mktemp("gallery")
    write_gallery(folder)
    return folder


def test_every_figure_is_in_the_gallery_with_words_and_a_link(gallery):
    sections = re.findall(
        r"^kd\.plot\.(\w+)\n-+\n\n(.+\.)\n:doc:`.+ <api/ketadask\.plot\.(\w+)>`\.\n\n"
        r"\.\. image:: figures/(\w+)\.svg\n   :alt: (.+) In the picture: (.+)\.$",
        (gallery / "gallery.rst").read_text(), re.MULTILINE,
    )  # fmt: skip
    assert [name for name, *_ in sections] == kd.plot.__all__
    for name, sentence, link, file, alternative, words in sections:
        assert (link, file, alternative) == (name, name, sentence)
        assert len(words) > 20
    texts = {name: words for name, *_, words in sections}
    assert "left thalamus: -0.5" in texts["brain"]
    assert texts["forest"].endswith("overall: 3.0 (1.0 to 5.0); inside: 8.0 (4.0 to 12.0); "
                                    "outside: 0.5 (−2.0 to 3.0)")  # fmt: skip


def test_pictures_need_nothing_else_and_are_the_same_each_time(gallery, tmp_path):
    write_gallery(tmp_path)
    for name in kd.plot.__all__:
        file = gallery / "figures" / f"{name}.svg"
        picture = ElementTree.parse(file).getroot()
        links = [v for e in picture.iter() for k, v in e.attrib.items() if k.endswith("href")]
        assert [link for link in links if not link.startswith("#")] == []
        assert file.read_bytes() == (tmp_path / "figures" / file.name).read_bytes()
