"""The user's own files: repairs are counted; refusals name the line and say what would be right."""

import csv
import io
import re
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pipeline.config.schema.sources import OwnLabelled, OwnRows, OwnTagged
from pipeline.encoding.records import LabelledTexts, Series, TaggedSentences
from pipeline.errors import DataError
from pipeline.sources import OWN_READERS, load_own_reader

Read = Callable[..., Any]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read text or bytes as the file of a row of `own`."""

    def ask(reader: str, content: str | bytes, **keys: Any) -> Any:
        row = TypeAdapter[OwnRows](OwnRows).validate_python({"path": "my/file.csv", "reader": reader, **keys})
        (tmp_path / "file.csv").write_bytes(content.encode() if isinstance(content, str) else content)
        record = load_own_reader(reader).read(tmp_path, row)
        assert all(type(count) is int for count in record.findings.values()), "they go into a JSON file"
        return record

    return ask


@pytest.mark.parametrize("reader", OWN_READERS)
def test_a_file_that_was_not_imported_says_who_puts_it_there(reader: str, tmp_path: Path) -> None:
    keys = {"own_labelled": {"text": 1, "label": 2}, "own_series": {"time": 1, "value": 2}}.get(reader, {})
    row = TypeAdapter[OwnRows](OwnRows).validate_python({"path": "my/file.csv", "reader": reader, **keys})
    with pytest.raises(DataError, match=r"file\.csv: no such file; `dvc repro` copies it there"):
        load_own_reader(reader).read(tmp_path, row)


# Labelled sentences.


def labelled(read: Read, content: str | bytes, **keys: Any) -> LabelledTexts:
    record = read("own_labelled", content, **{"text": "text", "label": "label", **keys})
    assert isinstance(record, LabelledTexts)
    return record


def rows(count: int, *more: str) -> str:
    """A header, `count` texts of two classes, and `more` lines."""
    return "\n".join(["label,text", *(f"{i % 2},text number {i}" for i in range(count)), *more]) + "\n"


def test_texts_and_labels_by_hand(read: Read) -> None:
    lines = ["b,one", "a,two", 'b,"three, and\n""more"""', "c,four"] * 5
    record = labelled(read, "label,text\n" + "\n".join(lines) + "\n")
    assert record.texts[:4] == ("one", "two", 'three, and\n"more"', "four")
    assert record.label_names == ("a", "b", "c")
    assert record.labels[:4].tolist() == [1, 0, 1, 2] and record.labels.dtype == np.int32
    counted = {"rows": 20, "classes": 3, "repeated_texts": 16, "texts_with_several_labels": 0}
    assert counted.items() <= record.findings.items()
    assert [record.findings[f"texts_labelled_{name}"] for name in "abc"] == [5, 10, 5]


def test_labels_are_named_ordered_and_joined_by_the_row(read: Read) -> None:
    content = "".join(f"text {i}\t{i % 3}\n" for i in range(30))
    row = {"header": False, "text": 1, "label": 2, "delimiter": "\t", "labels": {2: "good", "0": "bad", 1: "bad"}}
    record = labelled(read, content, **row)
    assert record.label_names == ("good", "bad")
    assert record.labels[:4].tolist() == [1, 1, 0, 1]


def test_without_quoting_a_quote_is_a_letter(read: Read) -> None:
    content = "".join(f'{i % 2}\t"text" {i} "\n' for i in range(20))
    row = {"path": "my/file.csv", "header": False, "text": 2, "label": 1, "delimiter": "\t", "quoting": False}
    assert labelled(read, content, **row).texts[0] == '"text" 0 "'
    with pytest.raises(DataError, match=r"line 1: .*; expected columns separated by tabs"):
        labelled(read, content, **row | {"quoting": True})


