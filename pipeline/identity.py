"""Which raw example each test loss belongs to: two models, perhaps of two states of the data, meet on what both were
tested on. One number for each loss, in the order of the task's losses()."""

import hashlib
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding import vocabulary
from pipeline.encoding.records import SPLITS, Encoded, unpack
from pipeline.rows.values import named
from pipeline.tasks import forecasting, pos_tagging, returns

Ids = NDArray[np.uint64]
CONTEXT = 64  # characters that make a place in a text unlike others
PAST = 8  # values that make a place in a series unlike others
FACTOR = 0x9E3779B97F4A7C15  # odd, so that no power of it is 0 modulo 2^64
TEST = SPLITS.index("test")


def row_ids(task: str, encoded: Encoded, fold: int) -> Ids:
    """uint64 [test losses]: equal for equal raw examples with equal answers. Raises ConfigError for a task whose
    models are not promoted."""
    return named(IDS, task, "task")(encoded, fold)


def _hashed(rows: Iterable[bytes]) -> Ids:
    return np.array([int.from_bytes(hashlib.blake2b(row, digest_size=8).digest()) for row in rows], np.uint64)


def _characters(encoded: Encoded, fold: int) -> Ids:
    """A polynomial hash of each test character with the CONTEXT before it."""
    symbols = encoded.encoder["symbols"]
    points = np.array([ord(s) if len(s) == 1 else 0 for s in symbols], np.uint64)
    points[vocabulary.Vocabulary(tuple(symbols)).ids[vocabulary.UNKNOWN]] = 0
    before = np.concatenate([encoded.arrays["train"][-CONTEXT:], encoded.arrays["validation"]])[-CONTEXT:]
    text = points[np.concatenate([before, encoded.arrays["test"]])] + np.uint64(1)
    found = np.zeros(len(encoded.arrays["test"]), np.uint64)
    for back in range(len(before) + 1):
        found += np.uint64(pow(FACTOR, back, 2**64)) * text[len(before) - back : len(text) - back]
    return found


def _texts(encoded: Encoded, fold: int) -> Ids:
    which = np.flatnonzero(encoded.arrays["split"][fold] == TEST)
    names = encoded.encoder["label_names"]
    labels = (names[label] for label in encoded.arrays["labels"][which])
    return _hashed(
        f"{label}\0{text}".encode() for label, text in zip(labels, unpack(encoded.arrays, which), strict=True)
    )


def _sentences(encoded: Encoded, fold: int) -> Ids:
    """The same number for each word of a sentence."""
    arrays, tags = encoded.arrays, [*encoded.encoder["tags"], ""]
    lengths = np.diff(arrays["offsets"])
    which = np.flatnonzero(arrays["split"][0] == TEST)
    spans = [np.arange(arrays["offsets"][i], arrays["offsets"][i + 1]) for i in which]
    rows = ("\0".join([*unpack(arrays, span), *(tags[t] for t in arrays["tags"][span])]).encode() for span in spans)
    ids = np.repeat(_hashed(rows), lengths[which])
    assert len(ids) == int(np.sum(pos_tagging.in_split(encoded, "test")))
    return ids


def _origins(encoded: Encoded, fold: int) -> Ids:
    origins, truth = forecasting.targets(encoded, "test")
    used = ~np.isnan(truth).all(axis=1)
    values = encoded.arrays["values"]
    return _hashed(
        values[max(0, origin - PAST + 1) : origin + 1].tobytes() + np.nan_to_num(row, nan=-1.0).tobytes()
        for origin, row in zip(origins[used], truth[used], strict=True)
    )


def _days(encoded: Encoded, fold: int) -> Ids:
    past = encoded.arrays["returns"]
    return _hashed(past[max(0, day - PAST) : day + 1].tobytes() for day in returns.days(encoded, "test", fold))


def _images(encoded: Encoded, fold: int) -> Ids:
    names = encoded.encoder["label_names"]
    pairs = zip(encoded.arrays["test_x"], encoded.arrays["test_y"], strict=True)
    return _hashed(pixels.tobytes() + names[label].encode() for pixels, label in pairs)


IDS: dict[str, Callable[[Encoded, int], Ids]] = {
    "char_lm": _characters,
    "sentiment": _texts,
    "pos_tagging": _sentences,
    "forecasting": _origins,
    "returns": _days,
    "image_rows": _images,
}
