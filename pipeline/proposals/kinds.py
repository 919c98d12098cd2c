"""Guess which kind of data a file has: a text, labelled sentences, tagged sentences, a series or prices."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

from pipeline.config.schema.sources import DELIMITERS
from pipeline.errors import UserError
from pipeline.proposals import sentences, series
from pipeline.proposals.columns import TableLook, table
from pipeline.proposals.look import Look
from pipeline.proposals.proposal import Proposal
from pipeline.sources.own_tagged import fields_of

KINDS: dict[str, Callable[[Look, TableLook | None], Proposal]] = {
    "text": sentences.of_text,
    "labelled": sentences.of_labelled,
    "tagged": sentences.of_tagged,
    "series": series.of_series,
    "prices": series.of_prices,
}
LINES = 5_000
EVEN = 0.95  # share of the words with as many columns as most
SENTENCES, LONGEST = 5, 200  # fewest sentences; most words of one on average
SUFFIXES = (".conll", ".conllu", ".conllx", ".iob", ".bio")


def propose(look: Look, kind: str | None) -> Proposal:
    """Propose rows for a file of the kind, or of the one that it seems to have.

    Raises UserError if it may be of several kinds or of none, and DataError if its reader cannot read it.
    """
    found = table(look.text)
    kinds = {kind: "as you say"} if kind else guesses(look, found)
    if len(kinds) != 1:
        listed = "; ".join(f"{name}: {why}" for name, why in kinds.items())
        raise UserError(
            f"{look.name}: it may be one of several kinds ({listed}). Say which: "
            + " or ".join(f"`--as {name}`" for name in kinds)
        )
    ((chosen, why),) = kinds.items()
    proposal = KINDS[chosen](look, found)
    reasons = (f"kind: {chosen}: {why}", *look.reasons, *proposal.reasons)
    return Proposal(chosen, proposal.own, proposal.data, proposal.network, reasons, proposal.examples)


def guesses(look: Look, found: TableLook | None) -> dict[str, str]:
    """Return each kind that the file may have, and why."""
    if tagged := _tagged(look):
        return {"tagged": tagged}
    if found is None:
        return {"text": "neither a table nor a word and a tag on each line"}
    kinds = dict(_of_table(found))
    if not kinds and look.file.suffix.lower() in DELIMITERS:
        return {"text": "no column has numbers or labels", "labelled": "the file's name ends as that of a table"}
    return kinds or {"text": "no column has numbers or labels"}


def _of_table(found: TableLook) -> list[tuple[str, str]]:
    texts, labels = sentences.labelled_columns(found)
    numbers = series.columns(found)
    kinds = []
    if texts and labels:
        kinds.append(("labelled", f"column {texts[0].name!r} has sentences, {labels[0].name!r} a few values"))
    measured = numbers is not None and not numbers.value.may_be_labels
    if numbers is not None and (not texts or (numbers.time and measured)):
        price = series.close(found)
        times = " beside times" if numbers.time else ""
        if price is not None:
            kinds.append(("prices", f"column {price.name!r} has prices, one for each day"))
        else:
            kinds.append(("series", f"column {numbers.value.name!r} has numbers{times}"))
    return kinds


def _tagged(look: Look) -> str:
    """Return why a file has tagged sentences, or nothing."""
    lines = look.text.split("\n")[:LINES]
    words = [fields_of(line) for line in lines if line.strip() and not line.startswith(("# ", "-DOCSTART-"))]
    if not words:
        return ""
    (width, often), *_ = Counter(map(len, words)).most_common(1)
    ends = sum(not line.strip() and bool(before.strip()) for before, line in pairwise(lines))
    of_words = width >= 2 and often >= EVEN * len(words) and ends >= SENTENCES and len(words) <= LONGEST * ends
    several = len(words) >= 2 * ends and _few([fields[-1] for fields in words if len(fields) == width], words)
    named = look.file.suffix.lower() in SUFFIXES
    if width >= 2 and (named or (of_words and several)):
        return f"{width} columns on each line, and a blank line after each sentence"
    return ""


def _few(tags: Sequence[str], words: Sequence[Sequence[str]]) -> bool:
    """Tell whether the last column has far fewer different values than there are lines."""
    return 2 <= len(set(tags)) <= max(20, len(words) // 10)
