"""Part-of-speech tagging: the tags that are taken for each other, and the sentences with the most mistakes."""

import numpy as np
from numpy.typing import NDArray

from pipeline.reporting import charts
from pipeline.reporting.elements import Element, Picture, Sentences
from pipeline.reporting.material import Experiment, Material
from pipeline.reporting.wording import count
from pipeline.tasks.base import SPLITS, unpack
from pipeline.tasks.pos_tagging import in_split

TAGS, SENTENCES, LONGEST = 12, 5, 60
NOT_IN_TRAINING = "unseen tag"


def figures(material: Material) -> list[Element]:
    row = material.experiments[0]
    picked = row.test_predictions()[0].astype(np.int64)
    truth = material.encoded.arrays["tags"][in_split(material.encoded, "test")].astype(np.int64)
    if np.array_equal(picked, truth):
        return []
    names = [*material.encoded.encoder["tags"], NOT_IN_TRAINING]  # the last one has id -1
    return [_confused(row, truth, picked, names), _sentences(material, row, truth, picked, names)]


def confused_tags(truth: NDArray[np.int64], picked: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """int [true, predicted] counts of mistakes; the diagonal is empty. Id -1 stands last."""
    counts = np.zeros((size, size), np.int64)
    wrong = truth != picked
    np.add.at(counts, (truth[wrong], picked[wrong]), 1)
    return counts


def _confused(row: Experiment, truth: NDArray[np.int64], picked: NDArray[np.int64], names: list[str]) -> Picture:
    counts = confused_tags(truth, picked, len(names))
    involved = counts.sum(axis=0) + counts.sum(axis=1)
    most = np.argsort(-involved, kind="stable")[: min(TAGS, int(np.sum(involved > 0)))]
    pairs = [np.unravel_index(i, counts.shape) for i in np.argsort(-counts, axis=None, kind="stable")[:3]]
    worst = "; ".join(f"{names[t]} taken for {names[p]} {counts[t, p]} times" for t, p in pairs if counts[t, p])
    return Picture(
        "confused-tags",
        f"Tags that {row.name} takes for another",
        f"Matrix of the most confused tags: {worst}",
        charts.matrix(counts[np.ix_(most, most)], [names[i] for i in most], shares=False),
        f"Mistakes only, {count(int(counts.sum()))} of {count(len(truth))} words; the tags with the most of them.",
    )


def _sentences(
    material: Material, row: Experiment, truth: NDArray[np.int64], picked: NDArray[np.int64], names: list[str]
) -> Sentences:
    arrays = material.encoded.arrays
    lengths = np.diff(arrays["offsets"])[arrays["split"][0] == SPLITS.index("test")]
    starts = np.cumsum([0, *lengths[:-1]])
    mistakes = np.add.reduceat(truth != picked, starts, dtype=np.int64)
    words = unpack(arrays, np.flatnonzero(in_split(material.encoded, "test")))
    worst = [i for i in np.argsort(-mistakes, kind="stable")[:SENTENCES] if mistakes[i]]
    shown = []
    for i in worst:
        span = range(starts[i], starts[i] + min(lengths[i], LONGEST))
        notes = [f"{names[truth[w]]} → {names[picked[w]]}" if truth[w] != picked[w] else "" for w in span]
        shown.append([(words[w], note) for w, note in zip(span, notes, strict=True)])
    caption = f"Truth → prediction under each mistake; sentences are cut after {LONGEST} words."
    return Sentences(f"The sentences with the most mistakes of {row.name}", shown, caption)