MENDED: dict[str, tuple[bytes, dict[str, int]]] = {
    "byte order mark": (b"\xef\xbb\xbf" + rows(20).encode(), {"byte_order_marks_dropped": 1}),
    "CRLF": (rows(20).replace("\n", "\r\n").encode(), {"line_ends_converted": 21}),
    "CR": (rows(20).replace("\n", "\r").encode(), {"line_ends_converted": 21}),
    "U+0085 and U+2028": (
        rows(20).replace("number 3\n", "number\x85 3 \u2028!\n").encode(),
        {"line_separators_inside_lines": 2, "rows": 20},
    ),
    "empty text": (rows(200, "1,", "0,  ").encode(), {"empty_texts_dropped": 2, "rows": 202}),
    "blank rows": (rows(20, "", ",", "  ").encode(), {"blank_rows": 2, "rows": 20}),
    "too few columns": (rows(200, "1", "0").encode(), {"malformed_rows_dropped": 2, "rows": 200}),
    "too many columns": (rows(200, "1,a,b").encode(), {"malformed_rows_dropped": 1, "rows": 200}),
    "unclosed quote": (rows(200, '1,"open').encode(), {"malformed_rows_dropped": 1, "rows": 200}),
    "header again": (rows(20, "label,text", "1,text").encode(), {"repeated_headers_dropped": 1, "rows": 21}),
    "a delimiter at the end of rows": (
        re.sub("(?m)$", ",", rows(20, "").strip()).replace("text,", "text", 1).encode(),
        {"rows_with_a_delimiter_at_the_end": 20, "rows": 20},
    ),
    "repeats": (
        rows(20, "0,text number 0", "1,text number 0").encode(),
        {"repeated_texts": 2, "texts_with_several_labels": 1},
    ),
}


@pytest.mark.parametrize("name", MENDED)
def test_what_is_mended_is_counted(name: str, read: Read) -> None:
    content, counts = MENDED[name]
    record = labelled(read, content)
    assert counts.items() <= record.findings.items()
    quiet = {"byte_order_marks_dropped", "line_ends_converted", "line_separators_inside_lines", "blank_rows"}
    quiet |= {"empty_texts_dropped", "malformed_rows_dropped", "repeated_texts", "texts_with_several_labels"}
    quiet |= {"repeated_headers_dropped", "rows_with_a_delimiter_at_the_end"}
    assert {key: record.findings[key] for key in quiet - counts.keys()} == dict.fromkeys(quiet - counts.keys(), 0)
    assert len(record.texts) >= 20 and record.texts[4] == "text number 4"


MAPPED = {"labels": {0: "negative", 1: "positive"}}
BAD_LABELLED: dict[str, tuple[str | bytes, dict[str, Any], str]] = {
    "empty file": ("", {}, r"file\.csv: line 1: the file has no rows; expected columns separated by ','"),
    "header only": ("label,text\n", {}, r"0 texts of one class \(none\), expected at least two"),
    "Windows-1252": (
        rows(9).encode() + b"1,caf\xe9\n",
        {},
        r"byte 0xe9 at offset 160 \(line 11\)\. .*'1,café' with `encoding: cp1252`",
    ),
    "NUL": (rows(9, "1,a\0b"), {}, r"NUL character at position"),
    "no such column": (
        rows(9),
        {"text": "txt"},
        r"text: column 'txt' does not exist; .*line 1 has 2 columns: la",
    ),
    "no such number": (rows(9), {"text": 3}, r"text: column 3 does not exist; .*2 columns"),
    "another delimiter": (rows(9), {"delimiter": ";"}, r"separated by ';', line 1 has 1 column: label,text"),
    "column twice": ("text,text,label\n", {}, r"text: column 'text' occurs more than once"),
    "name without header": (rows(9), {"header": False}, r"text: found 'text'; without a header, use a column number"),
    "a header that is none": (
        "0,one\n" + rows(20)[11:],
        {"text": 2, "label": 1},
        r"line 1 is read as the header, but its '0' is also a label .*`header: false`",
    ),
    "too few columns": (
        rows(20, "1", "0,a", "1"),
        {},
        r"2 of 23 rows would be dropped .*malformed rows dropped: 2 \(line 22: 1 column; line 24: 1 column\)",
    ),
    "unquoted comma": (rows(20, "1,a, b"), {}, r"allows\. .*line 22: 3 columns\): .*in double quotes"),
    "unclosed quotes": (
        rows(20, '1,"a', "1,b", "0,c"),
        {},
        r"\(lines 22 to 24: unexpected end of data\): .*`quoting: false`",
    ),
    "unlisted label": (
        rows(20, *["2,c"] * 5, "x,d"),
        MAPPED,
        r"unknown label '2' in lines 22, 23, 24 and 2 more; 'x' in line 27; `labels` lists '0', '1'",
    ),
    "row without a label": (rows(20, ",c"), {}, r"rows without a label dropped: 1 \(line 22: no label\)"),
    "one class": ("label,text\n" + "1,a\n" * 9, {}, r"9 texts of one class \('1'\), expected at least two classes"),
    "one class of two": ("label,text\n" + "1,a\n" * 9, MAPPED, r"9 texts of one class \('positive'\)"),
    "texts for labels": (
        rows(20),
        {"label": "text", "text": "label"},
        r"20 different labels \('text number 0', .* in 20 rows; `label` must name the column of the labels",
    ),
}


