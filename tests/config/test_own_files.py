"""Which files of a folder a row of `own` reads, and what is wrong with names that fit none."""

from pathlib import Path

import pytest

from pipeline.config import loading
from pipeline.config.own_files import selected
from pipeline.config.schema.sources import OwnText
from pipeline.errors import ConfigError
from pipeline.sources import SOURCES

NAMES = ("part10.txt", "part2.txt", "test.txt", ".hidden.txt", "notes.md")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "my" / "book"
    (made / "below").mkdir(parents=True)
    for name in NAMES:
        (made / name).write_text(name)
    return made


@pytest.mark.parametrize(
    ("keys", "expected", "tested"),
    [
        ({}, ["notes.md", "part2.txt", "part10.txt", "test.txt"], []),
        ({"files": "*.txt"}, ["part2.txt", "part10.txt", "test.txt"], []),
        ({"files": ["part*"], "test_files": "test.txt"}, ["part2.txt", "part10.txt", "test.txt"], ["test.txt"]),
        ({"files": ["*.txt"], "test_files": ["part10*"]}, ["part2.txt", "test.txt", "part10.txt"], ["part10.txt"]),
    ],
)
def test_files_are_in_the_order_of_their_names_and_the_test_part_is_last(
    folder: Path, keys: dict[str, object], expected: list[str], tested: list[str]
) -> None:
    found = selected(folder, OwnText.model_validate({"path": "my/book", **keys}))
    assert [file.path.name for file in found] == expected
    assert [file.path.name for file in found if file.is_test] == tested


def test_a_file_is_itself(folder: Path) -> None:
    row = OwnText.model_validate({"path": "my/book/test.txt"})
    assert [(file.path.name, file.is_test) for file in selected(folder / "test.txt", row)] == [("test.txt", False)]


ROWS = """
seed: 1
edition: synthetic
cell: null
sources: {{}}
own: {{mine: {{path: {path}{keys}}}}}
datasets: {{mine: {{source: mine, task: {task}{data}}}}}
experiments: {{mine: {{dataset: mine, task: {task}}}}}
"""


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (", files: '*.csv'", r"own\.mine\.files: no file of 'my/book' fits; found \('\*\.csv',\), expected names such"),
        (", files: test.txt, test_files: t*", r"own\.mine\.files: no file is left to train on"),
        (
            ", test_files: dev*",
            r"own\.mine\.test_files: no file of 'my/book' fits \('dev\*',\); expected names such as",
        ),
        (", files: a/b.txt", r"own\.mine\.files\.0: found 'a/b\.txt' \(str\)"),
    ],
)
def test_names_that_fit_no_file(folder: Path, keys: str, message: str) -> None:
    _refused(folder.parents[1], ROWS.format(path="my/book", keys=keys, task="char_lm", data=""), message)


@pytest.mark.parametrize(
    ("task", "reader", "data", "message"),
    [
        ("char_lm", "own_text", ", test: 0.2", r"datasets\.mine\.test: own\.mine\.test_files are the test part; leave"),
        ("char_windows", "own_text", "", r"datasets\.mine\.task: .* textbook's procedures do not have"),
        (
            "sentiment",
            "own_labelled, text: 1, label: 2, delimiter: ','",
            ", folds: 5",
            r"datasets\.mine\.folds: found 5",
        ),
        (
            "returns",
            "own_series, time: 1, value: 2, delimiter: ','",
            "",
            r"datasets\.mine\.origins: found 5.*origins: 1",
        ),
    ],
)
def test_settings_that_test_files_leave_no_room_for(
    folder: Path, task: str, reader: str, data: str, message: str
) -> None:
    keys = f", test_files: test.txt, reader: {reader}"
    _refused(folder.parents[1], ROWS.format(path="my/book", keys=keys, task=task, data=data), message)


def test_files_of_a_file(folder: Path) -> None:
    text = ROWS.format(path="my/book/test.txt", keys=", test_files: test.txt", task="char_lm", data="")
    _refused(
        folder.parents[1], text, r"own\.mine\.test_files: names files of a folder, but 'my/book/test.txt' is a file"
    )


def _refused(root: Path, text: str, message: str) -> None:
    (root / "params.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        loading.load(root, SOURCES)
