"""Raw input → answer, from a trained model's folder: the stored preprocessing, the rebuilt network, its weights.

The network is built from its own row of parameters and only weights are loaded, as plain arrays: no code and no pickle
ever comes out of a model file.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pipeline import artifacts
from pipeline.config.schema.networks import ExperimentRows
from pipeline.config.schema.values import named
from pipeline.errors import DataError
from pipeline.raw_input import Answer
from pipeline.tasks.forecasting.answers import _forecasts
from pipeline.tasks.image_rows.answers import _pictures
from pipeline.tasks.pos_tagging.answers import _tags
from pipeline.tasks.returns.answers import _next_days
from pipeline.tasks.sentiment.answers import _label
from pipeline.tasks.textbook.cosine_windows.answers import _after_windows
from pipeline.tasks.textbook.padded_tags.answers import _padded_tags
from pipeline.tasks.textbook.padded_texts.answers import _padded_label
from pipeline.tasks.textbook.scaled_windows.answers import _next_values
from pipeline.training.continuations import _continuations

OPTIONS: dict[str, tuple[str, ...]] = {
    "char_lm": ("length", "temperature", "top_p", "seed", "score"),
    "char_windows": ("length", "temperature", "top_p", "seed"),
    "forecasting": ("steps",),
    "cosine_windows": ("steps",),
}


class Served:
    """A trained model that answers raw input; `answer` is what the command line and the MLflow model both call."""

    def __init__(self, folder: Path) -> None:
        self.network: ExperimentRows = TypeAdapter[ExperimentRows](ExperimentRows).validate_python(
            artifacts.load_json(folder / "network.json")
        )
        self.encoder = artifacts.load_json(folder / "encoder.json")
        stored = artifacts.load_arrays(folder / "weights" / "0.npz")
        self.weights = [stored[name] for name in sorted(stored)]
        self._compiled: dict[int | None, Any] = {}
        self._turn = threading.Lock()  # a server answers in threads, and a carried state belongs to one answer

    def answer(self, inputs: Sequence[Any], options: Mapping[str, Any] | None = None) -> list[Answer]:
        """One answer for each input; see ANSWERS for what a task takes and gives, and docs/serving.md. What may mislead
        is said in the answer's `warning`.

        Raises DataError for input that the task cannot read, and for options that it does not know.
        """
        options, known = dict(options or {}), OPTIONS.get(self.network.task, ())
        for name in options:
            if name not in known:
                raise DataError(f"{name}: no such option; known: {', '.join(known) or 'none'}")
        with self._turn:
            return named(ANSWERS, self.network.task, "task")(self, inputs, options) if len(inputs) else []

    def compiled(self, batch: int | None = None, **changes: Any) -> Any:
        """The network with its weights, for batches of `batch`, with some of its parameters changed."""
        if batch not in self._compiled:
            from pipeline.layers import load_model
            from pipeline.training.compiled import Compiled
            from pipeline.training.fit import load

            network = self.network.model_copy(update=changes)
            model = load_model(network.task).build(network, self.encoder, batch)
            load(model, self.weights)
            self._compiled[batch] = Compiled(model)
        return self._compiled[batch]


ANSWERS: dict[str, Callable[[Served, Sequence[Any], dict[str, Any]], list[Answer]]] = {
    "char_lm": _continuations,
    "char_windows": _continuations,
    "sentiment": _label,
    "pos_tagging": _tags,
    "forecasting": _forecasts,
    "image_rows": _pictures,
    "returns": _next_days,
    "scaled_windows": _next_values,
    "padded_texts": _padded_label,
    "cosine_windows": _after_windows,
    "padded_tags": _padded_tags,
}