@pytest.mark.fault("unusable-table")
@pytest.mark.parametrize("name", BAD_LABELLED)
def test_unusable_labelled_sentences_are_refused(name: str, read: Read) -> None:
    content, keys, message = BAD_LABELLED[name]
    with pytest.raises(DataError, match=message):
        labelled(read, content, **keys)


def test_many_classes_are_summed_up(read: Read) -> None:
    record = labelled(read, "label,text\n" + "".join(f"c{i % 25 + (i == 0)},t{i}\n" for i in range(250)))
    assert record.findings["classes"] == 25
    balance = {key: count for key, count in record.findings.items() if key.startswith("texts_labelled")}
    assert balance == {"texts_labelled_c1": 11, "texts_labelled_c0": 9}


def quoted_rows(count: int, first: int, last: int) -> str:
    """Rows of a TSV file of which one begins with a stray quote, and one ends with one."""
    lines = [f"text number {i}\t{i % 2}" for i in range(count)]
    lines[first] = '"' + lines[first]
    lines[last] = lines[last].replace("\t", '"\t')
    return "text\tlabel\n" + "\n".join(lines) + "\n"


@pytest.mark.fault("stray-quotes")
@pytest.mark.parametrize(("first", "last"), [(10, 41), (10, 11), (0, 79)])
def test_rows_that_stray_quotes_join_are_counted_as_rows(first: int, last: int, read: Read) -> None:
    content, tabs = quoted_rows(80, first, last), {"delimiter": "\t"}
    joined = last - first + 1
    with pytest.raises(DataError, match=rf"{joined} of 80 rows .*lines {first + 2} to {last + 2}: a quote opens"):
        labelled(read, content, **tabs)
    with pytest.raises(DataError, match=r"write `quoting: false` in the row of `own`"):
        labelled(read, content, **tabs)
    assert len(labelled(read, content, **tabs, quoting=False).texts) == 80
    many = content + "".join(f"further text {i}\t{i % 2}\n" for i in range(9_000))
    assert labelled(read, many, **tabs).findings["malformed_rows_dropped"] == joined


def test_quoting_false_is_not_proposed_where_quotes_hold_delimiters(read: Read) -> None:
    content = "label,text\n" + "".join(f'{i % 2},"one, two {i}"\n' for i in range(50)) + '1,"open\n'
    with pytest.raises(DataError, match=r"double each quote in it, or do without them: `max_dropped: 0\.02`"):
        labelled(read, content)
    assert len(labelled(read, content, max_dropped=0.02).texts) == 50


def test_texts_of_several_lines_are_kept(read: Read) -> None:
    text = "Good, really.\n1. It works, too\nand more, of course"
    record = labelled(read, rows(50) + f'1,"{text}"\n0,"so,\nand so"\n')
    assert record.texts[-2:] == (text, "so,\nand so") and record.findings["malformed_rows_dropped"] == 0


@pytest.mark.fault("long-cell")
def test_a_cell_of_150_000_characters_is_read(read: Read) -> None:
    record = labelled(read, rows(20) + f'1,"{"long, " * 25_000}end"\n')
    assert len(record.texts[-1]) == 150_003 and record.findings["malformed_rows_dropped"] == 0


