"""Compilation of kernels, cached on disk in one folder per version of their source.

Numba looks for changes only in the file of the function itself, but compiled code contains the
functions it calls in other files, too. The cache of the kernels is therefore a folder named after
the source of all of them. Folders of other versions stay as they are.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from numba import njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(**options: Any) -> Callable[[Function], Function]:
    """Return a decorator that compiles a function, without the GIL and with the cache of kernels.

    Options are those of `numba.njit`.
    """

    def compile_function(function: Function) -> Function:
        dispatcher = njit(nogil=True, **options)(function)
        if hasattr(dispatcher, "enable_caching"):  # not under NUMBA_DISABLE_JIT
            dispatcher._cache = _KernelCache(function)  # type: ignore[no-untyped-call]
        compiled: Function = dispatcher
        return compiled

    return compile_function


class _SourceCache(CompileResultCacheImpl):
    """Numba's cache of one function, in a subfolder of the folder that numba chooses."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        version = _source_digest(Path(inspect.getfile(function)).parent)
        folder = os.path.join(self.locator.get_cache_path(), f"kernels-{version}")
        self.locator.get_cache_path = lambda: folder


class _KernelCache(FunctionCache):
    _impl_class = _SourceCache


@functools.cache
def _source_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        digest.update(f"{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]
