"""Tag sentences with a linear-chain conditional random field (Lafferty, McCallum and Pereira 2001), by CRFsuite.

Its settings are chosen on the validation part, and it is then fitted on train and validation.
"""

import ctypes
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

NEIGHBOURS = (-2, -1, 1, 2)
SEEN_OF_NEIGHBOURS = ("word", "suffix2", "suffix3", "short shape", "case")
# L-BFGS takes minutes if words × tags² is above this; the averaged perceptron comes close in a sixth of the time.
LARGE = 250_000_000
FEATURES = 50  # tags whose transitions cost as much as the features of a word
LBFGS = ({"c1": 0.1, "c2": 0.05, "max_iterations": 80}, {"c1": 0.02, "c2": 0.3, "max_iterations": 80})
PASSES = ({"max_iterations": 10}, {"max_iterations": 20})
MOST_STEPS = 10**11  # of words × tags² × passes of the perceptron; FEWEST if PASSES take more
FEWEST = ({"max_iterations": 5},)

Word = Mapping[str, str]  # features by slot, such as word and suffix2; "" for none


class Tagged(NamedTuple):
    """Sentences and their tags: the features of each word, and its tag."""

    sentences: Sequence[Sequence[Word]]
    tags: Sequence[Sequence[str]]


def crf_tags(train: Tagged, validation: Tagged, test: Sequence[Sequence[Word]]) -> list[str]:
    """Return the tags of all words of `test` in reading order."""
    algorithm, grid = settings(sum(map(len, train.tags)), len({tag for sentence in train.tags for tag in sentence}))
    rows = [[attributes(sentence) for sentence in part] for part in (train.sentences, validation.sentences, test)]
    best = grid[0]
    if len(grid) > 1:
        truth = [tag for sentence in validation.tags for tag in sentence]
        right = [
            sum(a == b for a, b in zip(_tagged(_fit(rows[0], train.tags, algorithm, s), rows[1]), truth, strict=True))
            for s in grid
        ]
        best = grid[right.index(max(right))]
    model = _fit([*rows[0], *rows[1]], [*train.tags, *validation.tags], algorithm, best)
    return _tagged(model, rows[2])


def settings(words: int, tags: int) -> tuple[str, Sequence[Mapping[str, float]]]:
    """Return CRFsuite's algorithm for a training part of this size, and the settings to choose from."""
    if words * tags * max(tags, FEATURES) <= LARGE:
        return "lbfgs", LBFGS
    steps = words * tags**2 * sum(passes["max_iterations"] for passes in PASSES)
    return "ap", PASSES if steps <= MOST_STEPS else FEWEST


def attributes(sentence: Sequence[Word]) -> list[list[str]]:
    """Name what the field sees at each word: the word's own features, some of its neighbours', and the ends."""
    names = [["bias", *(f"{slot}={value}" for slot, value in word.items() if value)] for word in sentence]
    for i, row in enumerate(names):
        for step in NEIGHBOURS:
            if 0 <= i + step < len(sentence):
                other = sentence[i + step]
                row += [f"{step}:{slot}={other[slot]}" for slot in SEEN_OF_NEIGHBOURS if other[slot]]
            elif i + step in (-1, len(sentence)):
                row.append(f"{step}:end")
    return names


def _fit(
    rows: Sequence[list[list[str]]], tags: Sequence[Sequence[str]], algorithm: str, chosen: Mapping[str, float]
) -> Any:
    import pycrfsuite

    trainer = pycrfsuite.Trainer(algorithm=algorithm, verbose=False)
    for sentence, labels in zip(rows, tags, strict=True):
        trainer.append(sentence, labels)
    trainer.set_params(chosen)
    ctypes.CDLL(None).srand(0)  # CRFsuite shuffles the sentences with C's global generator
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        trainer.train(str(path))
        tagger = pycrfsuite.Tagger()
        tagger.open(str(path))  # reads the whole file
    return tagger


def _tagged(tagger: Any, rows: Sequence[list[list[str]]]) -> list[str]:
    return [tag for sentence in rows for tag in tagger.tag(sentence)]
