"""How much each word of a text contributes to the probability of its class: the text is classified again without it."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import regex

from pipeline.encoding.word_features import WORD
from pipeline.errors import DataError
from pipeline.raw_input import Answer, texts, warned

MAX_TEXT = 5_000  # characters; with MAX_WORDS, what one request may read
MAX_WORDS = 199  # each of them is a text to classify
HIDDEN = regex.compile(r"<br\s*/?>", regex.IGNORECASE)  # a line break of HTML, which is no word


def contributions(classify: Callable[[Sequence[str]], list[Answer]], text: Any) -> Answer:
    """Return the answer of `classify` to the text, and the text's `parts`: {text}, or {text, contribution} of a word.

    A contribution is p(label | text) - p(label | text without the word), where the label is that of the whole text: a
    positive one speaks for the label. The rest of the text stays as it is, other occurrences of the word included. The
    parts joined are the text in Unicode's form NFC. Raises DataError for a text that is too long.
    """
    text = unicodedata.normalize("NFC", texts([text], "a text")[0])
    if len(text) > MAX_TEXT:
        raise DataError(f"the text has {len(text)} characters; the words of at most {MAX_TEXT} are explained at once")
    spans = word_spans(text)
    explained = spans[:MAX_WORDS]
    whole, *others = classify([text, *(text[:start] + text[end:] for start, end in explained)])
    label = whole["label"]
    changes = [whole["probability"] - other["probabilities"][label] for other in others]
    parts, done = list[dict[str, Any]](), 0
    for (start, end), change in zip(explained, changes, strict=True):
        parts += [{"text": text[done:start]}, {"text": text[start:end], "contribution": change}]
        done = end
    answer = {**whole, "parts": [part for part in [*parts, {"text": text[done:]}] if part["text"]]}
    both = "; ".join(filter(None, [whole.get("warning"), _cut(len(spans))]))
    return warned(answer, {both: bool(both)})


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return where each word of the text begins and ends, as the models split it. An apostrophe belongs to its word."""
    masked = HIDDEN.sub(lambda found: " " * len(found[0]), text)
    return [found.span() for found in WORD.finditer(re.sub(r"(?<=\w)['’](?=\w)", "x", masked))]


def _cut(words: int) -> str:
    return f"only the first {MAX_WORDS} of {words} words are explained" if words > MAX_WORDS else ""
