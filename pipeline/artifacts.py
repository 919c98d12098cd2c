"""Every path of the project, and every load and save.

No half-written file or folder is ever visible: each is written under a temporary name, synced, and then renamed.
"""

import contextlib
import io
import json
import os
import shutil
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.errors import DataError

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Project:
    """The paths of the project in the folder `root`."""

    root: Path

    @property
    def home(self) -> Path:
        """Return the user's checkout: DVC runs queued experiments in temporary copies, and sets DVC_ROOT to it."""
        return Path(os.environ.get("DVC_ROOT") or self.root)

    @property
    def spool(self) -> Path:
        """Return the folder of the journals that wait to be sent to MLflow."""
        return self.home / "data" / "spool"

    def raw(self, source: str) -> Path:
        return self.root / "data" / "raw" / source

    def reader(self, source: str) -> Path:
        """Return the hashes of the modules that read the source."""
        return self.root / "data" / "readers" / f"{source}.json"

    def prepared(self, dataset: str) -> Path:
        return self.root / "data" / "prepared" / dataset

    def baselines(self, dataset: str) -> Path:
        return self.root / "data" / "baselines" / dataset

    def model(self, experiment: str) -> Path:
        return self.root / "data" / "models" / experiment

    def previous(self, experiment: str) -> Path:
        """Return the copy of the last good model, which stays when DVC deletes the outputs of a stage to rerun it."""
        return self.home / "data" / "previous" / experiment

    def checkpoints(self, experiment: str) -> Path:
        """Return the folder from which an interrupted training goes on."""
        return self.home / "data" / "checkpoints" / experiment

    def metrics(self, dataset: str, experiment: str) -> Path:
        return self.root / "reports" / "metrics" / dataset / f"{experiment}.json"

    def scores(self, experiment: str) -> Path:
        """Return the file of figures that `dvc metrics` and `dvc exp show` print."""
        return self.root / "reports" / "scores" / f"{experiment}.json"

    def predictions(self, dataset: str, experiment: str) -> Path:
        return self.root / "data" / "predictions" / dataset / experiment

    def curves(self, dataset: str, experiment: str) -> Path:
        return self.root / "reports" / "curves" / dataset / f"{experiment}.csv"

    def report(self, dataset: str) -> Path:
        return self.root / "reports" / dataset

    def section(self, dataset: str, *, textbook: bool = False) -> Path:
        """Return the folder of the data set's part of an index page: section.html and metrics.json."""
        return self.root / "reports" / ("textbook" if textbook else "sections") / dataset

    @property
    def plots(self) -> Path:
        """Return the file that tells DVC what `dvc plots` draws."""
        return self.root / "reports" / "dvc.yaml"

    @property
    def index(self) -> Path:
        return self.root / "reports" / "index.html"

    @property
    def textbook_index(self) -> Path:
        """Return the page of the textbook's protocols."""
        return self.root / "reports" / "textbook.html"

    @property
    def textbook_table(self) -> Path:
        """Return the table of the textbook's figures."""
        return self.root / "reports" / "textbook.md"

    @property
    def probe(self) -> Path:
        """Return the result of the last probe of the publishers."""
        return self.root / "reports" / "probe.json"


def here() -> Project:
    """Return the project in the current folder; stages and commands run in the project's root."""
    return Project(Path.cwd())


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give an empty folder that replaces `target` if the block succeeds, and is deleted if it fails."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    fresh.mkdir()
    try:
        yield fresh
        for path in fresh.rglob("*"):
            if path.is_file():
                _sync(path)
        old = fresh.with_suffix(".old.tmp")
        if target.exists():
            target.rename(old)  # deleting it takes time; nobody may see a part of it
        fresh.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def save_bytes(path: Path, content: bytes) -> None:
    """Write a file, and the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        fresh.write_bytes(content)
        _sync(fresh)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def save_text(path: Path, text: str) -> None:
    save_bytes(path, text.encode())


def save_json(path: Path, value: Any) -> None:
    """Save JSON with sorted keys and without NaN: equal values give equal bytes, and every JSON reader accepts them."""
    save_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def load_json(path: Path) -> Any:
    """Load a JSON file. Raises DataError if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: not found; run `dvc repro` to make it") from None
    except ValueError as error:
        raise DataError(f"{path}: not a complete JSON file ({error}); run `dvc checkout` to restore it") from None


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Save an .npz file without pickles; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{name: arrays[name] for name in sorted(arrays)})
    save_bytes(path, buffer.getvalue())


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Load an .npz file. Raises DataError if it is missing or damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except FileNotFoundError:
        raise DataError(f"{path}: not found; run `dvc repro` to make it") from None
    except (ValueError, OSError, EOFError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a complete .npz file ({error}); run `dvc checkout` to restore it") from None


def save_encoded(folder: Path, encoded: Encoded) -> None:
    """Save a prepared data set."""
    save_arrays(folder / "arrays.npz", encoded.arrays)
    save_json(folder / "encoder.json", dict(encoded.encoder))
    save_json(folder / "summary.json", {"examples": dict(encoded.examples), **encoded.summary})


def load_encoded(folder: Path) -> Encoded:
    """Load a prepared data set. Raises DataError if a file is missing or damaged."""
    summary = load_json(folder / "summary.json")
    if not isinstance(summary, dict) or "examples" not in summary:
        raise DataError(f"{folder / 'summary.json'}: the key `examples` is missing; run `dvc checkout` to restore it")
    examples = summary.pop("examples")
    return Encoded(load_arrays(folder / "arrays.npz"), load_json(folder / "encoder.json"), examples, summary)


def _sync(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
