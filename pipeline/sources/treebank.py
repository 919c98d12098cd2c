"""Read a tenth of the Penn Treebank: sentences of the Wall Street Journal with a part of speech for each word.

(C) 1995 University of Pennsylvania / LDC; the fragment that NLTK distributes, for non-commercial use only, no
redistribution. treebank.zip holds 199 files treebank/combined/wsj_NNNN.mrg of bracketed trees. The innermost brackets
are `(tag word)`; the tag -NONE- marks traces, which are not words of the text. The beginning of wsj_0001.mrg:

    ( (S
        (NP-SBJ
          (NP (NNP Pierre) (NNP Vinken) )
          (, ,)
"""

import io
import re
import zipfile
from collections.abc import Sequence
from itertools import accumulate, pairwise, product
from pathlib import Path, PurePosixPath

import numpy as np

from pipeline.encoding.records import TaggedSentences
from pipeline.errors import DataError
from pipeline.sources.archive import open_zip, read_zip_member
from pipeline.sources.card import Card, RawFile, find_file
from pipeline.synthesis import optimum
from pipeline.synthesis.tagged_grammar import END, TRACE, Phrase, Rule, TagGrammar

GENERATED = False
FILE = "treebank.zip"
TREES = re.compile(r"treebank/combined/wsj_\d{4}\.mrg")
TOKEN = re.compile(r"[()]|[^\s()]+")
MEMBER_LIMIT = 10_000_000

CARD = Card(
    title="Penn Treebank fragment (NLTK)",
    about="3,914 tagged sentences from 199 Wall Street Journal files of 1989.",
    homepage="https://www.nltk.org/nltk_data/",
    licence="(C) 1995 LDC / University of Pennsylvania; non-commercial use only, no redistribution",
    example="(NP (NNP Pierre) (NNP Vinken) )",
    forms=(
        (
            RawFile(
                FILE,
                sha256="9da92d76c3666cfb6cddeaed0f7e86b344cce0f0928a286d439e555f19c37399",
                size=1_740_034,
                url="https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora/treebank.zip",
                magic=b"PK\x03\x04",
            ),
        ),
    ),
)

Pairs = list[tuple[str, str]]


def read(folder: Path) -> TaggedSentences:
    """Read all sentences without traces; the documents are the files. DataError for unbalanced or untagged trees."""
    path = find_file(folder, (FILE,))
    sentences: list[Pairs] = []
    documents: list[str] = []
    with open_zip(path) as archive:
        names = sorted(name for name in archive.namelist() if TREES.fullmatch(name))
        if not names:
            raise DataError(f"{path}: no member like treebank/combined/wsj_0001.mrg in the archive")
        for name in names:
            in_file = _sentences(path, name, read_zip_member(path, archive, name, MEMBER_LIMIT))
            sentences += in_file
            documents += [PurePosixPath(name).name] * len(in_file)
    without_traces = [[pair for pair in sentence if pair[1] != TRACE] for sentence in sentences]
    kept = [i for i, sentence in enumerate(without_traces) if sentence]
    words = tuple(tuple(word for word, _ in without_traces[i]) for i in kept)
    return TaggedSentences(
        words=words,
        tags=tuple(tuple(tag for _, tag in without_traces[i]) for i in kept),
        documents=tuple(documents[i] for i in kept),
        findings=_findings(sentences, without_traces, len(names)),
        optimum=_best_tags(folder, words),
    )


def _best_tags(folder: Path, sentences: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...] | None:
    """Return the likeliest tag of each word in synthetic sentences; None for published ones."""
    ends = [0, *accumulate(map(len, sentences))]
    tags = optimum.of_rows(folder, "tags", ends[-1])
    if tags is None:
        return None
    return tuple(tuple(tags[start:end].tolist()) for start, end in pairwise(ends))


def _findings(sentences: list[Pairs], without_traces: list[Pairs], files: int) -> dict[str, int]:
    tokens, kept = sum(map(len, sentences)), sum(map(len, without_traces))
    return {
        "files": files,
        "sentences": len(sentences),
        "tokens": tokens,
        "traces_dropped": tokens - kept,
        "sentences_of_traces_only": sum(not sentence for sentence in without_traces),
        "repeated_sentences": len(without_traces) - len({tuple(sentence) for sentence in without_traces}),
    }


def _sentences(path: Path, name: str, content: bytes) -> list[Pairs]:
    try:
        return parse_trees(content.decode("ascii"))
    except (UnicodeDecodeError, ValueError) as error:
        raise DataError(f"{path}: {name}: {error}; expected trees such as ( (S (NP (NNP Pierre)) (. .)) )") from error


def parse_trees(text: str) -> list[Pairs]:
    """Return the (word, tag) pairs of each outermost bracket, with traces; ValueError for malformed brackets."""
    trees: list[Pairs] = []
    depth = 0
    pending: list[str] = []  # the tokens since the last bracket: [tag, word] at a leaf
    for token in TOKEN.findall(text):
        if token == "(":
            if depth == 0:
                trees.append([])
            depth, pending = depth + 1, []
        elif token == ")":
            depth -= 1
            if depth < 0:
                raise ValueError(f"one closing bracket too many after tree {len(trees)}")
            if len(pending) == 2:
                trees[-1].append((pending[1], pending[0]))
            elif pending:
                raise ValueError(f"{' '.join(pending)!r} in tree {len(trees)} is not a pair (tag word)")
            pending = []
        elif depth == 0:
            raise ValueError(f"{token!r} is outside any tree")
        else:
            pending.append(token)
    if depth:
        raise ValueError(f"the text ends inside tree {len(trees)} with {depth} open brackets")
    return trees


FILES, TREES_EACH = 60, 25
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
README = "Synthetic data in the format of the Penn Treebank fragment: invented words, trees from a small grammar.\n"


def synthesize(folder: Path, seed: int) -> None:
    """Write treebank.zip: 60 files of 25 trees, 22 tags, traces, rare words whose endings reveal the tag."""
    random, grammar = np.random.default_rng(seed), TagGrammar({"subject": 1.0}, RULES, _classes())
    folder.mkdir(parents=True, exist_ok=True)
    best: list[str] = []
    with zipfile.ZipFile(folder / FILE, "w", zipfile.ZIP_DEFLATED) as archive:
        _write(archive, "treebank/README", README)
        _write(archive, "treebank/combined/README", README)
        for number in range(1, FILES + 1):
            sentences = [grammar.draw(random) for _ in range(TREES_EACH)]
            _write(archive, f"treebank/combined/wsj_{number:04d}.mrg", "".join(map(_tree, sentences)) + "\n")
            for phrases in sentences:
                best += grammar.best_tags([word for _, pairs in phrases for tag, word in pairs if tag != TRACE])
    optimum.save(folder, tags=np.array(best))


def _write(archive: zipfile.ZipFile, name: str, text: str) -> None:
    # A ZipInfo made from a name has a fixed date, so equal seeds give equal bytes.
    member = zipfile.ZipInfo(name)
    member.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(member, "w") as stream, io.TextIOWrapper(stream, encoding="ascii", newline="\n") as text_stream:
        text_stream.write(text)


def _tree(phrases: Sequence[Phrase]) -> str:
    parts = (f"({label} {' '.join(f'({tag} {word})' for tag, word in pairs)} )" for label, pairs in phrases)
    return "\n( (S\n    " + "\n    ".join(parts) + " ))"
