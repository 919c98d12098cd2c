"""treebank: bracketed trees, traces, files."""

import zipfile
from pathlib import Path

import pytest

from pipeline.config.schema.datasets import PosTaggingData
from pipeline.encoding.records import TaggedSentences
from pipeline.errors import DataError
from pipeline.sources import treebank
from pipeline.synthesis.treebank_grammar import grammar
from pipeline.tasks.pos_tagging.baselines import baselines
from pipeline.tasks.pos_tagging.prepare import encode
from pipeline.tasks.pos_tagging.score import optimum, score

TREES = """
( (S
    (NP-SBJ-1 (NNP Ada) )
    (VP (VBD wanted)
      (S (NP-SBJ (-NONE- *-1) ) (VP (TO to) (VP (VB go) ))))
    (. .) ))
( (NP (-LRB- -LRB-) (NN note) (-RRB- -RRB-) ))
( (S (-NONE- *) ) )
"""


def _zip(folder: Path, **members: str) -> Path:
    with zipfile.ZipFile(folder / "treebank.zip", "w") as archive:
        archive.writestr("treebank/combined/README", "( not a tree")
        for name, text in members.items():
            archive.writestr(f"treebank/combined/{name}.mrg", text)
    return folder


def test_traces_are_dropped_and_documents_are_file_names(tmp_path: Path) -> None:
    record = treebank.read(_zip(tmp_path, wsj_0002="( (UH Oh) )", wsj_0001=TREES))
    assert record.words == (("Ada", "wanted", "to", "go", "."), ("-LRB-", "note", "-RRB-"), ("Oh",))
    assert record.tags[0] == ("NNP", "VBD", "TO", "VB", ".")
    assert record.documents == ("wsj_0001.mrg", "wsj_0001.mrg", "wsj_0002.mrg")
    assert record.findings["traces_dropped"] == 2
    assert record.findings["sentences_of_traces_only"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("( (NN a) ", "ends inside tree 1 with 1 open brackets"),
        ("( (NN a) ) )", "one closing bracket too many after tree 1"),
        ("( (NN a b) )", "'NN a b' in tree 1 is not a pair \\(tag word\\)"),
        ("word ( (NN a) )", "'word' is outside any tree"),
        ("( (NN caf\u00e9) )", "ascii"),
    ],
)
def test_broken_trees_are_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"treebank.zip: treebank/combined/wsj_0001.mrg: .*{message}"):
        treebank.read(_zip(tmp_path, wsj_0001=text))


def test_an_archive_without_trees_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no member like treebank/combined/wsj_0001\.mrg"):
        treebank.read(_zip(tmp_path))


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> TaggedSentences:
    folder = tmp_path_factory.mktemp("treebank")
    treebank.synthesize(folder, 42)
    return treebank.read(folder)


def test_the_synthetic_file_has_traces_many_tags_and_unknown_words(synthetic: TaggedSentences) -> None:
    assert len(synthetic.words) == 1500
    assert len(set(synthetic.documents)) == 60
    assert 15 <= len({tag for tags in synthetic.tags for tag in tags}) <= 25
    assert synthetic.findings["traces_dropped"] > 100
    first = sum(name < "wsj_0049" for name in synthetic.documents)
    known = {word for words in synthetic.words[:first] for word in words}
    later = [word for words in synthetic.words[first:] for word in words]
    assert 0.1 < sum(word not in known for word in later) / len(later) < 0.2


def test_the_best_tags_are_those_of_each_sentence(synthetic: TaggedSentences) -> None:
    assert synthetic.optimum is not None
    process = grammar()
    for words, best in list(zip(synthetic.words, synthetic.optimum, strict=True))[::25]:
        assert process.best_tags(words) == best


def test_no_baseline_reaches_the_best_possible_accuracy(synthetic: TaggedSentences) -> None:
    encoded = encode(synthetic, PosTaggingData(source="treebank", task="pos_tagging", min_words=2), 0)
    best = optimum(encoded)
    assert best is not None
    limit = score(encoded, "test", best)["token_accuracy"]
    naive = {name: b.metrics["token_accuracy"] for name, b in baselines(encoded).items()}
    assert 0.96 < limit < 0.99
    assert 0.80 < naive["most frequent tag"] < 0.88
    assert naive["most frequent tag"] + 0.05 < naive["averaged perceptron"] < limit - 0.01
    assert naive["most frequent tag"] + 0.05 < naive["CRF"] < limit


def test_an_optimum_of_other_words_is_refused(tmp_path: Path) -> None:
    treebank.synthesize(tmp_path, 1)
    _zip(tmp_path, wsj_0001=TREES)
    with pytest.raises(DataError, match=r"optimum.npz: tags of [\d,]+ rows, the data have 8; run the download again"):
        treebank.read(tmp_path)
