"""Compiled code on disk, forgotten as soon as any kernel has changed.

Numba keeps one cache per source file and looks at that file alone, but compiled code holds what
it calls in other files, too. After an update that changes one file, a caller in another would go
on with the old code, silently; so all of it is removed when the sources are not those it came from.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

STAMP = "kernels.stamp"


def forget_if_changed(sources: Path, cache: Path | None = None) -> bool:
    """Remove compiled code of other sources; say whether there was any reason to.

    Parameters
    ----------
    sources
        Folder of the kernels.
    cache
        Folder of the compiled code; where numba puts it if not given.
    """
    cache = _cache(sources) if cache is None else cache
    digest = hashlib.sha256()
    for file in sorted(sources.glob("*.py")):
        digest.update(f"{file.name}\0".encode() + file.read_bytes())
    stamp = cache / STAMP
    with contextlib.suppress(OSError):
        if stamp.read_text() == digest.hexdigest():
            return False
    for file in [*cache.glob("*.nbi"), *cache.glob("*.nbc"), *cache.glob("kernels_*/*.nb[ic]")]:
        with contextlib.suppress(OSError):
            file.unlink()
    # Where nothing can be written, numba has written nothing here either.
    with contextlib.suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        fresh = cache / f"{STAMP}.{os.getpid()}"
        fresh.write_text(digest.hexdigest())
        fresh.replace(stamp)
    return True


def _cache(sources: Path) -> Path:
    elsewhere = os.environ.get("NUMBA_CACHE_DIR")
    return Path(elsewhere) if elsewhere else sources / "__pycache__"
