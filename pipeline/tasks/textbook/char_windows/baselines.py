"""Baselines of char_windows: n-gram models of the same text on the same windows."""

import numpy as np

from pipeline.baselines.ngrams import longest_order, witten_bell
from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.textbook.char_windows.prepare import graded, predicted
from pipeline.tasks.textbook.char_windows.score import score

ORDERS = (1, 3, 8)


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Score n-gram models that are fitted on the text they predict, and see no more of a window than the network."""
    text, size = encoded.arrays["text"], len(encoded.encoder["symbols"])
    places, known = predicted(encoded)
    longest = min(max(ORDERS), longest_order(size), encoded.encoder["window"] + 1)
    # Positions before the text are clipped to its first character; `known` excludes them.
    contexts = text[np.maximum(places.reshape(-1, 1) + np.arange(1 - longest, 0), 0)]
    scored = {}
    for order, p in enumerate(witten_bell(text, contexts, known.reshape(-1), size), start=1):
        if order in ORDERS or order == longest:
            predictions = graded(p.reshape(*places.shape, size), text[places])
            metrics = score(encoded, "test", predictions)
            scored[f"{order}-gram of the same text"] = Baseline(metrics, (predictions,))
    return scored
