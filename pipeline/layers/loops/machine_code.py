"""Where Numba keeps machine code: one folder for all checkouts of this user, named after the content of the loops.

Numba's own places are named after the path of a file and its time. Each clone, and each folder in which DVC runs an
experiment, would compile all cells again.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).parent
SOURCES = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(HERE.glob("*.py")))).hexdigest()[:16]


def folder() -> Path:
    """Return the folder: in NUMBA_CACHE_DIR, XDG_CACHE_HOME or ~/.cache."""
    given = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(given).expanduser() / "recurrent-loops" / SOURCES


class ByContent:
    """A cache locator of Numba (NUMBA_CACHE_LOCATOR_CLASSES)."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.line = function.__code__.co_firstlineno

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> Self | None:
        """Return the locator of a function, or None if the folder cannot be written."""
        locator = cls(function)
        try:
            locator.ensure_cache_path()
        except (OSError, RuntimeError):  # RuntimeError: a user without a home
            return None
        return locator

    def ensure_cache_path(self) -> None:
        """Make the folder, for this user alone: its content is executed. Raises OSError if it cannot be written."""
        path = folder()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        if hasattr(os, "getuid") and path.stat().st_uid != os.getuid():
            raise OSError(f"{path} belongs to another user")
        tempfile.TemporaryFile(dir=path).close()

    def get_cache_path(self) -> str:
        """Return the folder."""
        return str(folder())

    def get_source_stamp(self) -> str:
        """Return what tells whether machine code is of these loops."""
        return SOURCES

    def get_disambiguator(self) -> str:
        """Return what tells functions of the same name apart."""
        return str(self.line)
