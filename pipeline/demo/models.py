"""The stored models that the demo asks: which there are, and those that are loaded."""

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.errors import DataError, UserError
from pipeline.inference.graph import supported
from pipeline.integrity import checksums
from pipeline.serving.ask import NAME
from pipeline.serving.bounds import Intake, Lane
from pipeline.serving.served import Served
from pipeline.serving.server import Server
from pipeline.tasks import task_named
from pipeline.tasks.image_rows.answers import BRIGHT

MAX_LOADED = 6  # models in memory; the one that was not asked for longest goes
WAITING = 32  # requests that may wait for a model to be loaded
FILES = ("network.json", "encoder.json", "weights/0.npz")
SHOWN = ("cell", "dataset", "edition", "parameters", "protocol")
NONE = (
    "no trained model in {folder}: run `make repro` (six minutes on synthetic data), or train one with"
    " `.venv/bin/dvc repro train@digits`"
)

Stamp = tuple[tuple[int, int, int], ...]


class Held(NamedTuple):
    """A loaded model, the files that it was read from, and its row in the list."""

    server: Server
    stamp: Stamp
    row: dict[str, Any]


class Models:
    """The models below data/models. A model whose files change is read again when it is next asked.

    DVC deletes a model before it trains it again: until the new one is there, the old one answers if it is loaded.
    """

    def __init__(self, project: Project) -> None:
        self.folder = project.model("x").parent
        self.intake, self.loading = Intake(), Lane(WAITING, 1)
        self.held: OrderedDict[str, Held] = OrderedDict()

    def listed(self) -> tuple[list[dict[str, Any]], list[str]]:
        """Return a description of each model, and a sentence for each folder that is none."""
        rows, faults = [], []
        for name in sorted({*self._names(), *self.held}):
            try:
                rows.append(self._row(name))
            except UserError as error:
                faults.append(str(error))
        return rows, faults

    def described(self, name: str, server: Server) -> dict[str, Any]:
        """Return what the page needs to know of a loaded model in order to ask it."""
        served = server.small.served
        return {"name": name, "options": dict(served.task.serving_example.options or {}), **_inputs(served)}

    async def get(self, name: str) -> Server:
        """Return the loaded model. Raises DataError if there is none, or it is damaged and was never loaded."""
        if not NAME.fullmatch(name):
            raise DataError(f"{name[:60]!r} is not the name of an experiment")
        held = self.held.get(name)
        if held is not None and _stamp(self.folder / name) in (None, held.stamp):
            self.held.move_to_end(name)
            return held.server
        server: Server = await self.loading.run(lambda: self._load(name))
        return server

    def _load(self, name: str) -> Server:
        held, stamp = self.held.get(name), _stamp(self.folder / name)
        if held is not None and stamp in (None, held.stamp):  # another request has loaded it meanwhile
            return held.server
        if stamp is None:
            known = ", ".join(self._names())
            raise DataError(f"{name}: no trained model; {f'trained: {known}' if known else none(self.folder)}")
        try:
            server, row = _server(self.folder / name, self.intake), self._row(name)
        except DataError:
            if held is None:
                raise
            return held.server
        self.held[name] = Held(server, stamp, row)
        self.held.move_to_end(name)
        while len(self.held) > MAX_LOADED:
            self.held.popitem(last=False)
        return server

    def _names(self) -> list[str]:
        return sorted(path.parent.name for path in self.folder.glob("*/model") if NAME.fullmatch(path.parent.name))

    def _row(self, name: str) -> dict[str, Any]:
        held = self.held.get(name)
        if held is not None and _stamp(self.folder / name) is None:
            return held.row
        network = _object(self.folder / name / "model" / "network.json")
        fit, task = _object(self.folder / name / "fit.json"), task_named(str(network.get("task")))
        shown = {key: fit.get(key) for key in SHOWN}
        return {"name": name, "command": task.command, "task": task.title, "units": network.get("units"), **shown}


def none(folder: Path) -> str:
    """Return the sentence that says how to make models."""
    return NONE.format(folder=folder)


def _object(path: Path) -> Mapping[str, Any]:
    found = artifacts.load_json(path)
    if not isinstance(found, dict):
        raise DataError(f"{path}: not a complete JSON object; {checksums.REPAIR}")
    return found


def _stamp(folder: Path) -> Stamp | None:
    """Return what changes when a model is replaced; None while it is missing."""
    try:
        stats = [(folder / "model" / name).stat() for name in FILES]
    except OSError:
        return None
    return tuple((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in stats)


def _server(folder: Path, intake: Intake) -> Server:
    """Load a model. Raises DataError if it is damaged, or NumPy cannot compute it."""
    checksums.check(folder)
    small = Served(folder / "model")
    if small.graph is None or not supported(small.graph):
        raise DataError(f"{folder.name}: only Keras can compute this model; ask it with `python -m pipeline` instead")
    large = small.twin()
    for served in (small, large):
        served.try_out()
    return Server(small, large, intake)


def _inputs(served: Served) -> dict[str, Any]:
    """Return the form of a model's input, of which each command has its own."""
    encoder, example = served.encoder, served.task.serving_example
    if served.task.command == "classify":
        height, width, channels = encoder["shape"]
        bright = bool(np.mean(encoder["mean"]) >= BRIGHT)
        return {"picture": {"height": height, "width": width, "channels": channels, "bright": bright}}
    if served.task.command == "forecast":
        latest = dict(example.of(encoder)) if example.of else {}
        columns = {name: values for name, values in latest.items() if isinstance(values, list)}
        return {
            "series": {
                "columns": [*columns] or ["values"],
                "latest": columns,
                "start": encoder.get("start") and latest.get("start"),
            }
        }
    return {"example": example.inputs[0]}
