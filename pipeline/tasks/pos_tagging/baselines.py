"""Baselines of pos_tagging: most frequent tags, an averaged perceptron and a CRF on the same test sentences."""

from collections import Counter, defaultdict

import numpy as np

from pipeline.baselines import tag_crf
from pipeline.encoding.records import SPLITS, Encoded, unpack
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.pos_tagging.prepare import SLOTS, features
from pipeline.tasks.pos_tagging.score import score


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Score each word's most frequent tag, NLTK's averaged perceptron (five passes), and a CRF.

    The CRF sees the word features that the networks see, and its neighbours'.
    """
    train, validation, tested = (_sentences(encoded, name) for name in SPLITS)
    before = train + validation
    test = [[word for word, _ in sentence] for sentence in tested]
    ids = {tag: i for i, tag in enumerate(encoded.encoder["tags"])}
    scored = {}
    for name, tags in {
        "most frequent tag": _most_frequent(before, test),
        "averaged perceptron": _perceptron(before, test),
        "CRF": tag_crf.crf_tags(_features(train), _features(validation), _features(tested).sentences),
    }.items():
        predictions = np.array([ids[tag] for tag in tags], np.int16)
        scored[name] = Baseline(score(encoded, "test", predictions), (predictions,))
    return scored


Tagged = list[list[tuple[str, str]]]


def _sentences(encoded: Encoded, split: str) -> Tagged:
    arrays, tags = encoded.arrays, encoded.encoder["tags"]
    words = unpack(arrays, np.arange(len(arrays["tags"])))
    pairs = [(w, tags[t] if t >= 0 else "") for w, t in zip(words, arrays["tags"], strict=True)]
    offsets = arrays["offsets"]
    return [pairs[offsets[i] : offsets[i + 1]] for i in np.flatnonzero(arrays["split"][0] == SPLITS.index(split))]


def _features(tagged: Tagged) -> tag_crf.Tagged:
    """Return the network's features of each word, and the word as it is written."""
    words = [[word for word, _ in sentence] for sentence in tagged]
    slots = [
        [{"written": word, **dict(zip(SLOTS, row, strict=True))} for word, row in zip(s, features(s), strict=True)]
        for s in words
    ]
    return tag_crf.Tagged(slots, [[tag for _, tag in sentence] for sentence in tagged])


def _most_frequent(before: Tagged, test: list[list[str]]) -> list[str]:
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for sentence in before:
        for word, tag in sentence:
            seen[word][tag] += 1
    overall = Counter(tag for sentence in before for _, tag in sentence).most_common(1)[0][0]
    best = {word: counts.most_common(1)[0][0] for word, counts in seen.items()}
    return [best.get(word, overall) for sentence in test for word in sentence]


def _perceptron(before: Tagged, test: list[list[str]]) -> list[str]:
    import random

    from nltk.tag.perceptron import PerceptronTagger

    random.seed(0)  # the tagger shuffles its training sentences with the global generator of `random`
    tagger = PerceptronTagger(load=False)
    tagger.train([list(sentence) for sentence in before], nr_iter=5)
    return [tag for sentence in test for _, tag in tagger.tag(sentence)]
