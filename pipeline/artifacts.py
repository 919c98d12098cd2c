"""Every path of the project, and every load and save.

No half-written file or folder is ever visible: each is written under a temporary name, synced, and then renamed. The
writer holds a lock on it, by which others see that it lives.
"""

import contextlib
import fcntl
import io
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.errors import DataError
from pipeline.integrity import checksums, claims

Arrays = Mapping[str, NDArray[Any]]
TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}(\.old)?\.tmp")
OUTPUTS = ("data/*", "data/*/*", "reports", "reports/*", "reports/*/*")  # folders that hold outputs


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
        return self.root / "data" / "readers" / f"{source}.json"

    def prepared(self, dataset: str) -> Path:
        return self.root / "data" / "prepared" / dataset

    def baselines(self, dataset: str) -> Path:
        return self.root / "data" / "baselines" / dataset

    def model(self, experiment: str) -> Path:
        return self.root / "data" / "models" / experiment

    def previous(self, experiment: str) -> Path:
        """Return the copy of the last good model: DVC deletes the outputs of a stage before it reruns it."""
        return self.home / "data" / "previous" / experiment

    def checkpoints(self, experiment: str) -> Path:
        return self.home / "data" / "checkpoints" / experiment

    @property
    def trials(self) -> Path:
        return self.home / "data" / "trials"

    def outcome(self, table: str, name: str) -> Path:
        return self.root / "data" / table / name

    def outcome_scores(self, table: str, name: str) -> Path:
        return self.root / "reports" / table / f"{name}.json"

    def outcome_section(self, kind: str, name: str) -> Path:
        return self.root / "reports" / "sections" / f"{kind}-{name}"

    def metrics(self, dataset: str, experiment: str) -> Path:
        return self.root / "reports" / "metrics" / dataset / f"{experiment}.json"

    def scores(self, experiment: str) -> Path:
        return self.root / "reports" / "scores" / f"{experiment}.json"

    def predictions(self, dataset: str, experiment: str) -> Path:
        return self.root / "data" / "predictions" / dataset / experiment

    def curves(self, dataset: str, experiment: str) -> Path:
        return self.root / "reports" / "curves" / dataset / f"{experiment}.csv"

    def report(self, dataset: str) -> Path:
        return self.root / "reports" / dataset

    def section(self, dataset: str, *, textbook: bool = False) -> Path:
        """Return the folder of what an index page reads of the data set: metrics.json."""
        return self.root / "reports" / ("textbook" if textbook else "sections") / dataset

    @property
    def plots(self) -> Path:
        return self.root / "reports" / "dvc.yaml"

    @property
    def index(self) -> Path:
        return self.root / "reports" / "index.html"

    @property
    def textbook_index(self) -> Path:
        return self.root / "reports" / "textbook.html"

    @property
    def outcome_pages(self) -> Path:
        return self.root / "reports" / "pages"

    @property
    def probe(self) -> Path:
        return self.root / "reports" / "probe.json"


def here() -> Project:
    """Return the project in the current folder."""
    return Project(Path.cwd())


@contextlib.contextmanager
def new_folder(target: Path, *, listed: bool = False) -> Iterator[Path]:
    """Give an empty folder that replaces `target` if the block succeeds, and is deleted if it fails.

    listed: add the list of checksums, with which the stages that read the folder compare it. Raises UserError if
    another process has taken the place of this one meanwhile.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _temporary(target, Path.mkdir) as fresh:
        with _naming(target):
            yield fresh
            if listed:
                save_text(fresh / checksums.LIST, checksums.listed(fresh, target))
        for path in fresh.rglob("*"):
            if path.is_file():
                _sync(path)
        claims.refuse_if_lost()
        old = fresh.with_suffix(".old.tmp")
        if target.exists():
            target.rename(old)  # deleting it takes time; nobody may see a part of it
        fresh.rename(target)
        shutil.rmtree(old, ignore_errors=True)


def change_json(folder: Path, name: str, value: Any) -> None:
    """Replace a JSON file of a folder with a list of checksums, and the list with it: both at once, or none."""

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:  # a file system without links
            shutil.copyfile(source, target)

    with new_folder(folder, listed=True) as fresh:
        shutil.copytree(folder, fresh, copy_function=link, dirs_exist_ok=True)
        save_json(fresh / name, value)
        (fresh / checksums.LIST).unlink(missing_ok=True)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the path in an error of the operating system that names none, as those of writing to a full disk do."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def save_bytes(path: Path, content: bytes) -> None:
    """Write a file, and the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _temporary(path, Path.touch) as fresh:
        with _naming(path):
            fresh.write_bytes(content)
            _sync(fresh)
        claims.refuse_if_lost()
        fresh.replace(path)


@contextlib.contextmanager
def _temporary(target: Path, create: Callable[[Path], None]) -> Iterator[Path]:
    """Create a file or folder next to `target` and hold a lock on it; delete it at the end if it is still there."""
    fresh, lock = _created(target, create)
    try:
        yield fresh
    finally:
        _delete(fresh)
        if lock is not None:
            os.close(lock)


def _created(target: Path, create: Callable[[Path], None]) -> tuple[Path, int | None]:
    """Create the temporary file or folder, and lock it; None if the file system has no locks."""
    while True:
        fresh = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
        create(fresh)
        try:
            lock = _locked(fresh)
        except (BlockingIOError, FileNotFoundError):  # swept before it was locked
            continue
        except OSError:
            return fresh, None
        if fresh.exists():
            return fresh, lock
        os.close(lock)


def _locked(path: Path) -> int:
    """Open the file or folder, and lock it until it is closed or the process ends; OSError if another has it."""
    file = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file


def sweep(root: Path) -> None:
    """Delete the temporary files and folders in the project's folders of outputs whose writer was killed."""
    for path in (path for folder in OUTPUTS for path in root.glob(f"{folder}/.*.tmp")):
        if TEMPORARY.fullmatch(path.name):
            with contextlib.suppress(OSError):  # its writer lives
                lock = _locked(path)
                _delete(path)
                os.close(lock)


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


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
        raise DataError(f"{path}: not a complete JSON file ({error}); {checksums.REPAIR}") from None


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
    except Exception as error:  # an array's header is read as Python, so that a damaged one raises nearly anything
        raise DataError(f"{path}: not a complete .npz file ({error}); {checksums.REPAIR}") from None


def save_encoded(folder: Path, encoded: Encoded) -> None:
    """Save a prepared data set."""
    save_arrays(folder / "arrays.npz", encoded.arrays)
    save_json(folder / "encoder.json", dict(encoded.encoder))
    save_json(folder / "summary.json", {"examples": dict(encoded.examples), **encoded.summary})


def load_encoded(folder: Path) -> Encoded:
    """Load a prepared data set. Raises DataError if a file is missing or damaged."""
    summary = load_json(folder / "summary.json")
    if not isinstance(summary, dict) or "examples" not in summary:
        raise DataError(f"{folder / 'summary.json'}: the key `examples` is missing; {checksums.REPAIR}")
    examples = summary.pop("examples")
    return Encoded(load_arrays(folder / "arrays.npz"), load_json(folder / "encoder.json"), examples, summary)


def _sync(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