LISTED_LABELS: dict[str, tuple[dict[Any, str], tuple[str, str]]] = {
    "numbers": ({1.0: "good", 0.0: "bad"}, ("1.0", "0.0")),
    "whole numbers for decimal ones": ({1: "good", 0: "bad"}, ("1.0", "0.0")),
    "decimal numbers for whole ones": ({1.0: "good", 0.0: "bad"}, ("1", "0")),
    "true and false": ({True: "good", False: "bad"}, ("True", "False")),
    "TRUE and FALSE": ({True: "good", False: "bad"}, ("TRUE", "FALSE")),
    "text": ({"true": "good", "1": "bad"}, ("true", "1")),
}


@pytest.mark.parametrize("name", LISTED_LABELS)
def test_labels_as_yaml_and_tables_write_them(name: str, read: Read) -> None:
    labels, (good, bad) = LISTED_LABELS[name]
    content = "text,label\n" + "".join(f"text {i},{good if i % 3 else bad}\n" for i in range(30))
    record = labelled(read, content, labels=labels)
    assert record.label_names == ("good", "bad") and record.labels[:4].tolist() == [1, 0, 0, 1]


def test_a_column_named_like_a_label_is_read_if_it_is_named(read: Read) -> None:
    content = "text,spam\n" + "".join(f"text {i},{'spam' if i % 2 else 'ham'}\n" for i in range(30))
    assert labelled(read, content, label="spam").label_names == ("ham", "spam")
    with pytest.raises(DataError, match=r"if it is the header, name the column: `label: \"spam\"`"):
        labelled(read, content, text=1, label=2)
    assert len(labelled(read, content, header=False, text=1, label=2).texts) == 31, "as the message says of a row"


def test_names_in_the_row_are_normalised_like_the_file(read: Read) -> None:
    content = "Größe,Größe der Stadt\n" + "".join(f"{'ü' if i % 2 else 'o'},text {i}\n" for i in range(30))
    decomposed = {name: unicodedata.normalize("NFD", name) for name in ("Größe", "Größe der Stadt", "ü")}
    keys = {
        "label": decomposed["Größe"],
        "text": decomposed["Größe der Stadt"],
        "labels": {decomposed["ü"]: "y", "o": "n"},
    }
    assert labelled(read, content, **keys).label_names == ("y", "n")


def test_another_delimiter_that_has_the_column_is_named(read: Read) -> None:
    content = "text;label\n" + "".join(f"text {i};{i % 2}\n" for i in range(30))
    with pytest.raises(DataError, match=r'with `delimiter: ";"` it has 2 columns'):
        labelled(read, content)
    assert len(labelled(read, content, delimiter=";").texts) == 30


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\ufeff"), max_size=30)


@given(st.lists(st.tuples(CELL, st.sampled_from(["a", "b"])), min_size=10, max_size=30), st.sampled_from(",;\t|"))
def test_written_rows_are_read_back_or_counted(rows: list[tuple[str, str]], delimiter: str) -> None:
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter, lineterminator="\n").writerows([("text", "label"), *rows])
    row = OwnLabelled(
        path="f.csv", reader="own_labelled", text="text", label="label", delimiter=delimiter, max_dropped=0.99
    )
    expected = [unicodedata.normalize("NFC", text).strip() for text, _ in rows if text.strip()]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "f.csv").write_bytes(written.getvalue().encode())
        try:
            record = load_own_reader("own_labelled").read(Path(folder), row)
        except DataError:
            return
    lost = record.findings["malformed_rows_dropped"] + record.findings["repeated_headers_dropped"]
    assert list(record.texts) == expected or lost
    assert len(record.texts) + record.findings["empty_texts_dropped"] + lost >= len(rows)


# Tagged sentences.


def tagged(read: Read, content: str | bytes, **keys: Any) -> TaggedSentences:
    record = read("own_tagged", content, **keys)
    assert isinstance(record, TaggedSentences)
    return record


SENTENCE = "the DT\nship NN\nsails VBZ\n\n"
UNIVERSAL = """\
# newdoc id = {0}
# text = Du port
1-2	Du	_	_
1	De	_	ADP
2	le	_	DET
3	port {0}	_	NOUN
3.1	vu	_	VERB

# text = #1 # !
1	#1	_	SYM
2	#	_	SYM
3	!	_	PUNCT

"""


