"""Answer raw input with a trained model's folder: its preprocessing, its rebuilt network and its weights.

The network is built from its row of parameters, and the weights are loaded as plain arrays: a model file never brings
code or pickles.
"""

import functools
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pipeline import artifacts
from pipeline.config import renamed
from pipeline.config.schema.networks import ExperimentRows
from pipeline.errors import DataError
from pipeline.evaluation.network import LoadedNetwork
from pipeline.raw_input import Answer
from pipeline.tasks import task_named


class Served:
    """A trained model that answers raw input; the command line and the MLflow model both call `answer`."""

    def __init__(self, folder: Path) -> None:
        self.row: ExperimentRows = TypeAdapter[ExperimentRows](ExperimentRows).validate_python(
            renamed.current(artifacts.load_json(folder / "network.json"))
        )
        self.task = task_named(self.row.task)
        self.encoder = renamed.current_encoder(artifacts.load_json(folder / "encoder.json"))
        stored = artifacts.load_arrays(folder / "weights" / "0.npz")
        self.weights = [stored[name] for name in sorted(stored)]
        self._turn = threading.Lock()  # servers use threads, and a carried state belongs to one answer

    def answer(self, inputs: Sequence[Any], options: Mapping[str, Any] | None = None) -> list[Answer]:
        """Return one answer for each input, in the form that docs/serving.md describes for the task.

        The `warning` of an answer says why it may be misleading. Raises DataError for input that the task cannot read,
        and for an unknown option.
        """
        options, known = dict(options or {}), self.task.serving_example.options or {}
        for name in options:
            if name not in known:
                raise DataError(f"{name}: no such option; known: {', '.join(known) or 'none'}")
        with self._turn:
            return self.task.answer(self.loaded, inputs, options) if len(inputs) else []

    @functools.cached_property
    def loaded(self) -> LoadedNetwork:
        """Return the network, built for serving, with its weights. Imports TensorFlow."""
        from pipeline.training.compiled import Compiled
        from pipeline.training.fit import load

        network = self.task.network()
        form = network.serving(self.row, self.encoder)
        row = self.row.model_copy(update=dict(form.changes or {}))
        model = network.build(row, self.encoder, form.batch)
        load(model, self.weights)
        return LoadedNetwork(self.row, self.encoder, Compiled(model))
