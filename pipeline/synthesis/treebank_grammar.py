"""The grammar of the synthetic Treebank: tags that depend on the context, and on the endings of rare words.

Everyday words are nouns or verbs, and their -ed is a past tense or a participle, according to what comes before, which
may be two or up to eight words back:

    the/DT report/NN has/VBZ ,/, in/IN a/DT new/JJ market/NN ,/, turned/VBN up/RP the/DT offer/NN ./.

Rare words, a third of all, are invented; their endings tell the tag. Three choices cannot be told from the sentence:
whether a modifier is JJ or NN, whether the word after the verb is RP or IN, and whether -ed after a form of "be" is VBN
or JJ. They keep the best possible accuracy below 100 %.
"""

from collections.abc import Sequence
from itertools import product

from pipeline.synthesis.tagged_grammar import END, Rule, TagGrammar

SYLLABLES = (
    "blor",
    "trask",
    "fend",
    "mip",
    "gral",
    "sunt",
    "pav",
    "dorm",
    "kest",
    "wib",
    "lant",
    "rusk",
    "tolv",
    "neb",
)
EVERYDAY = (  # nouns and verbs, according to what comes before
    "report", "offer", "order", "plant", "test", "form", "work", "turn", "start", "help", "talk", "play", "claim",
    "point", "record", "demand", "reward", "answer", "attack", "visit", "return", "limit", "market", "doubt",
)  # fmt: skip


def _zipf(words: Sequence[str], share: float) -> dict[str, float]:
    """Return the share of each word: together `share`, in proportion to 1, 1/2, 1/3 …"""
    total = sum(1 / rank for rank in range(1, len(words) + 1))
    return {word: share / rank / total for rank, word in enumerate(words, 1)}


def _rare(endings: Sequence[str], share: float) -> dict[str, float]:
    """Return the share of each invented word, together `share`: one to three syllables and an ending."""
    stems: dict[str, float] = {}
    for syllables, likely in ((1, 0.2), (2, 0.4), (3, 0.4)):
        each = likely / len(SYLLABLES) ** syllables
        stems |= {"".join(parts): each for parts in product(SYLLABLES, repeat=syllables)}
    return {stem + end: share * likely / len(endings) for stem, likely in stems.items() for end in endings}


def _classes() -> dict[str, dict[str, float]]:
    """Return the words of each class. Rare words are of one part of speech, or of two forms of the verb."""
    ending = {"NN": "", "NNS": "s", "VB": "", "VBP": "", "VBZ": "s", "VBD": "ed", "VBN": "ed", "VBG": "ing"}
    rare = {"NN": ("tion", "ness", "ment", "er"), "NNS": ("tions", "ments", "ers"), "VB": ("ize", "ate"),
            "VBP": ("ize", "ate"), "VBZ": ("izes", "ates"), "VBD": ("ized", "ated"), "VBN": ("ized", "ated"),
            "VBG": ("izing", "ating")}  # fmt: skip
    open_classes = {
        tag: _zipf([word + end for word in EVERYDAY], 0.65) | _rare(rare[tag], 0.35) for tag, end in ending.items()
    }
    names = _zipf(("Ada", "Nelly", "Otto", "Ferrara"), 0.4)
    return open_classes | {
        "JJ": _zipf(("new", "large", "old", "early", "sharp"), 0.45) | _rare(("ous", "able", "ive", "al"), 0.55),
        "RB": _zipf(("also", "often", "soon", "again"), 0.5) | _rare(("ly", "edly"), 0.5),
        "NNP": names | {word.capitalize(): p for word, p in _rare(("ville", "son", "burg"), 0.6).items()},
        "DT": _zipf(("the", "a", "this", "every"), 1.0),
        "IN": _zipf(("of", "in", "with", "by", "for"), 1.0),
        "CC": _zipf(("and", "or"), 1.0),
        "PRP": _zipf(("they", "we", "you"), 1.0),
        "MD": _zipf(("will", "may", "could"), 1.0),
        "CD": _zipf(("two", "61", "1,500", "3.5", "1989"), 1.0),
        ".": {".": 0.9, "?": 0.1},
        ",": {",": 1.0},
        "modifier": _zipf(("chief", "gold", "future", "average"), 1.0),
        "particle": _zipf(("up", "over", "down", "off"), 1.0),
    }