def test_columns_by_hand(read: Read) -> None:
    record = tagged(read, "".join(map(UNIVERSAL.format, range(6))), word=2)
    assert record.words[:3] == (("De", "le", "port 0"), ("#1", "#", "!"), ("De", "le", "port 1"))
    assert record.tags[:2] == (("ADP", "DET", "NOUN"), ("SYM", "SYM", "PUNCT"))
    assert len(set(record.documents)) == 6 and record.documents[0] == record.documents[1] != record.documents[2]
    assert {
        "sentences": 12, "words": 36, "different_tags": 5, "document_marks": 6, "documents_made_of_20_sentences": 0,
        "comment_lines": 12, "multiword_tokens_skipped": 6, "empty_nodes_skipped": 6, "repeated_sentences": 5,
    }.items() <= record.findings.items()  # fmt: skip


@pytest.mark.parametrize("mark", ["-DOCSTART- -X-", "# newdoc"])
def test_documents_begin_where_the_file_says_so(mark: str, read: Read) -> None:
    record = tagged(read, f"{mark}\n\n{SENTENCE}{SENTENCE}" * 5)
    assert [record.documents.count(name) for name in dict.fromkeys(record.documents)] == [2] * 5
    named = tagged(read, f"=== chapter\n{SENTENCE}" * 3, documents="===")
    assert len(set(named.documents)) == 3


@pytest.mark.parametrize("marks", ["", "# newdoc id = all\n"])
def test_without_marks_every_20_sentences_are_a_document(marks: str, read: Read) -> None:
    record = tagged(read, marks + SENTENCE * 110)
    assert [record.documents.count(name) for name in dict.fromkeys(record.documents)] == [20] * 5 + [10]
    assert record.findings["documents_made_of_20_sentences"] == 6
    assert record.findings["repeated_sentences"] == 109


def test_spaces_tabs_line_ends_and_hashes(read: Read) -> None:
    strange = "#hashtag HT\nthe   DT\n# SYM\n1-2 CD\nnext\x85line NN\n"
    content = b"\xef\xbb\xbf" + (SENTENCE * 100 + strange).replace("\n", "\r\n").encode()
    record = tagged(read, content)
    assert record.words[-1] == ("#hashtag", "the", "#", "1-2", "next\x85line"), "1-2 is a word where words come first"
    found = {"byte_order_marks_dropped": 1, "line_ends_converted": 405, "line_separators_inside_lines": 1}
    assert (found | {"comment_lines": 0}).items() <= record.findings.items()
    assert tagged(read, SENTENCE.replace(" ", "\t") * 100).words[0] == ("the", "ship", "sails")


NUMBERED = "1\tthe\t_\tDET\t_\t_\t_\t_\t_\t_\n2\tship\t_\tNOUN\t_\t_\t_\t_\t_\tSpaceAfter=No\n\n"


@pytest.mark.fault("conllu-columns")
def test_conllu_with_the_default_columns_is_recognised_and_the_advice_works(read: Read) -> None:
    content = "# sent_id = 1\n" + "1-2\ttheship\t_\t_\t_\t_\t_\t_\t_\t_\n" + NUMBERED * 100
    with pytest.raises(DataError, match=r"numbers the words of each sentence; write `word: 2` and `tag: 4`"):
        tagged(read, content)
    with pytest.raises(DataError, match=r"10 columns as in CoNLL-U, .* write `tag: 4`"):
        tagged(read, content, word=2)
    record = tagged(read, content, word=2, tag=4)
    assert record.words[0] == ("the", "ship") and record.tags[0] == ("DET", "NOUN")
    assert record.findings["multiword_tokens_skipped"] == 1


def test_numbers_in_front_of_fewer_columns_are_recognised_too(read: Read) -> None:
    content = "1 the DT\n2 ship NN\n\n" * 100
    with pytest.raises(DataError, match=r"column 1 numbers the words of each sentence; write for example `word: 2`"):
        tagged(read, content)
    assert tagged(read, content, word=2).words[0] == ("the", "ship")
    years = "1999 CD\n2000 CD\nships NN\n\n" * 100
    assert tagged(read, years).words[0] == ("1999", "2000", "ships")
    dashed = "1-1 the DT\n1-2 ship NN\n\n" * 100
    assert tagged(read, dashed, word=2).words[0] == ("the", "ship"), "only CoNLL-U has multiword tokens"


