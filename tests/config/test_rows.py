"""Rows that are written into params.yaml leave all its other lines as they are."""

import pytest

from pipeline.config import plain_yaml, rows
from pipeline.errors import ConfigError
from tests.clone import ROOT

TEXT = """\
# the top
seed: 1   # of all

own: {}               # your own data, e.g. {path: x}

# how data is prepared
datasets:
  alice: {source: alice, task: char_lm}   # a novel
  sonnets:
    source: sonnets   # verse
    # about the task
    task: char_lm
  'no': {source: no, task: char_lm}

# the networks
experiments:
  alice: {dataset: alice}
"""
NEW = {
    "own": {"mine": {"path": "my/a.csv", "delimiter": "\t", "labels": {"1": "bad"}, "columns": ["a", "b: c"]}},
    "datasets": {"mine": {"source": "mine", "horizons": [1, 24], "ratio": 0.00001}},
    "recipes": {"none": {}},
}
AFTER = """\
# the top
seed: 1   # of all

own:               # your own data, e.g. {path: x}
  mine:
    path: my/a.csv
    delimiter: "\\t"
    labels: {'1': bad}
    columns: [a, 'b: c']

# how data is prepared
datasets:
  alice: {source: alice, task: char_lm}   # a novel
  sonnets:
    source: sonnets   # verse
    # about the task
    task: char_lm
  'no': {source: no, task: char_lm}
  mine:
    source: mine
    horizons: [1, 24]
    ratio: 0.00001

# the networks
experiments:
  alice: {dataset: alice}
recipes:
  none: {}
"""


def test_rows_come_last_in_their_tables_and_nothing_else_changes() -> None:
    assert rows.with_rows(TEXT, NEW) == AFTER
    assert rows.with_rows(TEXT, {}) == TEXT


def test_written_shows_the_same_lines() -> None:
    shown = rows.written(NEW).splitlines()
    assert set(shown) <= {line.split("  #")[0].rstrip() for line in AFTER.splitlines()}
    assert shown[:2] == ["own:", "  mine:"]


def test_rows_that_do_not_stay_take_their_comments_with_them() -> None:
    text = rows.with_rows(TEXT, {"own": NEW["own"]}, {"datasets": ["sonnets"]})
    found = plain_yaml.recorded(text)
    assert found == {
        "seed": 1,
        "own": NEW["own"],
        "datasets": {"sonnets": {"source": "sonnets", "task": "char_lm"}},
        "experiments": {},
    }
    assert "# verse" in text and "# the networks" in text and "# a novel" not in text


def test_a_file_that_is_laid_out_otherwise_is_refused_whole() -> None:
    with pytest.raises(ConfigError, match="laid out so that no rows can be added by line"):
        rows.with_rows("{seed: 1, own: {}, datasets: {a: {source: a}}}\n", NEW)
    with pytest.raises(ConfigError, match="laid out"):
        rows.with_rows("datasets: {a: {source: a}}\n", {"datasets": NEW["datasets"]})


def test_the_project_s_own_file_takes_rows() -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    after = rows.with_rows(text, {table: NEW[table] for table in ("own", "datasets")})
    kept = [line for line in after.splitlines() if line in text.splitlines()]
    assert len(kept) >= len(text.splitlines()) - 1, "all but the line `own: {}`"
    assert "mine" in plain_yaml.recorded(after)["datasets"]
