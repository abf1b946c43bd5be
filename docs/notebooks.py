"""The notebooks as pages, with their results: Sphinx executes copies of them."""

from __future__ import annotations

import re
import shutil
from inspect import getdoc
from pathlib import Path

import nbformat

import ketadask.plot

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
FIGURE = re.compile(r"kd\.plot\.(\w+)\(")


def write_notebooks(folder: Path) -> None:
    """Copy the notebooks to ``folder``; each figure gets a sentence for those who cannot see it."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in NOTEBOOKS.glob("*.png"):
        shutil.copyfile(picture, folder / picture.name)
    for file in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(file, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code" and (call := FIGURE.search(cell.source)):
                sentence = (getdoc(getattr(ketadask.plot, call[1])) or "").partition("\n")[0]
                sentence = sentence.removeprefix("Draw ")
                alternative = sentence[0].upper() + sentence[1:]
                cell.metadata["mystnb"] = {"image": {"alt": alternative}}
        nbformat.write(notebook, folder / file.name)
