"""Which raw example each test loss belongs to: two models, perhaps of two states of the data, meet on what both were
tested on. One number for each loss, in the order of the task's losses()."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.values import named
from pipeline.encoding.records import SPLITS, Encoded
from pipeline.tasks.char_lm.raw_rows import _character_ids
from pipeline.tasks.forecasting.raw_rows import _origin_ids
from pipeline.tasks.image_rows.raw_rows import _image_ids
from pipeline.tasks.pos_tagging.raw_rows import _sentence_ids
from pipeline.tasks.returns.raw_rows import _day_ids
from pipeline.tasks.sentiment.raw_rows import _text_ids

Ids = NDArray[np.uint64]
TEST = SPLITS.index("test")


def row_ids(task: str, encoded: Encoded, fold: int) -> Ids:
    """uint64 [test losses]: equal for equal raw examples with equal answers. Raises ConfigError for a task whose
    models are not promoted."""
    return named(IDS, task, "task")(encoded, fold)


def hashed(rows: Iterable[bytes]) -> Ids:
    return np.array([int.from_bytes(hashlib.blake2b(row, digest_size=8).digest()) for row in rows], np.uint64)


IDS: dict[str, Callable[[Encoded, int], Ids]] = {
    "char_lm": _character_ids,
    "sentiment": _text_ids,
    "pos_tagging": _sentence_ids,
    "forecasting": _origin_ids,
    "returns": _day_ids,
    "image_rows": _image_ids,
}
TEST = SPLITS.index("test")
Answers = list[dict[str, Any]]
Network = Mapping[str, Any]


@dataclass(frozen=True)
class RawRows:
    """Raw test rows and what evaluate has for each. `read`: what is expected, taken from an answer. A difference is
    counted in `unit`, or in the stored value where that is larger: networks count in float32, with seven digits."""

    inputs: list[Any]
    expected: list[NDArray[Any]]
    read: Callable[[dict[str, Any], NDArray[Any]], NDArray[Any]]
    options: dict[str, Any] = field(default_factory=dict)
    unit: float = 1.0


def spread(total: int, rows: int) -> NDArray[np.int64]:
    """int64 [at most rows]: positions from 0 to total, evenly."""
    return np.unique(np.linspace(0, total - 1, min(total, max(rows, 1))).round().astype(np.int64))


def read_probabilities(encoded: Encoded) -> Callable[[dict[str, Any], NDArray[Any]], NDArray[Any]]:
    names = encoded.encoder["label_names"]

    def read(answer: dict[str, Any], expected: NDArray[Any]) -> NDArray[Any]:
        """No number at all where the label is another one."""
        if answer["label"] != names[expected.argmax()]:
            return np.full(len(names), np.nan)
        return np.array([answer["probabilities"][name] for name in names])

    return read
