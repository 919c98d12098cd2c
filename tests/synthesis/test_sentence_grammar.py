"""The grammar of synthetic texts: its bits against the probabilities of all texts of small grammars, counted out."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.encoding import text_cleaning
from pipeline.sources import load_source
from pipeline.synthesis import sentence_grammar
from pipeline.synthesis.sentence_grammar import Choice, Grammar, Opening, Option, Theme, Writer, at_random
from tests.shipped import needs_rows, settings, shipped

TEXTS = ("alice", "sonnets", "shakespeare", "warpeace")
CUT = 4_000  # characters of the texts that are read again here


def small(**shares: float | str) -> Grammar:
    """Two themes that begin alike and share a word, few words, and one clause in a passage."""
    themes = (Theme(("owl",), ("hid", "held"), ("dark",)), Theme(("bee",), ("stung",), ("dark",)))
    openings = tuple(Opening(f"{name}: ", theme) for name, theme in zip(("wood", "web"), themes, strict=True))
    return Grammar(openings, **{"another": 0.0, **shares})


def every_text(write: Callable[[Writer], None], **format: Any) -> Iterator[tuple[float, Writer]]:
    """Yield the probability of every way to draw the text, and the writer."""
    waiting: list[list[int]] = [[]]
    while waiting:
        scripted = _Scripted(waiting.pop())
        writer = Writer(scripted, **format)
        write(writer)
        waiting += scripted.others
        yield scripted.probability, writer


class _Scripted:
    """Draws by a script and then first options; `others`: the scripts of what could have come instead of these."""

    def __init__(self, script: list[int]) -> None:
        self.script, self.drawn = script, list[int]()
        self.probability, self.others = 1.0, list[list[int]]()

    def __call__(self, choice: Choice) -> int:
        i = self.script[len(self.drawn)] if len(self.drawn) < len(self.script) else 0
        if len(self.drawn) >= len(self.script):
            self.others += [[*self.drawn, other] for other in range(1, len(choice.options))]
        self.drawn.append(i)
        self.probability *= choice.options[i].share / sum(option.share for option in choice.options)
        return i


@pytest.mark.parametrize(
    ("shares", "format"),
    [
        ({}, {}),
        ({"line_end": "\n"}, {"capitals": True}),
        ({"adjective": 0.6, "modifier": 0.3}, {"wrap": 12}),
        ({"adverb": 0.0}, {"wrap": 20, "capitals": True}),
    ],
)
def test_the_bits_are_those_of_all_texts_counted_out(
    shares: dict[str, Any], format: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentence_grammar, "PLACES", ("near the ", "not near the "))
    monkeypatch.setattr(sentence_grammar, "ADVERBS", ("slowly", "so"))
    drawn = list(every_text(small(**shares).passage, **format))
    assert sum(p for p, _ in drawn) == pytest.approx(1.0, abs=1e-9)
    share_of_texts, share_of_beginnings = defaultdict[str, float](float), defaultdict[str, float](float)
    for p, writer in drawn:
        share_of_texts[writer.text] += p
    for text, p in share_of_texts.items():
        for end in range(len(text) + 1):
            share_of_beginnings[text[:end]] += p
    assert len(share_of_texts) == len(drawn) > 1_000
    for _, writer in drawn[:: len(drawn) // 100]:
        text = writer.text
        counted = [-math.log2(share_of_beginnings[text[: k + 1]] / share_of_beginnings[text[:k]])
                   for k in range(len(text))]  # fmt: skip
        np.testing.assert_allclose(writer.bits, counted, atol=1e-9)
        assert sum(writer.bits) == pytest.approx(-math.log2(share_of_texts[text]), abs=1e-9)


def test_an_option_that_another_one_begins_with_is_refused() -> None:
    with pytest.raises(ValueError, match="'bee' is the beginning of another option: 'bee', 'bees'"):
        Choice([Option("bee", 0.5), Option("bees", 0.5)])


def test_options_are_drawn_by_their_shares() -> None:
    choice = Choice([Option("a", 0.1), Option("b", 0.0), Option("c", 0.3)])
    draw = at_random(np.random.default_rng(0))
    drawn = [draw(choice) for _ in range(2_000)]
    assert set(drawn) == {0, 1} and 0.72 < np.mean(drawn) < 0.78


def test_the_auxiliary_agrees_with_the_subject_and_not_with_the_nouns_between() -> None:
    writer = Writer(at_random(np.random.default_rng(1)))
    grammar = small(adverb=0.2, another=0.6)
    while len(writer.bits) < 20_000:
        grammar.passage(writer)
        writer.put("\n")
    text, bits, agreements = writer.text, np.array(writer.bits), np.array(writer.agreements)
    for ending, deciding in agreements:
        assert (text[ending], text[deciding - 2 : deciding + 2]) in ((" ", "has "), ("s", "have"))
    assert bits[agreements[:, 1]].max() == 0.0, "a reader who remembers the subject knows the ending"
    assert len(agreements) == text.count(" has ") + text.count(" have ")
    distances = agreements[:, 1] - agreements[:, 0]
    assert distances.min() == 3 and (distances > 40).mean() > 0.1


def test_a_writer_wraps_at_a_space_and_begins_lines_with_capitals() -> None:
    writer = Writer(at_random(np.random.default_rng(0)), wrap=5, capitals=True)
    writer.put("one two three four\nfive")
    assert writer.text == "One two\nThree\nFour\nFive"
    assert writer.arrays()["bits"].tolist() == [0.0] * 23 and writer.arrays()["agreements"].shape == (0, 2)


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_tells_every_choice_that_made_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headings, lines, capitals and the end follow from the text so far: whoever reads it knows what was drawn."""
    source: Any = load_source(name)
    writers: list[Writer] = []

    def watched(draw: Any, **format: Any) -> Writer:
        writers.append(Writer(draw, **format))
        return writers[-1]

    def read_again(choice: Choice) -> int:
        drawn, writer = writers[0].text, writers[-1]
        fit = []
        for i, option in enumerate(choice.options):
            trial = Writer(writer.draw, wrap=writer.wrap, capitals=writer.capitals)
            trial.column = writer.column
            trial.put(option.text)
            if drawn.startswith(trial.text, len(writer.characters)):
                fit.append(i)
        assert len(fit) == 1, f"{len(fit)} of {[o.text for o in choice.options]} fit after {writer.text[-40:]!r}"
        return fit[0]

    monkeypatch.setattr(source, "SYNTHETIC_CHARACTERS", CUT)
    monkeypatch.setattr(source, "Writer", watched)
    source.synthesize(tmp_path / "drawn", 7)
    monkeypatch.setattr(source, "at_random", lambda random: read_again)
    source.synthesize(tmp_path / "read", 8)
    first, second = writers
    assert second.text == first.text and second.bits == first.bits and len(first.text) > CUT
    record = source.read(tmp_path / "read")
    assert record.optimum is not None and record.optimum.tolist() == first.bits and record.text == first.text


