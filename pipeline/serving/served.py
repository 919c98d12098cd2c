"""Answer raw input with a trained model's folder: its preprocessing, its rebuilt network and its weights.

The network is built from its row of parameters, and the weights are loaded as plain arrays: a model file never brings
code or pickles.
"""

import functools
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from pipeline import artifacts
from pipeline.config import renamed
from pipeline.config.schema.networks import ExperimentRows
from pipeline.errors import DataError
from pipeline.evaluation.network import LoadedNetwork
from pipeline.raw_input import MAX_INPUTS, Answer, bounded, deadline, shown
from pipeline.tasks import task_named

SECONDS = 50.0  # of an answer of a server; MLflow's server gives up after a minute
RESTORE = "run `dvc checkout` to restore it, or train it again"


class Served:
    """A trained model that answers raw input; the command line and the servers all call `answer`.

    Raises DataError for a folder that is not a complete model of this project. Nothing in it is executed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.row = _row(folder)
        self.task = task_named(self.row.task)
        self.encoder = _encoder(folder)
        self.weights = _weights(folder)
        self._turn = threading.Lock()  # servers use threads, and a carried state belongs to one answer

    def answer(
        self, inputs: Sequence[Any], options: Mapping[str, Any] | None = None, seconds: float | None = None
    ) -> list[Answer]:
        """Return one answer for each input, in the form that docs/serving.md describes for the task.

        The `warning` of an answer says why it may be misleading. seconds: limit of the time. Raises DataError for input
        that the task cannot read, an unknown option or too much input at once; Busy after the limit.
        """
        options, known = dict(options or {}), self.task.serving_example.options or {}
        for name in options:
            if name not in known:
                raise DataError(f"{name}: no such option; known: {', '.join(known) or 'none'}")
        bounded(len(inputs), MAX_INPUTS, "inputs")
        with self._turn, deadline(float("inf") if seconds is None else seconds):
            return self.task.answer(self.loaded, inputs, options) if len(inputs) else []

    def try_out(self) -> None:
        """Answer the task's example, which also traces the network. Raises DataError if the model cannot."""
        example = self.task.serving_example
        first = {} if isinstance(example.inputs[0], dict) else example.inputs[0]
        try:
            self.answer([first], {name: 1 for name in ("length", "steps") if name in (example.options or {})})
        except DataError:
            raise
        except Exception as error:  # whatever a foreign encoder leads to
            raise DataError(f"{self.folder}: fails on {shown(first)} ({_reason(error)}); {RESTORE}") from None

    @functools.cached_property
    def loaded(self) -> LoadedNetwork:
        """Return the network, built for serving, with its weights. Imports TensorFlow.

        Raises DataError if weights, encoder and parameters do not belong together.
        """
        from pipeline.training.compiled import Compiled
        from pipeline.training.fit import load

        network = self.task.network()
        try:
            form = network.serving(self.row, self.encoder)
            row = self.row.model_copy(update=dict(form.changes or {}))
            model = network.build(row, self.encoder, form.batch)
        except Exception as error:  # whatever a foreign encoder or row leads to
            raise DataError(
                f"{self.folder}: no network fits network.json and encoder.json ({_reason(error)}); {RESTORE}"
            ) from None
        expected = [tuple(variable.shape) for variable in model.trainable_variables]
        found = [array.shape for array in self.weights]
        if found != expected:
            raise DataError(
                f"{self.folder / 'weights' / '0.npz'}: arrays of shapes {found}; the network in network.json has"
                f" {expected}. The files are of different models; {RESTORE}"
            )
        load(model, self.weights)
        return LoadedNetwork(self.row, self.encoder, Compiled(model))


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"


def _row(folder: Path) -> ExperimentRows:
    path = folder / "network.json"
    stored = artifacts.load_json(path)
    try:
        row: ExperimentRows = TypeAdapter[ExperimentRows](ExperimentRows).validate_python(renamed.current(stored))
    except (ValidationError, AttributeError, KeyError, TypeError, ValueError) as error:
        what = _first(error) if isinstance(error, ValidationError) else str(error)
        raise DataError(f"{path}: not the parameters of a network, {what}; {RESTORE}") from None
    return row


def _first(error: ValidationError) -> str:
    """Return the first fault of the task that the row is of: each task has reported what it lacks for it."""
    faults = error.errors()
    others = {fault["loc"][0] for fault in faults if fault["loc"] and fault["loc"][-1] == "task"}
    fault = next((fault for fault in faults if fault["loc"] and fault["loc"][0] not in others), faults[0])
    return f"{'.'.join(map(str, fault['loc'][1:])) or 'its content'}: {fault['msg']}"


def _encoder(folder: Path) -> dict[str, Any]:
    path = folder / "encoder.json"
    stored = artifacts.load_json(path)
    if not isinstance(stored, dict):
        raise DataError(f"{path}: found {type(stored).__name__}, not the preprocessing of a model; {RESTORE}")
    return dict(renamed.current_encoder(stored))


def _weights(folder: Path) -> list[Any]:
    path = folder / "weights" / "0.npz"
    stored = artifacts.load_arrays(path)
    for name, array in stored.items():
        if not (np.issubdtype(array.dtype, np.floating) and np.isfinite(array).all()):
            raise DataError(f"{path}: {name} holds values that are not finite numbers; {RESTORE}")
    return [stored[name] for name in sorted(stored)]