@pytest.mark.fault("invisible-word")
@pytest.mark.parametrize("word", ["\u00a0", "\u200b", "\u3000\u00ad"])
def test_words_that_cannot_be_seen_are_dropped_and_counted(word: str, read: Read) -> None:
    content = SENTENCE.replace(" ", "\t") * 200 + f"old\tJJ\n{word}\t_SP\nmen\tNNS\n"
    record = tagged(read, content)
    assert record.words[-1] == ("old", "men") and record.findings["invisible_words_dropped"] == 1
    with pytest.raises(DataError, match=rf"line 802: U\+{ord(word[0]):04X}.* is no word\): remove these lines"):
        tagged(read, content, max_dropped=0)


def test_a_sentence_with_a_malformed_line_is_dropped_whole(read: Read) -> None:
    record = tagged(read, SENTENCE * 200 + "an NN\nodd one NN\nout NN\n\n" + SENTENCE)
    assert record.findings["words_of_malformed_sentences_dropped"] == 3
    assert record.words == tuple([("the", "ship", "sails")] * 201)


WORD = st.text(st.characters(exclude_categories=["Cs", "Z", "C"], exclude_characters="#"), min_size=1, max_size=8)


@given(
    st.lists(st.lists(st.tuples(WORD, st.sampled_from(["A", "B"])), min_size=1, max_size=5), min_size=100, max_size=110)
)
def test_written_sentences_are_read_back(sentences: list[list[tuple[str, str]]]) -> None:
    lines = "\n".join("".join(f"{word}\t{tag}\n" for word, tag in sentence) for sentence in sentences)
    assume(len({tag for sentence in sentences for _, tag in sentence}) == 2)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "f.conll").write_bytes(lines.encode())
        record = load_own_reader("own_tagged").read(Path(folder), OwnTagged(path="f.conll", reader="own_tagged"))
    expected = [tuple(unicodedata.normalize("NFC", word) for word, _ in sentence) for sentence in sentences]
    assert list(record.words) == expected


BAD_TAGGED: dict[str, tuple[str | bytes, dict[str, Any], str]] = {
    "empty file": ("", {}, r"file\.csv: no words; expected a word and its tag on each line"),
    "comments only": ("# a\n# b\n", {}, r"file\.csv: no words"),
    "one word": ("the DT\n", {}, r"1 words with one tag \('DT'\)"),
    "one column": ("the\nship\n", {}, r"word and tag are both column 1"),
    "another width": (SENTENCE * 9 + "old man\nx y z\n", {}, r"2 of 29 words .*line 38: 3 columns\): .*needs 2"),
    "no such column": (SENTENCE * 100, {"word": 4}, r"word: found 4, but the lines have 2 columns"),
    "no such tag column": (SENTENCE * 100, {"tag": 3}, r"tag: found 3, but the lines have 2 columns"),
    "no tag": ("the\tDT\nship\t\n", {}, r"2 of 2 words would be dropped .*\(line 2: no tag\)"),
    "no word": ("the\tDT\n\tNN\n", {}, r"\(line 2: no word\)"),
    "one tag": (
        "the _\nship _\n\n" * 100,
        {},
        r"200 words with one tag \('_'\); `tag` must name the column",
    ),
    "few sentences": (
        SENTENCE * 99,
        {},
        r"99 sentences, 1 document\(s\); expected at least 5 documents, each",
    ),
    "no marks": (SENTENCE * 100, {"documents": "###"}, r"documents: no line begins with '###'"),
    "latin-1": (SENTENCE.encode() + b"caf\xe9 NN\n", {}, r"byte 0xe9 at offset 29 \(line 5\)\. .*'café NN' with `enc"),
}


@pytest.mark.fault("unusable-table")
@pytest.mark.parametrize("name", BAD_TAGGED)
def test_unusable_tagged_sentences_are_refused(name: str, read: Read) -> None:
    content, keys, message = BAD_TAGGED[name]
    with pytest.raises(DataError, match=message):
        tagged(read, content, **keys)


# Series.


def series(read: Read, lines: list[str] | bytes, **keys: Any) -> Series:
    content = lines if isinstance(lines, bytes) else "\n".join(["time,kW,sun", *lines]) + "\n"
    record = read("own_series", content, **{"time": "time", "value": "kW", **keys})
    assert isinstance(record, Series)
    return record


