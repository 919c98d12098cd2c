"""Answer raw input with a trained model's folder: its preprocessing, its network and its weights.

The network is computed in NumPy from its description, graph.json. Keras computes it if the folder has none, as those of
older versions, or if the network has a layer that pipeline.inference lacks. The weights are loaded as plain arrays: a
model file never brings code or pickles.
"""

import copy
import functools
import threading
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from pipeline import artifacts
from pipeline.config import renamed
from pipeline.config.schema.networks import ExperimentRows
from pipeline.errors import DataError
from pipeline.evaluation.network import LoadedNetwork, Predicting
from pipeline.inference.graph import Graph
from pipeline.inference.settings import Unsupported
from pipeline.raw_input import MAX_INPUTS, Answer, bounded, deadline, shown
from pipeline.tasks import task_named

SECONDS = 50.0  # of an answer of a server; MLflow's server gives up after a minute
ROW: TypeAdapter[Any] = TypeAdapter(Annotated[ExperimentRows, Field(discriminator="task")])
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
        self.graph = _graph(folder)
        self._turn = threading.Lock()  # servers use threads, and a carried state belongs to one answer

    def twin(self) -> "Served":
        """Return the same model with a network of its own, for another thread. Both share the weights."""
        twin = copy.copy(self)
        twin.__dict__.pop("loaded", None)
        twin._turn = threading.Lock()
        return twin

    def answer(
        self, inputs: Sequence[Any], options: Mapping[str, Any] | None = None, seconds: float | None = None
    ) -> list[Answer]:
        """Return one answer for each input, in the form that docs/serving.md describes for the task.

        The `warning` of an answer says why it may be misleading. seconds: limit of the time. Raises DataError for input
        that the task cannot read, an unknown option or too much input at once; Busy after the limit.
        """
        options = self._checked(options)
        bounded(len(inputs), MAX_INPUTS, "inputs")
        with self._turn, deadline(float("inf") if seconds is None else seconds):
            return self.task.answer(self.loaded, inputs, options) if len(inputs) else []

    def stream(self, given: Any, options: Mapping[str, Any] | None, seconds: float) -> Generator[Answer, None, None]:
        """Yield the answer to one raw input in parts, each as soon as it is made. Read it to its end, or close it.

        Raises as `answer` does; DataError also if the task answers as a whole alone.
        """
        if self.task.stream is None:
            raise DataError(f"{self.task.title}: an answer has no parts; ask for the whole")
        options = self._checked(options)
        with self._turn, deadline(seconds):
            yield from self.task.stream(self.loaded, given, options)

    def _checked(self, options: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the options; raises DataError for an unknown one."""
        options, known = dict(options or {}), self.task.serving_example.options or {}
        for name in options:
            if name not in known:
                raise DataError(f"{name}: no such option; known: {', '.join(known) or 'none'}")
        return options

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
        """Return the network with its weights, in the form in which it answers.

        Raises DataError if the files of the folder do not belong together.
        """
        return LoadedNetwork(self.row, self.encoder, self._in_numpy() or self._in_keras())

    def _in_numpy(self) -> Predicting | None:
        """Return the network of graph.json; None if there is no such file, or a layer that is not in NumPy."""
        if self.graph is None:
            return None
        path = self.folder / "graph.json"
        try:
            self._compare([tuple(shape) for shape in self.graph["weights"]], path.name)
            return Graph(self.graph, self.weights)
        except DataError:
            raise
        except Unsupported:
            return None
        except Exception as error:  # whatever a foreign description leads to
            raise DataError(f"{path}: not the description of a network ({_reason(error)}); {RESTORE}") from None

    def _in_keras(self) -> Predicting:
        """Return the network that is built from network.json and encoder.json. Imports Keras and TensorFlow."""
        from pipeline.training.compiled import Compiled
        from pipeline.training.description import serving_model
        from pipeline.training.fit import load

        try:
            model = serving_model(self.task.network(), self.row, self.encoder)
        except Exception as error:  # whatever a foreign encoder or row leads to
            raise DataError(
                f"{self.folder}: no network fits network.json and encoder.json ({_reason(error)}); {RESTORE}"
            ) from None
        self._compare([tuple(variable.shape) for variable in model.trainable_variables], "network.json")
        load(model, self.weights)
        return Compiled(model)

    def _compare(self, expected: list[tuple[int, ...]], name: str) -> None:
        """Raise DataError unless the weights have the shapes of the network in the file `name`."""
        found = [array.shape for array in self.weights]
        if found != expected:
            raise DataError(
                f"{self.folder / 'weights' / '0.npz'}: arrays of shapes {found}; the network in {name} has {expected}."
                f" The files are of different models; {RESTORE}"
            )


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"


def _row(folder: Path) -> ExperimentRows:
    path = folder / "network.json"
    stored = artifacts.load_json(path)
    try:
        row: ExperimentRows = ROW.validate_python(renamed.current(stored))
    except (ValidationError, AttributeError, KeyError, TypeError, ValueError) as error:
        what = _fault(error.errors()[0]) if isinstance(error, ValidationError) else str(error)
        raise DataError(f"{path}: not the parameters of a network, {what}; {RESTORE}") from None
    return row


def _fault(fault: Mapping[str, Any]) -> str:
    """Return a fault of the row with its place; the first part of it is the task."""
    return f"{'.'.join(map(str, fault['loc'][1:])) or 'its content'}: {fault['msg']}"


def _encoder(folder: Path) -> dict[str, Any]:
    path = folder / "encoder.json"
    stored = artifacts.load_json(path)
    if not isinstance(stored, dict):
        raise DataError(f"{path}: found {type(stored).__name__}, not the preprocessing of a model; {RESTORE}")
    return dict(renamed.current_encoder(stored))


def _graph(folder: Path) -> Any:
    path = folder / "graph.json"
    return artifacts.load_json(path) if path.is_file() else None


def _weights(folder: Path) -> list[Any]:
    path = folder / "weights" / "0.npz"
    stored = artifacts.load_arrays(path)
    for name, array in stored.items():
        if not (np.issubdtype(array.dtype, np.floating) and np.isfinite(array).all()):
            raise DataError(f"{path}: {name} holds values that are not finite numbers; {RESTORE}")
    return [stored[name] for name in sorted(stored)]
