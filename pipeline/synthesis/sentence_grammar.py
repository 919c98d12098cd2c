"""Draw sentences from a grammar that gives the exact probability of every character.

A text is a row of passages. A passage opens with words that name its theme, which decides the lexicon of all its
clauses. A clause has a subject, a verb and an object. The subject may have a relative clause, and the verb agrees with
the subject across it:

    At sea, the old sailor that the waves lift slowly not far from the harbours greets the gull; the …

**The process.** Everything random is a choice between options: strings of which none is the beginning of another, each
with its share. The options and shares of a choice depend on the text so far and on nothing else. Everything that is not
a choice, such as line breaks and capitals at the start of a line, follows from the text so far.

**Why the bits are exact.** A reader who knows the process knows at each character which options still fit. The
probability of the next character is the share of the options that continue with it, among those that fit. Since no
option is the beginning of another, its last character tells which one it was, so the reader also knows the options of
the next choice. Along an option the probabilities multiply to its share, and along the text to the product of the
shares of all choices, which is the probability of the text. Hence the bits of the characters, -log2 of their
probabilities, add up to -log2 P(text), and no predictor needs fewer bits on average.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

PLACES = ("not far from the ", "on the other side of the ", "right in front of the ")


class Option(NamedTuple):
    """An option of a choice.

    stem: length of the stem of a noun or verb, 0 for other options. then: what follows the option in its clause, or
    whether a clause follows or the passage ends.
    """

    text: str
    share: float
    stem: int = 0
    plural: bool = False
    then: Literal["phrase", "clause", "end"] = "phrase"


class Choice:
    """Options, their shares, which sum to 1, and the bits of each character of each option."""

    def __init__(self, options: Iterable[Option]) -> None:
        self.options = tuple(option for option in options if option.share)
        self.shares = np.array([option.share for option in self.options])
        self.bits = tuple(self._bits(option.text) for option in self.options)

    def _bits(self, text: str) -> tuple[float, ...]:
        fit, bits = self.options, []
        for k in range(len(text)):
            still = tuple(option for option in fit if option.text[: k + 1] == text[: k + 1])
            bits.append(float(np.log2(_share(fit) / _share(still))))
            fit = still
        if len(fit) > 1:
            raise ValueError(f"{text!r} is the beginning of another option: {', '.join(repr(o.text) for o in fit)}")
        return tuple(bits)


def _share(options: Iterable[Option]) -> float:
    return sum(option.share for option in options)


Draw = Callable[[Choice], int]


def at_random(random: np.random.Generator) -> Draw:
    """Return a function that draws an option of a choice by the shares, and returns its index."""
    return lambda choice: int(random.choice(len(choice.shares), p=choice.shares / choice.shares.sum()))


class Writer:
    """A text in the making, with the bits of each character and the places where a verb agrees with its subject.

    wrap: a space in this column or after it becomes a line break. capitals: lines begin with capitals.
    agreements: (position of the subject's ending, position of the verb's ending, the character that decides).
    """

    def __init__(self, draw: Draw, *, wrap: int | None = None, capitals: bool = False) -> None:
        self.draw, self.wrap, self.capitals = draw, wrap, capitals
        self.characters, self.bits = list[str](), list[float]()
        self.agreements = list[tuple[int, int]]()
        self.column = 0

    @property
    def text(self) -> str:
        return "".join(self.characters)

    def put(self, text: str) -> None:
        """Write what follows from the text so far, at 0 bits."""
        self._write(text, (0.0,) * len(text))

    def choose(self, choice: Choice) -> tuple[int, Option]:
        """Draw an option and write it; return the position of its first character, and the option."""
        start, i = len(self.characters), self.draw(choice)
        self._write(choice.options[i].text, choice.bits[i])
        return start, choice.options[i]

    def agree(self, ending: int, deciding: int) -> None:
        """Note an agreement. Where a line break is the verb's ending, it does not count."""
        if self.characters[deciding] != "\n":
            self.agreements.append((ending, deciding))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what optimum.save stores: bits float64 [characters] and agreements int32 [agreements, 2]."""
        return {"bits": np.array(self.bits), "agreements": np.array(self.agreements, np.int32).reshape(-1, 2)}

    def _write(self, text: str, bits: Sequence[float]) -> None:
        for character in text:
            if character == " " and self.wrap is not None and self.column >= self.wrap:
                character = "\n"
            elif self.capitals and self.column == 0:
                character = character.upper()
            self.characters.append(character)
            self.column = 0 if character == "\n" else self.column + 1
        self.bits += bits


@dataclass(frozen=True)
class Theme:
    """The lexicon of a theme, each list from the most to the least frequent.

    Nouns have a plural in -s. Verbs have a singular in -s and take an object.
    """

    nouns: tuple[str, ...]
    verbs: tuple[str, ...]
    adjectives: tuple[str, ...]
    adverbs: tuple[str, ...]


@dataclass(frozen=True)
class Opening:
    """The words that name a theme at the start of a passage, and the signs at its end."""

    text: str
    theme: Theme
    close: str = "."


@dataclass(frozen=True)
class Grammar:
    """Openings, all equally frequent, and how frequent optional parts are.

    adjective: of noun phrases with one. relative: of subjects with a relative clause. place: of relative clauses with a
    place. adverb: of clauses that end in one. another: of clauses that another one follows in the same passage.
    line_end: what is after the adverb of a relative clause and between two clauses.
    """

    openings: tuple[Opening, ...]
    adjective: float = 0.4
    relative: float = 0.7
    place: float = 0.5
    adverb: float = 0.4
    another: float = 0.5
    line_end: str = " "

    @functools.cached_property
    def opening(self) -> Choice:
        """Return the choice of an opening, in the order of `openings`."""
        return Choice(Option(opening.text, 1 / len(self.openings)) for opening in self.openings)

    @functools.cached_property
    def _phrases(self) -> dict[str, "_Phrases"]:
        return {opening.text: _Phrases(self, opening) for opening in self.openings}

    def passage(self, writer: Writer, *, lines: int | None = None, opening: Opening | None = None) -> int:
        """Write a passage, of at most `lines` lines if they are given; return how many it has.

        Its opening is drawn unless it is given.
        """
        if opening is None:
            text = writer.choose(self.opening)[1].text
        else:
            writer.put(text := opening.text)
        used, more = 0, True
        while more:
            left = None if lines is None else lines - used
            more_lines, more = self._phrases[text].clause(writer, left)
            used += more_lines
        return used


class _Phrases:
    """The choices of a theme, and clauses made of them. Pairs of choices are for singular and for plural subjects."""

    def __init__(self, grammar: Grammar, opening: Opening) -> None:
        theme = opening.theme
        adjectives, verbs = _words(theme.adjectives), (_verbs(theme, False), _verbs(theme, True))
        places = [Option(place, 1 / len(PLACES)) for place in PLACES]
        self.noun = Choice(_nouns(theme))
        self.subject = _either(grammar.adjective, adjectives, _nouns(theme))
        self.verb = tuple(map(Choice, verbs))
        self.relative_or_verb = tuple(_either(grammar.relative, [Option("that the ", 1.0)], v) for v in verbs)
        self.place_or_verb = tuple(_either(grammar.place, places, v) for v in verbs)
        self.adverb = Choice(_words(theme.adverbs, grammar.line_end))
        self.final = _Objects(grammar, opening, another=0.0)
        self.any = _Objects(grammar, opening, grammar.another)

    def clause(self, writer: Writer, lines: int | None) -> tuple[int, bool]:
        """Write a clause of at most `lines` lines; return how many it has, and whether another one follows."""
        writer.put("the ")
        ending, plural = self._noun_phrase(writer)
        used = 1
        if lines == 1:
            _verb(writer, self.verb[plural], ending)
        elif not _verb(writer, self.relative_or_verb[plural], ending):
            used = 2
            inner, inner_plural = self._noun_phrase(writer)
            _verb(writer, self.verb[inner_plural], inner)
            writer.choose(self.adverb)
            if not _verb(writer, self.place_or_verb[plural], ending):
                self._noun_phrase(writer)
                _verb(writer, self.verb[plural], ending)
        writer.put("the ")
        return used, (self.final if lines == used else self.any).write(writer)

    def _noun_phrase(self, writer: Writer) -> tuple[int, bool]:
        """Write an adjective or none, and a noun; return the position of its ending, and whether it is plural."""
        start, option = writer.choose(self.subject)
        if not option.stem:
            start, option = writer.choose(self.noun)
        return start + option.stem, option.plural


class _Objects:
    """The choices of an object, which ends its clause. another: share of the clauses that another one follows."""

    def __init__(self, grammar: Grammar, opening: Opening, another: float) -> None:
        theme = opening.theme
        ends = [Option(f";{grammar.line_end}", another, then="clause"), Option(opening.close, 1 - another, then="end")]
        after_noun = [Option(" ", grammar.adverb), *_scaled(ends, 1 - grammar.adverb)]
        nouns = _joined(_nouns(theme, ""), after_noun)
        self.start, self.noun = _either(grammar.adjective, _words(theme.adjectives), nouns), Choice(nouns)
        self.adverb = Choice(_joined(_words(theme.adverbs, ""), ends))

    def write(self, writer: Writer) -> bool:
        """Write an object and perhaps an adverb; return whether another clause follows."""
        _, option = writer.choose(self.start)
        if not option.stem:
            _, option = writer.choose(self.noun)
        if option.then == "phrase":
            _, option = writer.choose(self.adverb)
        return option.then == "clause"


def _verb(writer: Writer, choice: Choice, ending: int) -> bool:
    """Write an option; return whether it is a verb. ending: the position of the ending of its subject."""
    start, option = writer.choose(choice)
    if option.stem:
        writer.agree(ending, start + option.stem)
    return option.stem > 0


def _words(words: Sequence[str], end: str = " ") -> list[Option]:
    """Return options with shares in proportion to 1, 1/2, 1/3 …"""
    total = sum(1 / rank for rank in range(1, len(words) + 1))
    return [Option(word + end, 1 / rank / total) for rank, word in enumerate(words, 1)]


def _nouns(theme: Theme, end: str = " ") -> list[Option]:
    """Return each noun in both numbers."""
    inflected = [(noun, number) for noun in _words(theme.nouns, "") for number in (False, True)]
    return [Option(f"{n.text}{'s' * plural}{end}", n.share / 2, len(n.text), plural) for n, plural in inflected]


def _verbs(theme: Theme, plural: bool) -> list[Option]:
    """Return each verb in one number."""
    ending = " " if plural else "s "
    return [Option(v.text + ending, v.share, len(v.text), plural) for v in _words(theme.verbs, "")]


def _scaled(options: Iterable[Option], share: float) -> list[Option]:
    return [option._replace(share=option.share * share) for option in options]


def _either(share: float, some: Iterable[Option], others: Iterable[Option]) -> Choice:
    """Return the choice of one of `some` with this share, else one of `others`."""
    return Choice([*_scaled(some, share), *_scaled(others, 1 - share)])


def _joined(options: Iterable[Option], ends: Sequence[Option]) -> list[Option]:
    """Return every option with every end."""
    return [o._replace(text=o.text + e.text, share=o.share * e.share, then=e.then) for o in options for e in ends]