def hours(*at: int) -> list[str]:
    return [f"2026-03-0{1 + h // 24} {h % 24:02}:00,{h}.5,{h * 10}" for h in at]


NAN = np.nan


def test_the_row_says_how_much_may_be_dropped(read: Read) -> None:
    content = rows(20, "1", "0,")
    with pytest.raises(DataError, match=r"1 of 22 rows would be dropped"):
        labelled(read, content)
    with pytest.raises(DataError, match=r"2 of 22 rows would be dropped .*empty texts dropped: 1 \(line 23: no text"):
        labelled(read, content, max_dropped=0.05)
    record = labelled(read, content, max_dropped=0.1)
    assert (record.findings["malformed_rows_dropped"], record.findings["empty_texts_dropped"]) == (1, 1)


def test_a_series_by_hand(read: Read) -> None:
    record = series(read, hours(*range(5)), covariates=["sun"], unit="kW")
    assert record.values.tolist() == [0.5, 1.5, 2.5, 3.5, 4.5] and record.values.dtype == np.float64
    assert (record.start, record.step_seconds, record.unit) == ("2026-03-01T00:00:00", 3600, "kW")
    assert record.valid.all() and record.valid.dtype == np.bool_
    assert {name: column.tolist() for name, column in record.covariates.items()} == {"sun": [0, 10, 20, 30, 40]}
    assert record.findings["points"] == 5
    assert sum(record.findings.values()) == 10, "nothing but points and rows was counted"


def test_rows_are_sorted_repeats_dropped_and_gaps_filled(read: Read) -> None:
    lines = hours(3, 1, 0, 1, 8, 7, 4)
    lines[4] = lines[4].replace("8.5", "n/a")
    lines += ["2026-03-01 02:00,,x", "2026-03-01 09:00,9.5,90"]
    record = series(read, lines, covariates=["sun"], max_dropped=0.4)
    np.testing.assert_array_equal(record.values, [0.5, 1.5, 1.5, 3.5, 4.5, 4.5, 4.5, 7.5, 7.5, 9.5])
    np.testing.assert_array_equal(np.flatnonzero(~record.valid), [2, 5, 6, 8])
    np.testing.assert_array_equal(record.covariates["sun"], [0, 10, NAN, 30, 40, NAN, NAN, 70, 80, 90])
    assert {
        "points": 10, "points_without_value": 4, "rows": 9, "rows_earlier_than_the_one_before": 5,
        "repeated_times_dropped": 1, "missing_steps_filled": 2, "empty_values": 1, "values_that_are_no_numbers": 1,
        "extra_values_missing": 1, "unreadable_times_dropped": 0,
    }.items() <= record.findings.items()  # fmt: skip


