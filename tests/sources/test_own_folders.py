"""Folders of a user's own files: all are read as one, messages name the file, and the test files leave training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from pipeline.config.schema.datasets import CharLmData, ForecastingData, PosTaggingData, SentimentData
from pipeline.config.schema.sources import OwnRows
from pipeline.encoding.records import SPLITS, unpack
from pipeline.errors import DataError
from pipeline.sources import load_own_reader
from pipeline.tasks import task_named
from pipeline.tasks.forecasting.prepare import targets
from tests.proposals import files

Read = Callable[..., Any]
TABLE = {"delimiter": ";"}
ROWS: dict[str, dict[str, Any]] = {
    "own_text": {},
    "own_labelled": {"text": "Text", "label": "Sterne", **TABLE},
    "own_tagged": {},
    "own_series": {"time": ["Datum", "Uhrzeit"], "value": "Verbrauch", **TABLE},
}


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read files, {name: lines}, as a folder of a row of `own`."""

    def ask(reader: str, contents: dict[str, list[str]], **keys: Any) -> Any:
        row = TypeAdapter[OwnRows](OwnRows).validate_python(
            {"path": "my/all", "reader": reader, **ROWS[reader], **keys}
        )
        (tmp_path / "all").mkdir(exist_ok=True)
        for name, lines in contents.items():
            (tmp_path / "all" / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return load_own_reader(reader).read(tmp_path, row)

    return ask


PARTS: dict[str, Callable[[int, int], list[str]]] = {
    "own_text": files.book,
    "own_labelled": files.reviews,
    "own_tagged": files.sentences,
    "own_series": files.consumption,
}


@pytest.mark.parametrize("reader", PARTS)
def test_parts_of_a_file_are_read_like_the_whole(reader: str, read: Read, tmp_path: Path) -> None:
    make = PARTS[reader]
    joined = read(reader, {"part1.csv": make(0, 50), "part2.csv": make(50, 100), "part10.csv": make(100, 10_000)})
    for path in (tmp_path / "all").iterdir():
        path.unlink()
    whole = read(reader, {"whole.csv": make(0, 10_000)})
    assert joined.findings["files"] == 3
    for name in {"own_text": ["text"], "own_labelled": ["texts", "labels"], "own_tagged": ["words", "tags"]}.get(
        reader, ["values", "valid", "start"]
    ):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name), err_msg=name)
    same = {"rows", "blank_rows", "sentences", "words", "points", "characters", "lines", "repeated_texts"}
    for name in same & whole.findings.keys():
        assert joined.findings[name] == whole.findings[name], name


def test_messages_name_the_file_of_a_line(read: Read) -> None:
    bad = [*files.reviews(0, 50), "01.03.2026;1;a;b"]
    with pytest.raises(DataError, match=r"all: 1 of 101 rows .* \(line 52 of b\.csv: 4 columns\)"):
        read("own_labelled", {"a.csv": files.reviews(0, 50), "b.csv": bad}, max_dropped=0.001)
    with pytest.raises(DataError, match=r"unknown label '3' in lines 4 of a\.csv, 7 of a\.csv, "):
        read("own_labelled", {"a.csv": files.reviews(0, 50)}, labels={"1": "bad", "2": "fair"}, files="*.csv")
    wrong = ["Datum;Uhrzeit;Wert", "05.01.2026;00:00;1,0"]
    with pytest.raises(DataError, match=r"b\.csv: value: column 'Verbrauch' does not exist; .* Wert"):
        read("own_series", {"a.csv": files.consumption(0, 50), "b.csv": wrong})
    unread = ["Datum;Uhrzeit;Verbrauch;T", "05.01.2026;00:00;3x5;0"]
    with pytest.raises(DataError, match=r"line 2 of b\.csv: column 'Verbrauch' has '3x5'"):
        read("own_series", {"a.csv": files.consumption(0, 50), "b.csv": unread})
    with pytest.raises(DataError, match=r"line 3 of b\.conll: 1 columns"):
        read("own_tagged", {"a.conll": files.sentences(0, 70), "b.conll": ["a DT", "b NN", "c", ""]}, files="*.conll")


def test_a_text_is_cut_where_the_test_file_begins_and_its_lines_leave_training(read: Read) -> None:
    record = read("own_text", {"test.txt": files.book(90, 120), "a.txt": files.book(0, 95)}, test_files="test.txt")
    assert record.findings["lines_in_the_test_part_too_left_out_of_training"] == 5
    for ends in ("keep", "space"):
        row = CharLmData.model_validate({"source": "x", "task": "char_lm", "lowercase": False, "line_ends": ends})
        encoded = task_named("char_lm").prepare(record, row, 0)
        symbols = np.array(encoded.encoder["symbols"])
        text = {split: "".join(symbols[encoded.arrays[split]]) for split in SPLITS}
        assert text["test"].strip() == ("\n" if ends == "keep" else " ").join(files.book(90, 120))
        before = text["train"] + text["validation"]
        assert not [line for line in files.book(90, 120) if line in before]
        assert len(text["validation"]) == round(0.1 * sum(map(len, text.values())))


