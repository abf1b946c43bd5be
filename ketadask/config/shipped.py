"""Studies and cluster profiles that come with the package: find, list and copy them."""

from __future__ import annotations

import re
from pathlib import Path

from ketadask.config.reference import PROFILE_SCHEMA, STUDY_SCHEMA
from ketadask.schema.errors import InputError
from ketadask.store.disk import write_file

_PACKAGE = Path(__file__).parents[1]


def shipped_configs() -> dict[str, Path]:
    """Return the files by name; those of a checkout are in its folder ``config``.

    Examples
    --------
    >>> sorted(shipped_configs())[:2]
    ['cluster/laptop', 'cluster/slurm']
    """
    folder = _PACKAGE / "shipped"
    folder = folder if folder.is_dir() else _PACKAGE.parent / "config"
    files = sorted(folder.rglob("*.yaml"))
    return {file.relative_to(folder).as_posix().removesuffix(".yaml"): file for file in files}


def find_config(path: Path) -> Path:
    """Return a file of the user, or the shipped one of this name where there is none.

    Examples
    --------
    >>> find_config(Path("demo")).name
    'demo.yaml'
    """
    if path.exists():
        return path
    return shipped_configs().get(path.as_posix().removesuffix(".yaml"), path)


def config_title(file: Path) -> str:
    """Return the first sentence of the comment at the top of a file."""
    lines = file.read_text().splitlines()
    words = [line.lstrip("# ") for line in lines if line.startswith("# ") and "$schema" not in line]
    return re.split(r"(?<=\.)\s", " ".join(words))[0]


def copy_configs(folder: Path) -> list[Path]:
    """Copy all files to a folder and return the copies; a present file is an error."""
    copies = {folder / f"{name}.yaml": file for name, file in shipped_configs().items()}
    for copy in copies:
        if copy.exists():
            raise InputError("is there already", file=copy, remedy="choose another folder")
    for copy, file in copies.items():
        text = file.read_text()
        for schema in (STUDY_SCHEMA, PROFILE_SCHEMA):
            text = re.sub(rf"(?<=schema=)\S*{schema.name}", lambda _, s=schema: str(s), text)  # type: ignore[misc]
        copy.parent.mkdir(parents=True, exist_ok=True)
        write_file(copy, text.encode())
    return list(copies)