def _datasets() -> list[Any]:
    known = [name for name, row in shipped().datasets.items() if row.source in TEXTS]
    return [pytest.param(name, marks=needs_rows(name)) for name in known]


@pytest.mark.parametrize("name", _datasets())
def test_cleaning_keeps_what_the_bits_count(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each choice has the same bits after the cleaning of each data set, so the optimum is exact there too."""
    row = shipped().datasets[name]
    source: Any = load_source(row.source)
    monkeypatch.setattr(source, "SYNTHETIC_CHARACTERS", CUT)
    choices: dict[tuple[Option, ...], Choice] = {}

    def spied(random: np.random.Generator) -> Any:
        draw = at_random(random)
        return lambda choice: choices.setdefault(choice.options, choice) is None or draw(choice)

    monkeypatch.setattr(source, "at_random", spied)
    source.synthesize(tmp_path, 7)
    options = settings(row, ("lowercase", "ascii_only"))
    assert len(choices) > 20
    for choice in choices.values():
        texts = [text_cleaning.prepare(option.text, {**options, "line_ends": "keep"}) for option in choice.options]
        again = Choice(o._replace(text=text) for o, text in zip(choice.options, texts, strict=True))
        for option, before, after in zip(choice.options, choice.bits, again.bits, strict=True):
            kept = [b for c, b in zip(option.text, before, strict=True) if c.isascii() or not options["ascii_only"]]
            assert list(after) == pytest.approx(kept), option.text
