"""Checkpoints: what an interrupted training needs to go on after its last epoch and to end in the same bytes.

A training that was killed finds its checkpoint by a key: the hash of its settings, its data and the code that trains.
Files are plain arrays, written under a temporary name and renamed. They are no outputs of DVC, which deletes outputs
before a stage runs.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import random
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import artifacts
from pipeline.encoding.records import Encoded
from pipeline.errors import DataError
from pipeline.training.average import Weights, trainable
from pipeline.training.course import Course

SHARE = 0.02  # of the time may go into writing checkpoints
FIRST = 1.0  # seconds before the first one
CODE = (
    "encoding",
    "evaluation",
    "layers",
    "reference",
    "training",
)  # folders of pipeline/ that change results, with the task's own
PACKAGES = ("keras", "numba", "numpy")
FACTS = "facts"
COURSE, FITTED = ("cost", "steps", "first", "ends"), ("best_epoch", "history", "samples")
Arrays = Mapping[str, NDArray[Any]]
Facts = dict[str, Any]
Key = dict[str, dict[str, str]]


def key(
    settings: Mapping[str, Any], encoded: Encoded, code: Path, task_folder: str, backend: str = "tensorflow"
) -> Key:
    """Return what a checkpoint must have in common with a training: {part: {name: value or hash}}.

    settings: the row of the experiment and the seed. code: the folder pipeline/; task_folder: that of the task in it.
    """
    files = [path for folder in (*CODE, task_folder) for path in (code / folder).rglob("*.py")]
    versions = {package: _version(package) for package in (*PACKAGES, backend)}
    return {
        "settings": {name: json.dumps(value) for name, value in sorted(settings.items())},
        "data": _of_data(encoded),
        "code": {path.relative_to(code).as_posix(): _sha256(path.read_bytes()) for path in sorted(files)},
        "versions": {"python": ".".join(map(str, sys.version_info[:3])), **versions},
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # TensorFlow has packages of several names
        return "unknown"


def _of_data(encoded: Encoded) -> dict[str, str]:
    facts = {"encoder": encoded.encoder, "examples": encoded.examples, "folds": encoded.summary.get("folds", 1)}
    found = {name: _sha256(json.dumps(dict(v) if isinstance(v, Mapping) else v).encode()) for name, v in facts.items()}
    for name, array in sorted(encoded.arrays.items()):
        head = f"{array.dtype.str} {array.shape} ".encode()
        found[name] = hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()
    return found


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def digest(key: Key) -> str:
    """Return the name of the folder of a key's checkpoint."""
    return _sha256(json.dumps(key, sort_keys=True).encode())[:16]