OBJECT, CLOSE = {"object": 1.0}, {"place": 0.3, "another": 0.15, "close": 0.55}


def _verb(tag: str, share: float) -> tuple[Rule, ...]:
    """Return rules for a verb that may come late: what its tag depends on is then up to seven words back."""
    late = {f"at last {tag}": 1.0}
    return (
        Rule("VP", tag, 0.2 * share, OBJECT),
        Rule("ADVP", "RB", 0.1 * share, late),
        Rule("ADVP", "RB CC RB", 0.25 * share, late),
        Rule("PRN", ", IN DT NN ,", 0.25 * share, late),
        Rule("PRN", ", IN DT JJ NN ,", 0.2 * share, late),
    )


RULES: dict[str, tuple[Rule, ...]] = {
    "subject": (
        Rule("NP-SBJ", "DT NN", 0.2, {"one": 1.0}),
        Rule("NP-SBJ", "DT JJ NN", 0.15, {"one": 1.0}),
        Rule("NP-SBJ", "DT JJ<modifier NN", 0.08, {"one": 1.0}),
        Rule("NP-SBJ", "DT NN<modifier NN", 0.05, {"one": 1.0}),
        Rule("NP-SBJ", "NNP NNP", 0.12, {"one": 1.0}),
        Rule("NP-SBJ", "NNS", 0.1, {"many": 1.0}),
        Rule("NP-SBJ", "JJ NNS", 0.15, {"many": 1.0}),
        Rule("NP-SBJ", "PRP", 0.15, {"many": 1.0}),
    ),
    "one": (
        Rule("VP", "VBZ=has", 0.3, {"before VBN": 1.0}),
        Rule("VP", "MD", 0.15, {"before VB": 1.0}),
        Rule("VP", "VBD=wanted -NONE- TO=to", 0.1, {"before VB": 1.0}),
        Rule("VP", "VBZ=is", 0.15, {"state": 1.0}),
        Rule("VP", "VBZ", 0.1, OBJECT),
        *_verb("VBD", 0.2),
    ),
    "many": (
        Rule("VP", "VBP=have", 0.3, {"before VBN": 1.0}),
        Rule("VP", "MD", 0.15, {"before VB": 1.0}),
        Rule("VP", "VBD=wanted -NONE- TO=to", 0.1, {"before VB": 1.0}),
        Rule("VP", "VBP=are", 0.15, {"state": 1.0}),
        *_verb("VBP", 0.15),
        *_verb("VBD", 0.15),
    ),
    **{f"before {tag}": _verb(tag, 1.0) for tag in ("VB", "VBN")},
    **{f"at last {tag}": (Rule("VP", tag, 1.0, OBJECT),) for tag in ("VB", "VBN", "VBD", "VBP")},
    "state": (
        Rule("VP", "VBN", 0.45, CLOSE),
        Rule("ADJP", "JJ<VBN", 0.25, CLOSE),  # which of the two, nobody can tell
        Rule("VP", "VBG", 0.3, OBJECT),
    ),
    "object": (
        Rule("NP", "DT NN", 0.25, CLOSE),
        Rule("NP", "DT JJ NN", 0.15, CLOSE),
        Rule("NP", "DT JJ<modifier NN", 0.1, CLOSE),
        Rule("NP", "DT NN<modifier NN", 0.06, CLOSE),
        Rule("NP", "NNS", 0.14, CLOSE),
        Rule("NP", "CD NNS", 0.1, CLOSE),
        Rule("NP", "NNP", 0.05, CLOSE),
        Rule("PRT", "RP<particle DT NN", 0.1, CLOSE),
        Rule("PP", "IN<particle DT NN", 0.05, CLOSE),
    ),
    "place": (
        Rule("PP", "IN DT NN", 0.5, {"close": 1.0}),
        Rule("PP", "IN NNP", 0.3, {"close": 1.0}),
        Rule("PP", "IN JJ NNS", 0.2, {"close": 1.0}),
    ),
    "another": (Rule("CC", ", CC", 1.0, {"subject": 1.0}),),
    "close": (Rule(".", ".", 1.0, {END: 1.0}),),
}


def grammar() -> TagGrammar:
    """Return the grammar of whole sentences."""
    return TagGrammar({"subject": 1.0}, RULES, _classes())
