"""A SUBJECTS_DIR with the ``*.stats`` files that FreeSurfer 7 writes, of simulated volumes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ketadask.simulate.volumes import HEAD_SIZE, regions

_APARC = "StructName NumVert SurfArea GrayVol ThickAvg ThickStd MeanCurv GausCurv FoldInd CurvInd"
_ASEG = "Index SegId NVoxels Volume_mm3 StructName normMean normStdDev normMin normMax normRange"
_BRAIN = "BrainSegVolNotVent"


def write_stats(folder: Path, participants: Sequence[str], volumes: np.ndarray) -> Path:
    """Write ``<participant>/stats/*.stats``: aseg, both aparc, wmparc; volumes of the brain in all.

    Parameters
    ----------
    folder
        The SUBJECTS_DIR.
    participants
        Names of the folders.
    volumes
        (participant, region) mm3, regions in the order of ``regions()``.
    """
    model = regions()
    rows: dict[str, list[int]] = {}
    for j, (table, name) in enumerate(zip(model.table, model.name, strict=True)):
        if name not in (_BRAIN, HEAD_SIZE):
            rows.setdefault(table, []).append(j)
    for participant, volume in zip(participants, volumes, strict=True):
        stats_folder = folder / participant / "stats"
        stats_folder.mkdir(parents=True)
        for table, columns in rows.items():
            lines = _head(table, volume[model.column(_BRAIN)], volume[model.column(HEAD_SIZE)])
            lines += [_row(table, k, model.name[j], volume[j]) for k, j in enumerate(columns, 1)]
            (stats_folder / f"{table}.stats").write_text("\n".join(lines) + "\n")
    return folder


def _head(table: str, brain: float, head: float) -> list[str]:
    return [
        "# Title Segmentation Statistics",
        "# generating_program simulated",
        f"# Measure BrainSegNotVent, {_BRAIN}, Brain Segmentation Volume Without Ventricles, "
        f"{brain:.6f}, mm^3",
        f"# Measure EstimatedTotalIntraCranialVol, eTIV, Estimated Total Intracranial Volume, "
        f"{head:.6f}, mm^3",
        f"# ColHeaders {_APARC if 'aparc' in table and table != 'wmparc' else _ASEG}",
    ]


def _row(table: str, index: int, name: str, volume: float) -> str:
    if table in ("aseg", "wmparc"):
        return f"{index} {index} {volume:.0f} {volume:.1f} {name} 80.0 9.0 30.0 120.0 90.0"
    bare = name.split("_")[1]
    return f"{bare} 1000 700 {volume:.0f} 2.500 0.500 0.120 0.020 10 2.0"
