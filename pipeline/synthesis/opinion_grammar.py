"""Draw opinions whose class follows from a rule, with labels that are wrong by chance.

An opinion is a plain verdict, a judgement, or two judgements with `but` between them. A judgement has a marker, words
that mean nothing, and an adjective:

    Night Ferry made me smile in the end                              positive
    the ending is truly to my mind dull                               negative
    the plot was never as far as I know dull                          positive
    the music was always for me moving but hardly now clever          negative

**The rule.** A plain verdict says what it means. In a judgement, a negator turns the adjective around. Of two
judgements the second decides. The words that mean nothing put the adjective two to six words after its negator, so that
neither single words nor pairs of neighbours show what a judgement says.

**Why the probabilities are exact.** The rule reads the words of a text and nothing else, so a text has one class,
whatever drew it. The label is the other class with probability NOISE; it is drawn once for each text, independently of
everything else, and repeats of the text share it. Hence a text has the label of its class with probability 1 − NOISE,
and no classifier can expect to be right more often. Everything is as frequent in one class as in the other, so each
label has probability 1/2, also where a file must have as many texts of one label as of the other.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NOISE = 0.05
PLAIN, CONTRAST, NEGATED = 0.35, 0.4, 0.35  # shares: of opinions; of opinions with judgements; of judgements
NEGATORS, AFFIRMERS = ("never", "hardly"), ("always", "truly")
ASIDES = ("now", "for me", "to my mind", "in the end", "most of the time", "as far as I know")
VERBS = ("is", "was")
ADJECTIVES = (("awful", "boring", "dull"), ("superb", "moving", "clever"))  # negative, positive
VERDICTS = (
    ("made me yawn", "put us to sleep", "wastes time"),
    ("made me smile", "won us over", "earns a prize"),
)  # negative, positive


def pick(random: np.random.Generator, items: Sequence[str]) -> str:
    """Draw one of the items, which are equally likely."""
    return items[int(random.integers(len(items)))]


def verdict(random: np.random.Generator, things: Sequence[str], positive: int) -> str:
    """Draw a plain verdict of a class on one of the things. positive: 1 or 0."""
    return f"{pick(random, things)} {pick(random, VERDICTS[positive])} {pick(random, ASIDES)}"


def opinion(random: np.random.Generator, things: Sequence[str]) -> tuple[str, int]:
    """Draw an opinion on one of the things; return its text and its class, 1 for positive."""
    if random.random() < PLAIN:
        positive = int(random.integers(2))
        return verdict(random, things, positive), positive
    judgement, positive = _judgement(random)
    text = f"{pick(random, things)} {pick(random, VERBS)} {judgement}"
    if random.random() < CONTRAST:
        judgement, positive = _judgement(random)
        text = f"{text} but {judgement}"
    return text, positive


def _judgement(random: np.random.Generator) -> tuple[str, int]:
    favourable, negated = int(random.integers(2)), bool(random.random() < NEGATED)
    marker = pick(random, NEGATORS if negated else AFFIRMERS)
    return f"{marker} {pick(random, ASIDES)} {pick(random, ADJECTIVES[favourable])}", favourable ^ negated


def label(random: np.random.Generator, positive: int) -> int:
    """Draw the label of a text of a class, both 1 for positive."""
    return positive ^ int(random.random() < NOISE)


def probabilities(classes: Sequence[int]) -> NDArray[np.float32]:
    """Return float32 [texts, 2]: the probability of each label of texts of these classes."""
    of_label = np.array([[1 - NOISE, NOISE], [NOISE, 1 - NOISE]], np.float32)
    return of_label[np.array(classes, np.int64)]
