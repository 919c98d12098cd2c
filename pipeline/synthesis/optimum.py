"""What the best possible predictor says of synthetic data, stored next to the raw files of a source."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pipeline import artifacts
from pipeline.errors import DataError

FILE = "optimum.npz"


def save(folder: Path, **arrays: NDArray[Any]) -> None:
    """Write the arrays to optimum.npz; equal arrays give equal bytes."""
    artifacts.save_arrays(folder / FILE, arrays)


def load(folder: Path, **rows: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of optimum.npz by name; published data have none.

    rows: how many rows the arrays of these names must have. Raises DataError if one differs, or the file is damaged.
    """
    path = folder / FILE
    arrays = artifacts.load_arrays(path) if path.is_file() else {}
    for name, count in rows.items():
        if arrays and len(arrays[name]) != count:
            what = f"{name} of {len(arrays[name]):,} rows, the data have {count:,}"
            raise DataError(f"{path}: {what}; run the download again")
    return arrays
