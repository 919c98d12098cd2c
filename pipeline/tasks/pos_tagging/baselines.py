"""Baselines of pos_tagging: most frequent tags and an averaged perceptron on the same test sentences."""

from collections import Counter, defaultdict

import numpy as np

from pipeline.encoding.records import SPLITS, Encoded, unpack
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.pos_tagging.score import score


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Score each word's most frequent tag, and NLTK's averaged perceptron (five passes)."""
    sentences = {name: _sentences(encoded, name) for name in SPLITS}
    before = sentences["train"] + sentences["validation"]
    test = [[word for word, _ in sentence] for sentence in sentences["test"]]
    methods = {"most frequent tag": _most_frequent, "averaged perceptron": _perceptron}
    scored = {}
    for name, method in methods.items():
        ids = {tag: i for i, tag in enumerate(encoded.encoder["tags"])}
        predictions = np.array([ids[tag] for tag in method(before, test)], np.int16)
        scored[name] = Baseline(score(encoded, "test", predictions), (predictions,))
    return scored


Tagged = list[list[tuple[str, str]]]


def _sentences(encoded: Encoded, split: str) -> Tagged:
    arrays, tags = encoded.arrays, encoded.encoder["tags"]
    words = unpack(arrays, np.arange(len(arrays["tags"])))
    pairs = [(w, tags[t] if t >= 0 else "") for w, t in zip(words, arrays["tags"], strict=True)]
    offsets = arrays["offsets"]
    return [pairs[offsets[i] : offsets[i + 1]] for i in np.flatnonzero(arrays["split"][0] == SPLITS.index(split))]


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
