"""Draw sentences from a grammar that gives the exact probability of every character.

A text is a row of passages. A passage opens with words that name its theme, which decides the nouns, verbs and
adjectives of all its clauses. A clause has a subject, which may have a relative clause, an adverb or a place, then an
auxiliary verb that agrees with the subject across them, and an object:

    At sea, the sailors that the old wave lifted at dawn have greeted this gull; the …

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

RELATIVE = "that the "
PLACES = ("near the ", "behind the ", "not far from the ")
ADVERBS = ("slowly", "at dawn", "once more")


class Option(NamedTuple):
    """An option of a choice.

    stem: length of what the singular and the plural of a noun or an auxiliary share, 0 for other options. then: what
    follows an option of an object.
    """

    text: str
    share: float
    stem: int = 0
    plural: bool = False
    then: Literal["noun", "adverb", "clause", "end"] = "noun"


AUXILIARIES = (Option("has ", 1.0, stem=2), Option("have ", 1.0, stem=2, plural=True))


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
    """A text in the making, with the bits of each character and the places where an auxiliary agrees with its subject.

    wrap: a space in this column or after it becomes a line break. capitals: lines begin with capitals.
    agreements: (position of the subject's ending, position of the character that decides between has and have).
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

    Nouns have a plural in -s. Verbs are in the past tense, which is the participle too, and take an object.
    """

    nouns: tuple[str, ...]
    verbs: tuple[str, ...]
    adjectives: tuple[str, ...]


@dataclass(frozen=True)
class Opening:
    """The words that name a theme at the start of a passage, and the signs at its end."""

    text: str
    theme: Theme
    close: str = "."


@dataclass(frozen=True)
class Grammar:
    """Openings, all equally frequent, and how frequent optional parts are.

    adjective: of noun phrases with one. modifier: of subjects, and of relative clauses, with a modifier. relative: of
    the modifiers of a subject that are relative clauses; the others are adverbs and places. adverb: of these that are
    adverbs, and of clauses that end in one. another: of clauses that another one follows in the same passage.
    line_end: what is after an adverb within a clause and between two clauses.
    """

    openings: tuple[Opening, ...]
    adjective: float = 0.15
    modifier: float = 0.75
    relative: float = 0.5
    adverb: float = 0.4
    another: float = 0.5
    line_end: str = " "

    @functools.cached_property
    def opening(self) -> Choice:
        """Return the choice of an opening, in the order of `openings`."""
        return Choice(Option(opening.text, 1 / len(self.openings)) for opening in self.openings)

    @functools.cached_property
    def _clauses(self) -> dict[str, "_Clauses"]:
        return {opening.text: _Clauses(self, opening) for opening in self.openings}

    def passage(self, writer: Writer, opening: Opening | None = None) -> None:
        """Write a passage. Its opening is drawn unless it is given."""
        if opening is None:
            text = writer.choose(self.opening)[1].text
        else:
            writer.put(text := opening.text)
        while self._clauses[text].write(writer):
            pass


class _Clauses:
    """The choices of a theme, and clauses made of them. Pairs of choices are for singular and for plural subjects."""

    def __init__(self, grammar: Grammar, opening: Opening) -> None:
        theme = opening.theme
        adjectives, nouns = _words(theme.adjectives), _inflected(theme.nouns)
        places = [Option(place, 1 / len(PLACES)) for place in PLACES]
        between = _mixed(grammar.adverb, _words(ADVERBS, grammar.line_end), places)
        modifiers = _mixed(grammar.relative, [Option(RELATIVE, 1.0)], between)
        ends = _mixed(
            grammar.another,
            [Option(f";{grammar.line_end}", 1.0, then="clause")],
            [Option(opening.close, 1.0, then="end")],
        )
        objects = _joined(_words(theme.nouns, ""), _mixed(grammar.adverb, [Option(" ", 1.0, then="adverb")], ends))
        self.subject, self.noun = Choice(_mixed(grammar.adjective, adjectives, nouns)), Choice(nouns)
        self.after_subject = tuple(Choice(_mixed(grammar.modifier, modifiers, [a])) for a in AUXILIARIES)
        self.after_relative = tuple(Choice(_mixed(grammar.modifier, between, [a])) for a in AUXILIARIES)
        self.auxiliary = tuple(Choice([a]) for a in AUXILIARIES)
        self.verb = Choice(_words(theme.verbs))
        self.object = Choice(_mixed(grammar.adjective, adjectives, objects))
        self.object_noun, self.last_adverb = Choice(objects), Choice(_joined(_words(ADVERBS, ""), ends))

    def write(self, writer: Writer) -> bool:
        """Write a clause; return whether another one follows."""
        writer.put("the ")
        ending, plural = self._noun_phrase(writer)
        option = _agreeing(writer, self.after_subject[plural], ending)
        if option.text == RELATIVE:
            self._noun_phrase(writer)
            writer.choose(self.verb)
            option = _agreeing(writer, self.after_relative[plural], ending)
        if option.text in PLACES:
            self._noun_phrase(writer)
        if not option.stem:
            _agreeing(writer, self.auxiliary[plural], ending)
        writer.choose(self.verb)
        return self._object(writer)

    def _noun_phrase(self, writer: Writer) -> tuple[int, bool]:
        """Write an adjective or none, and a noun; return the position of its ending, and whether it is plural."""
        start, option = writer.choose(self.subject)
        if not option.stem:
            start, option = writer.choose(self.noun)
        return start + option.stem, option.plural

    def _object(self, writer: Writer) -> bool:
        """Write an object and perhaps an adverb, which end a clause; return whether another clause follows."""
        writer.put("this ")
        _, option = writer.choose(self.object)
        if option.then == "noun":
            _, option = writer.choose(self.object_noun)
        if option.then == "adverb":
            _, option = writer.choose(self.last_adverb)
        return option.then == "clause"


def _agreeing(writer: Writer, choice: Choice, ending: int) -> Option:
    """Write an option, perhaps an auxiliary, and return it. ending: the position of the ending of its subject."""
    start, option = writer.choose(choice)
    if option.stem:
        writer.agreements.append((ending, start + option.stem))
    return option


def _words(words: Sequence[str], end: str = " ") -> list[Option]:
    """Return options with shares in proportion to 1, 1/2, 1/3 …"""
    total = sum(1 / rank for rank in range(1, len(words) + 1))
    return [Option(word + end, 1 / rank / total) for rank, word in enumerate(words, 1)]


def _inflected(nouns: Sequence[str]) -> list[Option]:
    """Return each noun in both numbers."""
    both = [(noun, plural) for noun in _words(nouns, "") for plural in (False, True)]
    return [Option(f"{n.text}{'s' * plural} ", n.share / 2, len(n.text), plural) for n, plural in both]


def _mixed(share: float, some: Iterable[Option], others: Iterable[Option]) -> list[Option]:
    """Return `some` with this share together, and `others` with the rest."""
    weighted = ((share, some), (1 - share, others))
    return [option._replace(share=option.share * weight) for weight, options in weighted for option in options]


def _joined(options: Iterable[Option], ends: Sequence[Option]) -> list[Option]:
    """Return every option with every end."""
    return [o._replace(text=o.text + e.text, share=o.share * e.share, then=e.then) for o in options for e in ends]
