"""What the best possible predictor says of synthetic data, stored beside the raw files of a source."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError

FILE = "optimum.npz"


def save(folder: Path, **arrays: NDArray[Any]) -> None:
    """Write the arrays to optimum.npz; equal arrays give equal bytes."""
    np.savez(folder / FILE, allow_pickle=False, **arrays)


def load(folder: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of optimum.npz by name; published data have none."""
    path = folder / FILE
    if not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def of_rows(folder: Path, name: str, rows: int) -> NDArray[Any] | None:
    """Return the array `name` of optimum.npz, None for published data. DataError if it is not of `rows` rows."""
    known = load(folder).get(name)
    if known is not None and len(known) != rows:
        raise DataError(
            f"{folder / FILE}: {name} of {len(known):,} rows, the data have {rows:,}; run the download again"
        )
    return known
