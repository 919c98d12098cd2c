"""The interface between a task's network and training or serving. Nothing here imports TensorFlow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

Rows = list[dict[str, Any]]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Predictor:
    """Predictions with the current weights of a model.

    `predict(split, fitted_on, fold)`: predictions in the form that the task's `score` takes; `fitted_on` names the
    splits that the model was fitted on. `further_arrays(fitted_on, fold)`: arrays by name, stored with the predictions.
    `samples(seed)`: texts that the final network generates, rows of prompt, temperature and text. `checkpoint(epoch,
    seed, last)`: such rows after an epoch, with its number.
    """

    predict: Callable[[str, tuple[str, ...], int], NDArray[Any]]
    further_arrays: Callable[[tuple[str, ...], int], Arrays] | None = None
    samples: Callable[[int], Rows] | None = None
    checkpoint: Callable[[int, int, bool], Rows] | None = None


@dataclass(frozen=True)
class ServingForm:
    """How a network is built to answer raw input: its fixed batch size, if any, and the settings that differ."""

    batch: int | None = None
    changes: Mapping[str, Any] | None = None


def as_trained(row: Any, encoder: Mapping[str, Any]) -> ServingForm:
    """Serve the network in the form in which it was trained, with batches of any size."""
    return ServingForm()


@dataclass(frozen=True)
class Network:
    """The functions that build, train and read a task's network.

    `build(row, encoder, batch)` → keras.Model; `batch` fixes the batch size, as a stateful network requires.
    `feed(row, encoded, splits, fold)` → the training batches. `loss(row)` → a Keras loss. `predictor(model, row,
    encoded)` → Predictor. `start(model, row, encoded, splits, fold)` sets initial weights. `compiled(row, model)` → the
    Compiled that trains the model, if not the default one. `serving(row, encoder)` → ServingForm.
    """

    build: Callable[..., Any]
    feed: Callable[..., Any]
    loss: Callable[..., Any]
    predictor: Callable[..., Predictor]
    start: Callable[..., None] | None = None
    compiled: Callable[..., Any] | None = None
    serving: Callable[[Any, Mapping[str, Any]], ServingForm] = as_trained


class Predicting(Protocol):
    """A network with its weights, computed by Keras (training.Compiled) or in NumPy (inference.Graph)."""

    def predict(self, x: Any) -> NDArray[Any]:
        """Return the output for one batch. Raises Busy after the deadline of an answer."""

    def reset_states(self) -> None:
        """Set the states that a stateful network carries from call to call to zero."""


@dataclass(frozen=True)
class LoadedNetwork:
    """A trained network that can answer: its row of settings, its encoder, and the network with its weights."""

    row: Any
    encoder: Mapping[str, Any]
    model: Predicting
