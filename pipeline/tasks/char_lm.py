"""Character language model: predict each next character of a running text.

Split contiguously before anything is fitted. Symbols that the training part lacks are one UNKNOWN symbol.
"""

import bz2
import lzma
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.baselines.ngrams import Ids, longest_order, witten_bell_bits
from pipeline.encoding import vocabulary
from pipeline.encoding.records import SPLITS, Encoded, TextCorpus
from pipeline.encoding.text_cleaning import cleaned
from pipeline.rows.datasets import CharLmData
from pipeline.tasks import generated_text
from pipeline.tasks.base import Baseline

HEADLINE = "bits_per_char"
MONITOR = "bits_per_char"
BLOCK = 200
STREAMS = 8
WARM_UP = 500  # characters read before a split, so that its first character is not predicted from nothing


def encode(record: TextCorpus, row: CharLmData, seed: int) -> Encoded:
    """Arrays train, validation, test: int16 [characters], contiguous in the text's order."""
    del seed  # the split is by position
    text, options = cleaned(record, row)
    cuts = [round(len(text) * (1 - row.validation - row.test)), round(len(text) * (1 - row.test))]
    parts = dict(zip(SPLITS, (text[: cuts[0]], text[cuts[0] : cuts[1]], text[cuts[1] :]), strict=True))
    symbols = vocabulary.build(parts["train"])
    encoder = {**options, "symbols": list(symbols.symbols)}
    arrays = {name: symbols.encode(part).astype(np.int16) for name, part in parts.items()}
    summary = {
        "characters": len(text),
        "symbols": len(symbols) - 2,
        "unknown_in_test": int(np.sum(arrays["test"] == symbols.ids[vocabulary.UNKNOWN])),
        "findings": dict(record.findings),
    }
    return Encoded(arrays, encoder, {name: len(part) for name, part in parts.items()}, summary)


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """The encoder: its symbols are fitted on the training part alone."""
    return dict(encoded.encoder)


def carried_rows(encoded: Encoded, split: str, streams: int = STREAMS) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """(ids int32 [streams, characters + 1], lengths int64 [streams]): what is read in parallel to predict a split, of
    which the last `lengths` characters of a row are the stream's own, after the WARM_UP characters before them."""
    before = {"validation": ["train"], "test": ["train", "validation"]}[split]
    context = np.concatenate([encoded.arrays[s] for s in before])[-WARM_UP - 2 :]
    text = np.concatenate([context, encoded.arrays[split]]).astype(np.int32)
    ends = len(context) + np.linspace(0, len(encoded.arrays[split]), streams + 1).round().astype(int)
    lengths = np.diff(ends)
    # Every row is as long as the longest; what a shorter stream reads too much of comes first, as more warm-up.
    width = int(lengths.max()) + min(WARM_UP, len(context) - 2)
    return np.stack([text[end - width - 1 : end] for end in ends[1:]]), lengths


def score(encoded: Encoded, split: str, predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """`predictions`: float [characters], -log2 of the probability given to each character of the split."""
    assert len(predictions) == len(encoded.arrays[split])
    return {"bits_per_char": float(np.mean(predictions, dtype=np.float64))}


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> NDArray[np.float64]:
    """Bits of each test character."""
    return predictions.astype(np.float64)


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """An n-gram model (order chosen on validation) and two general compressors, all given the text before the test."""
    train, validation, test = (encoded.arrays[s] for s in SPLITS)
    size = len(encoded.encoder["symbols"])
    orders = range(1, longest_order(size) + 1)
    best = min(orders, key=lambda order: float(np.mean(witten_bell_bits(train, validation, size, order))))
    before = np.concatenate([train, validation])
    bits = witten_bell_bits(before, test, size, best)
    found = {f"{best}-gram": Baseline(score(encoded, "test", bits), (bits,))}
    for name, compress in (("bz2", bz2.compress), ("xz", lambda b: lzma.compress(b, preset=9))):
        extra = len(compress(_bytes(size, before, test))) - len(compress(_bytes(size, before)))
        found[name] = Baseline({"bits_per_char": 8 * extra / len(test)})
    return found


def generated(
    encoded: Encoded, samples: Sequence[Mapping[str, Any]], fitted_on: tuple[str, ...]
) -> list[dict[str, float]]:
    """What can be counted in what a model wrote that was fitted on those splits; see pipeline.tasks.generated_text."""
    source = np.concatenate([encoded.arrays[split] for split in fitted_on])
    return generated_text.figures(samples, source, encoded.encoder["symbols"])


def _bytes(size: int, *parts: Ids) -> bytes:
    return np.concatenate(parts).astype(np.uint8 if size <= 256 else np.int16).tobytes()
