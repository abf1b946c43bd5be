"""axe-core, a checker of accessibility, fetched from npm into a temporary folder."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

VERSION = "4.14.1"
LEVELS = ("serious", "critical")
VIOLATIONS = """
return axe.run(document, {resultTypes: ['violations'], iframes: false}).then(result =>
  result.violations.map(v => [v.impact, v.id, v.nodes.length, v.nodes[0].html.slice(0, 200)]));
"""


@cache
def axe_script() -> str:
    """Return the script of axe-core."""
    npm = shutil.which("npm")
    assert npm, "npm is not installed; on Debian: apt-get install npm"
    with tempfile.TemporaryDirectory() as folder:
        command = [
            npm,
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
            folder,
        ]
        subprocess.run(
            [*command, f"axe-core@{VERSION}"], check=True, capture_output=True, timeout=300
        )
        return (Path(folder) / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
