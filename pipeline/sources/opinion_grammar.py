"""Draw opinions whose class follows from a rule, apart from labels that are wrong by chance.

An opinion is a plain verdict, a judgement, or two judgements with `but` between them. A judgement has a marker, words
that mean nothing, and an adjective:

    Night Ferry made me smile                                                    positive
    the ending was truly to my mind dull                                         negative
    the plot was never as far as I know dull                                     positive
    the music was truly after all moving but the plot was hardly for me clever   negative

**The rule.** A plain verdict says what it means. In a judgement, a negator turns the adjective around. Of two judgements
the second decides. The words that mean nothing keep negator and adjective two to six words apart, so that neither single
words nor pairs of neighbours show what a judgement says.

**Why the probabilities are exact.** The rule reads the words of the text and nothing else, so every text has one class,
however it came about. A label is the other class with probability NOISE, drawn once for each text and independently of
everything else. Hence the probability of the text's class is 1 − NOISE, and no classifier can expect to be right more
often. Adjectives and plain verdicts of both classes are equally frequent, so each class has probability 1/2.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NOISE = 0.05
PLAIN, CONTRAST, NEGATED = 0.35, 0.4, 0.35  # shares: of opinions, of the other opinions, of judgements
NEGATORS = ("never", "hardly", "seldom")
AFFIRMERS = ("always", "truly", "surely")
ASIDES = ("now", "for me", "after all", "to my mind", "in the end", "by and large", "most of the time", "as far as I know")
VERBS = ("is", "was", "felt")
ADJECTIVES = (("awful", "boring", "stupid", "dull"), ("superb", "moving", "clever", "funny"))  # negative, positive
VERDICTS = (
    ("made me yawn", "put us to sleep", "wastes time"),
    ("made me smile", "won us over", "earns a prize"),
)


def pick(random: np.random.Generator, items: Sequence[str]) -> str:
    """Draw one of the items, all equally likely."""
    return items[int(random.integers(len(items)))]


def opinion(random: np.random.Generator, things: Sequence[str]) -> tuple[str, int]:
    """Draw an opinion on one or two of the things; return its text and its class, 1 for positive."""
    if random.random() < PLAIN:
        positive = int(random.integers(2))
        return f"{pick(random, things)} {pick(random, VERDICTS[positive])} {pick(random, ASIDES)}", positive
    judgement, positive = _judgement(random)
    text = f"{pick(random, things)} {pick(random, VERBS)} {judgement}"
    if random.random() < CONTRAST:
        judgement, positive = _judgement(random)
        text = f"{text} but {judgement}"
    return text, positive


def _judgement(random: np.random.Generator) -> tuple[str, int]:
    favourable, negated = int(random.integers(2)), random.random() < NEGATED
    marker = pick(random, NEGATORS if negated else AFFIRMERS)
    return f"{marker} {pick(random, ASIDES)} {pick(random, ADJECTIVES[favourable])}", favourable ^ int(negated)


def label(random: np.random.Generator, positive: int) -> int:
    """Draw the label of a text of this class."""
    return positive ^ int(random.random() < NOISE)


def probabilities(classes: Sequence[int]) -> NDArray[np.float32]:
    """Return float32 [texts, 2]: the probability of each label, given the class of each text by the rule."""
    positive = np.array(classes, np.float32)[:, None] == [[0, 1]]
    return np.where(positive, 1 - NOISE, NOISE).astype(np.float32)
