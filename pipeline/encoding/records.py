"""Define the data passed between stages: a frozen record for each kind of raw data, and the encoded data set.

A record holds the content of a file before any split, vocabulary or scaling. Its `findings` count what the reader
noticed (duplicate lines, masked slots …), so that a report can show them. Its `optimum` is what the best possible
predictor says of each example: synthetic data are drawn from a known process, published data have None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.dropped import Dropped

Findings = Mapping[str, int]
SPLITS = ("train", "validation", "test")
LISTED = 20  # classes
TEST = SPLITS.index("test")


@dataclass(frozen=True)
class TextCorpus:
    """One running text, with ``\\n`` line ends and otherwise unchanged.

    optimum: float64 [characters], the bits of each character given all characters before it.
    agreements: int32 [agreements, 2], where the verbs of a known process agree with their subjects: the position of the
    subject's ending, and that of the character that decides the verb's.
    dropped: as in LabelledTexts, counted in characters.
    test_start: where the publisher's test part begins, after a line end; None if there is none.
    """

    text: str
    findings: Findings = field(default_factory=dict)
    optimum: NDArray[np.float64] | None = None
    agreements: NDArray[np.int32] | None = None
    dropped: Dropped | None = None
    test_start: int | None = None


@dataclass(frozen=True)
class LabelledTexts:
    """Texts with one class each.

    labels: int32 [examples], indices into `label_names`.
    is_test: bool [examples], the published test part, or None if there is no published split.
    groups: int32 [examples], equal for texts that belong on the same side of a split (reviews of one film), or None.
    optimum: float32 [examples, classes], the probability of each class given the text.
    dropped: what the reader of a user's own file dropped, so that what is dropped later counts towards the same limit.
    """

    texts: tuple[str, ...]
    labels: NDArray[np.int32]
    label_names: tuple[str, ...]
    findings: Findings = field(default_factory=dict)
    is_test: NDArray[np.bool_] | None = None
    groups: NDArray[np.int32] | None = None
    optimum: NDArray[np.float32] | None = None
    dropped: Dropped | None = None


@dataclass(frozen=True)
class TaggedSentences:
    """Sentences of words with a tag each.

    documents: the name of each sentence's document.
    optimum: the likeliest tag of each word given its whole sentence.
    is_test: bool [sentences], the publisher's test part, whole documents; None if there is none.
    """

    words: tuple[tuple[str, ...], ...]
    tags: tuple[tuple[str, ...], ...]
    documents: tuple[str, ...]
    findings: Findings = field(default_factory=dict)
    optimum: tuple[tuple[str, ...], ...] | None = None
    is_test: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Series:
    """Numbers in time order.

    values: float64 [time], in `unit`.
    valid: bool [time], False where a value cannot be trusted; it is then neither a target nor scored.
    start: ISO time of values[0], None for a series without times or even steps.
    step_seconds, step_months: the spacing, one of them None; months, quarters and years are not equally long.
    covariates: other columns by name, float64 [time] each.
    dates: datetime64[D] [time] of a series that is not evenly spaced, such as trading days, or None.
    optimum: float64 [time, steps], the conditional median of the value some steps ahead, given the past.
    optimum_steps: how many steps ahead the columns of `optimum` are.
    test_start: the first step of the publisher's test part; None if there is none.
    """

    values: NDArray[np.float64]
    valid: NDArray[np.bool_]
    unit: str
    start: str | None = None
    step_seconds: int | None = None
    findings: Findings = field(default_factory=dict)
    covariates: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    dates: NDArray[np.datetime64] | None = None
    optimum: NDArray[np.float64] | None = None
    optimum_steps: tuple[int, ...] = (1,)
    step_months: int | None = None
    test_start: int | None = None


@dataclass(frozen=True)
class Images:
    """Images with one class each.

    pixels: uint8 [examples, height, width, channels].
    labels: int32 [examples], indices into `label_names`.
    is_test: bool [examples], the published test part, or None if there is no published split.
    optimum: float32 [examples, classes], the probability of each class given the image.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int32]
    label_names: tuple[str, ...]
    is_test: NDArray[np.bool_] | None
    findings: Findings = field(default_factory=dict)
    optimum: NDArray[np.float32] | None = None


Record = TextCorpus | LabelledTexts | TaggedSentences | Series | Images


@dataclass(frozen=True)
class Encoded:
    """A data set ready for training.

    arrays: the encoded examples, by name.
    encoder: the JSON-able settings that encode raw input in the same way.
    examples: the number of examples in each split.
    summary: facts about the data set for the report.
    """

    arrays: Mapping[str, NDArray[Any]]
    encoder: Mapping[str, Any]
    examples: Mapping[str, int]
    summary: Mapping[str, Any]


def listed(counts: NDArray[np.integer[Any]]) -> list[int]:
    """Return which classes a page lists: all, or only the largest and the smallest if they are more than LISTED."""
    every = range(len(counts)) if len(counts) <= LISTED else (int(counts.argmax()), int(counts.argmin()))
    return list(every)


def network_key(who: int | str, part: int | str) -> str:
    """Name an array of predictions.npz: of a trained network and a split, or of a baseline and a fold."""
    return f"{who}-{part}"


def pack(texts: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Pack texts into arrays: `text` uint8 [bytes] in UTF-8, `text_offsets` int64 [texts + 1]."""
    raw = [text.encode() for text in texts]
    return {
        "text": np.frombuffer(b"".join(raw), np.uint8),
        "text_offsets": np.cumsum([0, *map(len, raw)]),
    }


def unpack(arrays: Mapping[str, NDArray[Any]], which: NDArray[np.integer[Any]]) -> list[str]:
    """Unpack the texts at the positions `which` from packed arrays."""
    text, offsets = arrays["text"], arrays["text_offsets"]
    return [text[offsets[i] : offsets[i + 1]].tobytes().decode() for i in which]