def test_a_text_with_a_test_file_that_leaves_nothing_is_refused(read: Read) -> None:
    record = read("own_text", {"a.txt": files.book(0, 20), "b.txt": files.book(0, 19)}, test_files="b.txt")
    row = CharLmData.model_validate({"source": "x", "task": "char_lm"})
    with pytest.raises(DataError, match=r"x: -?\d+ characters for training, .* in the test files; each part needs 100"):
        task_named("char_lm").prepare(record, row, 0)


@pytest.mark.parametrize("repeats", [True, False], ids=["dropped", "kept"])
def test_labelled_test_files_are_the_test_part(read: Read, repeats: bool) -> None:
    both = {"test.csv": files.reviews(200, 240), "train.csv": [*files.reviews(0, 210), *files.reviews(0, 2)[1:]]}
    record = read("own_labelled", both, test_files="test.csv")
    row = SentimentData.model_validate({"source": "x", "task": "sentiment", "drop_duplicates": repeats})
    encoded = task_named("sentiment").prepare(record, row, 0)
    assert encoded.summary["train_texts_in_test_dropped"] == 10
    (split,) = encoded.arrays["split"]
    text = [set(unpack(encoded.arrays, np.flatnonzero(split == part))) for part in range(3)]
    assert len(text[2]) == 40 and not (text[0] | text[1]) & text[2]
    assert len(split) == 240 + (0 if repeats else 2), "a repeat in training stays only where it is asked for"


def test_tagged_test_files_are_the_test_part(read: Read) -> None:
    both = {"test.conll": files.sentences(120, 150), "train.conll": files.sentences(0, 125)}
    record = read("own_tagged", both, test_files="test.conll")
    assert record.findings["sentences_in_the_test_part_too_left_out_of_training"] == 5
    row = PosTaggingData.model_validate({"source": "x", "task": "pos_tagging"})
    encoded = task_named("pos_tagging").prepare(record, row, 0)
    (split,) = encoded.arrays["split"]
    told = [" ".join(words) for words in record.words]
    text = [{told[i] for i in np.flatnonzero(split == part)} for part in range(3)]
    assert len(text[2]) == 30 and text[1] and not (text[0] | text[1]) & text[2]
    assert np.flatnonzero(split == 1).min() > np.flatnonzero(split == 0).max(), "the last documents are for validation"


@pytest.mark.parametrize("even", [True, False])
def test_a_series_is_cut_where_the_test_files_begin(read: Read, even: bool) -> None:
    both = {"a-test.csv": files.consumption(1_000, 1_200), "b.csv": files.consumption(0, 1_010)}
    record = read("own_series", both, test_files="a-test.csv", even=even)
    assert (record.test_start, record.findings["training_rows_in_the_test_part_dropped"]) == (1_000, 10)
    assert len(record.values) == 1_200 and record.findings["repeated_times_dropped"] == 10
    row = ForecastingData.model_validate({"source": "x", "task": "forecasting"})
    encoded = task_named("forecasting").prepare(record, row, 0)
    assert encoded.encoder["cuts"] == [880, 1_000]
    origins, _ = targets(encoded, "validation")
    assert origins.max() + 1 < 1_000
    assert encoded.encoder["mean"] == pytest.approx(record.values[:880].mean())


def test_rows_without_times_follow_in_the_order_of_the_files(read: Read) -> None:
    both = {"a-test.csv": ["v", *map(str, range(90, 99))], "b.csv": ["v", *map(str, range(50))]}
    record = read("own_series", both, test_files="a*", time=None, value="v", delimiter=",")
    assert record.values.tolist() == [*range(50), *range(90, 99)] and record.test_start == 50


def test_training_rows_after_the_test_part_began_are_refused(read: Read) -> None:
    both = {"a-test.csv": files.consumption(900, 1_000), "b.csv": files.consumption(0, 1_002)}
    with pytest.raises(
        DataError,
        match=r"2 rows of the training files are not before the test part, .* first line 1,002 of b\.csv: 2026-02",
    ):
        read("own_series", both, test_files="a-test.csv")


def test_uneven_rows_are_sorted_and_keep_their_days(read: Read) -> None:
    rows = {"a.csv": files.closes()}
    keys = {"time": "Date", "value": "Close/Last", "covariates": ["Volume", "High", "Low"], "delimiter": ","}
    record = read("own_series", rows, even=False, **keys)
    assert (record.start, record.step_seconds, record.unit) == (None, None, "$")
    assert (np.diff(record.dates) > np.timedelta64(0, "D")).all() and str(record.dates[0]) == "2015-01-01"
    assert record.values[-1] == pytest.approx(float(files.closes()[1].split(",")[1][1:]))
    with pytest.raises(DataError, match="missing steps filled"):
        read("own_series", rows, **keys)
