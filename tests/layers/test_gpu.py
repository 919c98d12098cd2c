"""What is computed where TensorFlow sees a GPU: Keras' own layers, on inputs that the fused kernels of cuDNN take.

There is no GPU here: one is put into TensorFlow's list of devices, and the calls of the kernels are recorded.
"""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from pipeline.layers import compiles, keras
from pipeline.tasks import TASKS
from pipeline.training.course import batches
from tests.tasks.case import CASES

tf = importlib.import_module("tensorflow")
rnn = importlib.import_module("keras.src.backend.tensorflow.rnn")  # the module: the package has a function of its name
HIDDEN = {"word_dropout": 50.0, "feature_dropout": 0.5, "affix_dropout": 50.0}  # words and features, in every batch


@dataclass
class Fused:
    """Calls of the fused kernels: how many, and how many of them had a mask that cuDNN refuses."""

    calls: int = 0
    refused: int = 0
    masks: list[Any] = field(default_factory=list)

    def lstm(self, x: Any, h: Any, c: Any, kernel: Any, recurrent: Any, bias: Any, mask: Any, *further: Any) -> Any:
        return self._called(x, h, mask, further[-1])

    def gru(self, x: Any, h: Any, kernel: Any, recurrent: Any, bias: Any, mask: Any, *further: Any) -> Any:
        return self._called(x, h, mask, further[-1])

    def _called(self, x: Any, state: Any, mask: Any, sequences: bool) -> Any:
        """Return zeros as outputs."""
        self.calls += 1
        if mask is not None and hasattr(mask, "numpy"):
            self.masks.append(mask.numpy())
            lengths = mask.numpy().sum(axis=1)
            padded = np.arange(mask.shape[1]) < lengths[:, None]
            self.refused += not (lengths.all() and np.array_equal(mask.numpy(), padded))
        last = tf.zeros_like(state)
        out = tf.zeros([*x.shape[:2], state.shape[-1]]) if sequences else last[:, None]
        return last, out, [last, last]


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fused]:
    listed, seen = tf.config.list_logical_devices, Fused()
    monkeypatch.setattr(
        tf.config, "list_logical_devices", lambda kind=None: ["GPU:0"] if kind == "GPU" else listed(kind)
    )
    monkeypatch.setattr(rnn, "_cudnn_lstm", seen.lstm)
    monkeypatch.setattr(rnn, "_cudnn_gru", seen.gru)
    compiles.cache_clear()
    yield seen
    monkeypatch.undo()
    compiles.cache_clear()


def directions(model: Any) -> int:
    """The number of recurrent layers, a bidirectional one twice."""
    wrapped, plain = keras.layers.Bidirectional, (keras.layers.LSTM, keras.layers.GRU)
    return sum(2 if isinstance(layer, wrapped) else isinstance(layer, plain) for layer in model.layers)


LATER = (pytest.mark.slow, pytest.mark.long)
FIRST = ("sentiment", "pos_tagging", "forecasting")  # masks of words, masks of sentences, none
OTHERS = [pytest.param(task, marks=LATER) for task in sorted({*TASKS} - {"cosine_windows", *FIRST})]  # it is in NumPy


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("task", [*FIRST, *OTHERS])
def test_every_recurrent_layer_can_use_the_fused_kernels(task: str, cell: str, fused: Fused) -> None:
    case = CASES[task]
    row = case.network_row(cell=cell)
    row = row.model_copy(update={name: rate for name, rate in HIDDEN.items() if hasattr(row, name)})
    row = row.model_copy(update={"recurrent_dropout": 0.0, "layers": 2})
    encoded, module = case.encoded(), case.task.network()
    model = module.build(row, encoded.encoder, row.batch_size if row.stateful else None)
    fused.calls = 0  # building calls them, too
    fed = list(batches(module.feed(row, encoded, ("train",), 0), 3, 1))[:2]
    for x, _, _ in fed:
        model(tf.constant(x), training=True)
    assert directions(model) >= 2 and fused.calls == len(fed) * directions(model)
    assert fused.refused == 0
    if task in ("sentiment", "pos_tagging"):
        assert fused.masks and not all(mask.all() for mask in fused.masks)
