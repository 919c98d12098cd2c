"""treebank: bracketed trees, traces, files."""

import zipfile
from pathlib import Path

import pytest

from pipeline.errors import DataError
from pipeline.sources import treebank

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


def test_the_synthetic_file_has_traces_many_tags_and_unknown_words(tmp_path: Path) -> None:
    treebank.synthesize(tmp_path, 42)
    record = treebank.read(tmp_path)
    assert len(record.words) == 400
    assert len(set(record.documents)) == 30
    assert 15 <= len({tag for tags in record.tags for tag in tags}) <= 25
    assert record.findings["traces_dropped"] > 20
    first = sum(name < "wsj_0025" for name in record.documents)
    known = {word for words in record.words[:first] for word in words}
    later = [word for words in record.words[first:] for word in words]
    assert 0.02 < sum(word not in known for word in later) / len(later) < 0.4
