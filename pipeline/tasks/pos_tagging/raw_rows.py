"""Test sentences of pos_tagging as raw input, and an id of each tagged test sentence."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import TEST, Encoded, unpack
from pipeline.evaluation.raw_rows import Ids, RawRows, hashed, spread
from pipeline.raw_input import as_sentence
from pipeline.tasks.pos_tagging import prepare


def row_ids(encoded: Encoded, fold: int) -> Ids:
    """Return uint64 [test words]: a hash of the words and tags of the sentence, the same for each of its words."""
    arrays, tags = encoded.arrays, [*encoded.encoder["tags"], ""]
    lengths = np.diff(arrays["offsets"])
    which = np.flatnonzero(arrays["split"][0] == TEST)
    spans = [np.arange(arrays["offsets"][i], arrays["offsets"][i + 1]) for i in which]
    rows = ("\0".join([*unpack(arrays, span), *(tags[t] for t in arrays["tags"][span])]).encode() for span in spans)
    ids = np.repeat(hashed(rows), lengths[which])
    assert len(ids) == int(np.sum(prepare.in_split(encoded, "test")))
    return ids


def raw_rows(network: Mapping[str, Any], encoded: Encoded, stored: NDArray[Any], rows: int) -> RawRows:
    """Return at most `rows` test sentences. stored: int [test words], the predicted tag ids."""
    arrays, ids = encoded.arrays, {tag: i for i, tag in enumerate(encoded.encoder["tags"])}
    tests = np.flatnonzero(arrays["split"][0] == TEST)
    starts = np.cumsum([0, *np.diff(arrays["offsets"])[tests]])
    inputs, expected = [], []
    for i in spread(len(tests), rows):
        words = unpack(arrays, np.arange(arrays["offsets"][tests[i]], arrays["offsets"][tests[i] + 1]))
        inputs.append(as_sentence(words))
        expected.append(stored[starts[i] : starts[i + 1]])
    return RawRows(inputs, expected, lambda answer, _: np.array([ids[tag] for tag in answer["tags"]]))
