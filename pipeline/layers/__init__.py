"""The networks and their training: the only folder that imports TensorFlow and Keras, and the place that quiets them.

A model module offers

- build(network, encoder, batch=None) -> keras.Model: `batch` fixes the batch size, which a stateful network needs;
- feed(network, encoded, splits, fold) -> Feed: the training batches;
- start(model, network, encoded, splits, fold), if any: what a new network is given before it is trained;
- loss(network): the Keras loss;
- predictor(model, network, encoded): a function of (split, fitted_on, fold) that returns, with the model's weights of
  the moment, predictions in the form that the task's score() takes; `fitted_on`: the splits the model was fitted on.
  It may have extras(fitted_on, fold), arrays by name that are stored beside them; samples(seed), rows with prompt,
  temperature and text that it generates in the end; and checkpoint(epoch, seed, last), such rows with their epoch, or
  none, after every epoch;
- compiled(network, model) -> Compiled, where more than the graphs of Keras can train it.
"""

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Protocol, cast

from numpy.typing import NDArray

from pipeline.config.schema.values import named
from pipeline.encoding.records import Encoded
from pipeline.errors import ConfigError

MODELS = {
    "char_lm": "pipeline.tasks.char_lm.network",
    "char_windows": "pipeline.tasks.textbook.char_windows.network",
    "sentiment": "pipeline.tasks.sentiment.network",
    "pos_tagging": "pipeline.tasks.pos_tagging.network",
    "forecasting": "pipeline.tasks.forecasting.network",
    "image_rows": "pipeline.tasks.image_rows.network",
    "returns": "pipeline.tasks.returns.network",
    "scaled_windows": "pipeline.tasks.textbook.scaled_windows.network",
    "padded_texts": "pipeline.tasks.textbook.padded_texts.network",
    "cosine_windows": "pipeline.tasks.textbook.cosine_windows.network",
    "padded_tags": "pipeline.tasks.textbook.padded_tags.network",
}
INSTALL = "install it into .venv as docs/frameworks.md says, or set backend: tensorflow"
Predictor = Callable[[str, tuple[str, ...], int], NDArray[Any]]


class Model(Protocol):
    def build(self, network: Any, encoder: Any, batch: int | None = None) -> Any: ...

    def feed(self, network: Any, encoded: Encoded, splits: tuple[str, ...], fold: int) -> Any: ...

    def loss(self, network: Any) -> Any: ...

    def predictor(self, model: Any, network: Any, encoded: Encoded) -> Predictor: ...


def load_model(task: str) -> Model:
    return cast(Model, importlib.import_module(named(MODELS, task, "task")))


def import_keras() -> ModuleType:
    """Keras on TensorFlow: start-up chatter off, two threads, deterministic kernels.

    Keras imports scikit-learn and matplotlib for wrappers that are not used here; keeping them out while it is
    imported saves a third of the start-up time of every training process.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if "keras" in sys.modules:
        return sys.modules["keras"]
    spared = [name for name in ("sklearn", "matplotlib") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(spared))  # type: ignore[arg-type]
    try:
        with _silent():
            keras = importlib.import_module("keras")
    except ImportError as error:
        raise ConfigError(f"backend: {os.environ['KERAS_BACKEND']} cannot be imported ({error}); {INSTALL}") from None
    finally:
        for name in spared:
            del sys.modules[name]
    if keras.backend.backend() == "tensorflow":
        tensorflow = importlib.import_module("tensorflow")
        tensorflow.config.threading.set_intra_op_parallelism_threads(2)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
        tensorflow.config.experimental.enable_op_determinism()
    return keras


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Standard error of the C++ side to nowhere: some of its start-up lines come before any log level is read."""
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] != "3":
        yield
        return
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


keras = import_keras()