WRITTEN = {
    "ISO": "2026-03-01T{:02}:00",
    "seconds": "2026-03-01 {:02}:00:00",
    "day first": "1.3.2026 {}:00",
    "year first": "2026/3/1 {:02}:00",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_times_as_they_are_written(name: str, read: Read) -> None:
    record = series(read, [f"{WRITTEN[name].format(h)},{h}.5,0" for h in range(12)])
    assert (record.start, record.step_seconds, len(record.values)) == ("2026-03-01T00:00:00", 3600, 12)


def test_an_offset_is_converted_to_utc(read: Read) -> None:
    # the hour in which clocks are set back occurs twice in local time, but once in UTC
    stamps = ["01:00+02:00", "02:00+02:00", "02:00+01:00", "03:00+01:00"]
    record = series(read, [f"2026-10-25 {stamp},{i},0" for i, stamp in enumerate(stamps)])
    assert (record.start, record.values.tolist()) == ("2026-10-24T23:00:00", [0, 1, 2, 3])
    assert record.findings["times_with_an_offset_converted_to_utc"] == 4


def test_decimal_commas_and_semicolons(read: Read) -> None:
    content = b'\xef\xbb\xbf"time";"kW"\r\n' + b"".join(b'"2026-01-%02d";%d,25\r\n' % (d, d) for d in range(1, 9))
    record = series(read, content, delimiter=";", decimal=",")
    assert record.values.tolist() == [d + 0.25 for d in range(1, 9)] and record.step_seconds == 86_400
    grouped = series(read, content.replace(b"8,25", b"1.008,25"), delimiter=";", decimal=",")
    assert grouped.values[-1] == 1008.25 and grouped.findings["values_that_are_no_numbers"] == 0


def test_without_a_clock_rows_follow_each_other(read: Read) -> None:
    record = series(read, b"3\n1\n2\n2\n", header=False, time=None, value=1)
    assert (record.values.tolist(), record.start, record.step_seconds) == ([3, 1, 2, 2], None, None)


def test_the_frequency_decides_where_most_steps_are_longer(read: Read) -> None:
    lines = hours(0, 2, 4, 5, 6, 8)
    with pytest.raises(
        DataError, match=r"1 of 6 times are off the grid, every 7,200 s from 2026-03-01T00:00:00 \(line"
    ):
        series(read, lines)
    record = series(read, lines, frequency="60min", max_dropped=0.34)
    assert record.step_seconds == 3600 and record.findings["missing_steps_filled"] == 3


def test_empty_ends_are_cut_off(read: Read) -> None:
    lines = [line.split(",")[0] + ",," if h in (0, 5, 6) else line for h, line in enumerate(hours(*range(7)))]
    record = series(read, lines)
    assert (record.values.tolist(), record.start) == ([1.5, 2.5, 3.5, 4.5], "2026-03-01T01:00:00")
    assert record.findings["steps_without_value_cut_off_at_the_ends"] == 3


BAD_SERIES: dict[str, tuple[list[str] | bytes, dict[str, Any], str]] = {
    "empty file": (b"", {}, r"the file has no rows"),
    "header only": ([], {}, r"no rows below the header"),
    "one row": (hours(1), {}, r"1 different times; expected two or more"),
    "no such extra": (
        hours(1, 2),
        {"covariates": ["rain"]},
        r"covariates\[0\]: column 'rain' does not exist; .*time, kW, sun",
    ),
    "no header": (
        b"2026-01-01,1.5\n2026-01-02,2\n",
        {"time": 1, "value": 2},
        r"the value '1.5'; write `header: f",
    ),
    "wrong decimal": (
        b"time;kW\n2026-01-01;1,5\n2026-01-02;2,5\n",
        {"delimiter": ";", "decimal": "."},
        r"line 2: column 'kW' has '1,5', which does not fit `decimal: '\.'`; write `decimal: ','` in the row",
    ),
    "month first": (
        ["03/31/2026,1,1", "04/01/2026,2,2"],
        {"day_first": True},
        r"line 2: column 'time' has '03/31/2026', which is no time .*write it as 2026-01-31 13:45, or set `time: null`",
    ),
    "two values at a time": (
        [*hours(0, 1, 2), hours(1)[0].replace("1.5", "7")],
        {},
        r"1 times occur twice with different values, first 2026-03-01T01:00:00 in lines 3 and 5; .*offset",
    ),
    "two covariates at a time": (
        [*hours(0, 1, 2), hours(1)[0].replace(",10", ",")],
        {"covariates": ["sun"]},
        r"occur twice with different values",
    ),
    "offsets now and then": (
        [*hours(0, 1), "2026-03-01 02:00Z,1,1"],
        {},
        r"line 2: .*00:00' without an offset such as \+01:00, and line 4 has .*Z' with one; write all times",
    ),
    "off the grid": (
        [*hours(0, 1, 2), "2026-03-01 02:20,1,1"],
        {},
        r"1 of 4 times are off the grid, .*line 5: .*02:2",
    ),
    "mostly gaps": (hours(0, 1, 2, 30), {}, r"27 of 31 steps would .*no row follows for 2026-03-01T03:00:00"),
    "a second and less": (["2026-01-01 00:00:00.5,1,1", "2026-01-01 00:00:01,1,1"], {}, r"most times are 0.5 s apart"),
    "malformed": (["2026-01-01"] * 9, {}, r"9 of 9 rows would be .*\(line 2: 1 column; .*each row needs 3 columns"),
}


@pytest.mark.parametrize("name", BAD_SERIES)
def test_an_unusable_series_is_refused(name: str, read: Read) -> None:
    content, keys, message = BAD_SERIES[name]
    with pytest.raises(DataError, match=message):
        series(read, content, **keys)
