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
from itertools import accumulate, pairwise
from pathlib import Path, PurePosixPath

import numpy as np

from pipeline.encoding.records import TaggedSentences
from pipeline.errors import DataError
from pipeline.sources.archive import open_zip, read_zip_member
from pipeline.sources.card import Card, RawFile, find_file
from pipeline.synthesis import optimum
from pipeline.synthesis.tagged_grammar import TRACE, Phrase
from pipeline.synthesis.treebank_grammar import grammar

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
    tags = optimum.load(folder, tags=ends[-1]).get("tags")
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
README = "Synthetic data in the format of the Penn Treebank fragment: invented words, trees from a small grammar.\n"


def synthesize(folder: Path, seed: int) -> None:
    """Write treebank.zip: 60 files of 25 trees, 22 tags, traces, rare words whose endings reveal the tag."""
    random, process = np.random.default_rng(seed), grammar()
    folder.mkdir(parents=True, exist_ok=True)
    best: list[str] = []
    with zipfile.ZipFile(folder / FILE, "w", zipfile.ZIP_DEFLATED) as archive:
        _write(archive, "treebank/README", README)
        _write(archive, "treebank/combined/README", README)
        for number in range(1, FILES + 1):
            sentences = [process.draw(random) for _ in range(TREES_EACH)]
            _write(archive, f"treebank/combined/wsj_{number:04d}.mrg", "".join(map(_tree, sentences)) + "\n")
            for phrases in sentences:
                best += process.best_tags([word for _, pairs in phrases for tag, word in pairs if tag != TRACE])
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
