"""What flows between the stages: one frozen record for each kind of raw data, and the encoded form of a data set.

Records hold what a file says, before any split, vocabulary or scaling; `findings` counts what a reader noticed on the
way (duplicate lines, masked slots …), so that a report can show it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Findings = Mapping[str, int]
SPLITS = ("train", "validation", "test")
TEST = SPLITS.index("test")


@dataclass(frozen=True)
class TextCorpus:
    """One running text, line ends as ``\\n``, nothing else changed."""

    text: str
    findings: Findings = field(default_factory=dict)


@dataclass(frozen=True)
class LabelledTexts:
    """Texts with one class each. `labels`: int32 [examples], an index into `label_names`.

    `is_test`: bool [examples], the published test part, or None where the publisher made no split. `groups`: int32
    [examples], texts that belong together (reviews of one film) and should stand on one side of a split, or None.
    """

    texts: tuple[str, ...]
    labels: NDArray[np.int32]
    label_names: tuple[str, ...]
    findings: Findings = field(default_factory=dict)
    is_test: NDArray[np.bool_] | None = None
    groups: NDArray[np.int32] | None = None


@dataclass(frozen=True)
class TaggedSentences:
    """Sentences of words with a tag each. `documents`: the file that a sentence stands in, one per sentence."""

    words: tuple[tuple[str, ...], ...]
    tags: tuple[tuple[str, ...], ...]
    documents: tuple[str, ...]
    findings: Findings = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """Numbers in the order of time.

    `values`: float64 [time], in `unit`. `valid`: bool [time], False where a value is not to be trusted (it is then
    neither a target nor scored). `start`: ISO time of values[0]; `step_seconds`: spacing; None and None for a series
    without a clock, or without even steps. `extras`: other columns by name, float64 [time] each. `dates`:
    datetime64[D] [time] of a series that is not evenly spaced, such as trading days.
    """

    values: NDArray[np.float64]
    valid: NDArray[np.bool_]
    unit: str
    start: str | None = None
    step_seconds: int | None = None
    findings: Findings = field(default_factory=dict)
    extras: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    dates: NDArray[np.datetime64] | None = None


@dataclass(frozen=True)
class Images:
    """Images with one class each.

    `pixels`: uint8 [examples, height, width, channels]; `labels`: int32 [examples]; `is_test`: bool [examples], the
    published test part, or None where the publisher made no split.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int32]
    label_names: tuple[str, ...]
    is_test: NDArray[np.bool_] | None
    findings: Findings = field(default_factory=dict)


Record = TextCorpus | LabelledTexts | TaggedSentences | Series | Images


@dataclass(frozen=True)
class Encoded:
    """A data set ready for training: arrays by name, and the JSON-able `encoder` that turns raw input into the same.

    `examples`: how many examples each split holds; `summary`: what a person wants to know about the data set.
    """

    arrays: Mapping[str, NDArray[Any]]
    encoder: Mapping[str, Any]
    examples: Mapping[str, int]
    summary: Mapping[str, Any]


def member_key(who: int | str, part: int | str) -> str:
    """The name in predictions.npz: of a member and a split, or of a baseline and a fold."""
    return f"{who}-{part}"


def pack(texts: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Texts as arrays: `text` uint8 [bytes] in UTF-8, `text_offsets` int64 [texts + 1]."""
    raw = [text.encode() for text in texts]
    return {
        "text": np.frombuffer(b"".join(raw), np.uint8),
        "text_offsets": np.cumsum([0, *map(len, raw)]),
    }


def unpack(arrays: Mapping[str, NDArray[Any]], which: NDArray[np.integer[Any]]) -> list[str]:
    """The texts at the positions `which` of packed arrays."""
    text, offsets = arrays["text"], arrays["text_offsets"]
    return [text[offsets[i] : offsets[i + 1]].tobytes().decode() for i in which]