class Checkpoints:
    """The checkpoint of one experiment: its finished networks and phases, and the last epoch of the present one.

    `folder`: that of the experiment, with a folder for each key. Writing takes at most the share SHARE of the time.
    """

    def __init__(self, folder: Path, key: Key, label: str) -> None:
        self.home, self.folder, self.key, self.label = folder, folder / digest(key), key, label
        self.began, self.spent, self.last = time.monotonic(), 0.0, 0.0
        self.refused = False  # by the disk
        for path in self.folder.glob(".*.tmp"):  # a checkpoint that was being written when the training was killed
            path.unlink(missing_ok=True)

    def announce(self) -> None:
        """Say so if there are checkpoints, but none for these settings, data and code."""
        if self.folder.is_dir():
            return
        others = sorted(self.home.glob("[!.]*/key.json"), key=lambda path: path.stat().st_mtime)
        if others:
            print(
                f"{self.label}: checkpoint is for other {self._differences(others[-1])}; starting at epoch 1",
                flush=True,
            )

    def _differences(self, path: Path) -> str:
        try:
            theirs = artifacts.load_json(path)
            parts = {part: sorted(_different(self.key[part], theirs[part])) for part in self.key}
        except (DataError, KeyError, TypeError, AttributeError):
            return "settings"
        return " and ".join(f"{part} ({_listed(names)})" for part, names in parts.items() if names)

    def load(self, name: str) -> tuple[dict[str, NDArray[Any]], Facts] | None:
        """Load a file of the checkpoint; None if there is none. Deletes a damaged one, and says so."""
        path = self.folder / f"{name}.npz"
        if not path.exists():
            return None
        try:
            arrays = artifacts.load_arrays(path)
            return arrays, json.loads(arrays.pop(FACTS).tobytes())
        except (DataError, KeyError, ValueError):
            self.reject(name)
            return None

    def reject(self, name: str) -> None:
        """Delete a damaged file of the checkpoint, and say so."""
        path = self.folder / f"{name}.npz"
        print(f"{self.label}: {path} is damaged and not used; what it held is trained again", flush=True)
        path.unlink(missing_ok=True)

    def due(self) -> bool:
        """Whether the time for another file has come, if it takes as long as the last one."""
        now = time.monotonic()
        return now - self.began >= FIRST and self.spent + self.last <= SHARE * (now - self.began)

    def save(self, name: str, arrays: Arrays, facts: Facts) -> None:
        """Save a file of the checkpoint. On a full disk, say so once; the training goes on without checkpoints."""
        if self.refused:
            return
        started = time.monotonic()
        text = json.dumps(facts, default=float).encode()
        try:
            if not (self.folder / "key.json").exists():
                artifacts.save_json(self.folder / "key.json", self.key)
            artifacts.save_arrays(self.folder / f"{name}.npz", {**arrays, FACTS: np.frombuffer(text, np.uint8)})
        except OSError as error:
            self.refused = True
            print(f"{self.label}: no checkpoints: {self.folder}: {error.strerror}", file=sys.stderr, flush=True)
        self.last = time.monotonic() - started
        self.spent += self.last

    def discard(self) -> None:
        """Delete this checkpoint; those for other settings stay."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.home.rmdir()  # if it is empty

    def sweep(self) -> None:
        """Delete the checkpoints of the experiment, those for other settings too."""
        shutil.rmtree(self.home, ignore_errors=True)


def _different(ours: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[str]:
    return (name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name))


def _listed(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


class Keeper:
    """Keeps one phase of one network: fit() calls `resume` before its first epoch and `keep` after each.

    `place` names network and phase.
    """

    def __init__(self, checkpoints: Checkpoints, place: str) -> None:
        self.checkpoints, self.place = checkpoints, place

    def resume(self, course: Course) -> bool:
        """Put the course where the last checkpoint was, if it is of this phase."""
        found = self.checkpoints.load("epoch")
        if found is None or found[1].get("place") != self.place:
            return False
        try:
            restore(course, *found)
        except (KeyError, ValueError, TypeError):
            self.checkpoints.reject("epoch")
            return False
        return True

    def keep(self, course: Course) -> None:
        """Save the course if the time has come."""
        if self.checkpoints.due():
            arrays, facts = captured(course)
            self.checkpoints.save("epoch", arrays, {**facts, "place": self.place})


def captured(course: Course) -> tuple[dict[str, NDArray[Any]], Facts]:
    """Return the arrays and facts from which `restore` makes an equal course."""
    arrays = {
        **numbered("model", [np.asarray(v) for v in _variables(course)]),
        **numbered("optimizer", [np.asarray(v) for v in course.compiled.optimizer.variables]),
        **numbered("average", [np.asarray(v) for v in course.average.values]),
        **numbered("best", course.fitted.weights),
    }
    facts = {
        **{name: getattr(course, name) for name in COURSE},
        **{name: getattr(course.fitted, name) for name in FITTED},
        "seconds": course.seconds(),
        "averaged": course.average.steps,
        "random": random.getstate(),
    }
    return arrays, facts


def restore(course: Course, arrays: Arrays, facts: Facts) -> None:
    """Put back what `captured` returned. Raises KeyError or ValueError, and changes nothing, if it does not fit."""
    version, state, gauss = facts["random"]
    model, optimizer = ungrouped("model", arrays), ungrouped("optimizer", arrays)
    average, best = ungrouped("average", arrays), ungrouped("best", arrays)
    pairs = [
        *zip(_variables(course), model, strict=True),
        *zip(course.compiled.optimizer.variables, optimizer, strict=True),
        *zip(course.average.values, average, strict=True),
        *zip(trainable(course.compiled.model), best, strict=True),
    ]
    if any(tuple(variable.shape) != value.shape for variable, value in pairs):
        raise ValueError("arrays of another shape")
    values = {name: facts[name] for name in COURSE}
    fitted = replace(course.fitted, weights=best, **{name: facts[name] for name in FITTED}, earlier=facts["seconds"])
    course.average.steps = facts["averaged"]
    for name, value in values.items():
        setattr(course, name, value)
    course.fitted = fitted
    for variable, value in pairs[: len(model) + len(optimizer)]:
        variable.assign(value)
    course.average.assign(average)
    # Keras draws seeds from Python's generator when layers are built, as for the gradients of an untrained network.
    random.setstate((version, tuple(state), gauss))


def _variables(course: Course) -> list[Any]:
    """The variables of all layers: weights, states, and the seeds of dropout."""
    return [variable for layer in course.compiled.model.layers for variable in layer.variables]


def numbered(group: str, arrays: Weights) -> dict[str, NDArray[Any]]:
    """Return {group/0000: array}."""
    return {f"{group}/{i:04d}": array for i, array in enumerate(arrays)}


def ungrouped(group: str, arrays: Arrays) -> Weights:
    """Return the arrays of a group in their order."""
    return [arrays[name] for name in sorted(arrays) if name.startswith(f"{group}/")]
