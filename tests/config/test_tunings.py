"""Mistakes in the rows of `tunings`: each with its key, what was found and what would be right."""

import re
from pathlib import Path

import pytest

from pipeline.config.loading import ConfigError, load
from pipeline.config.schema.params import Params
from pipeline.sources import SOURCES

PROJECT = """\
seed: 42
edition: published
cell: {cell}
sources: {{alice: {{reader: alice}}, umich: {{reader: umich}}, digits: {{reader: digits}}, cosine: {{reader: cosine}}}}
own: {{}}
datasets:
  alice: {{source: alice, task: char_lm}}
  umich: {{source: umich, task: sentiment}}
  seen: {{source: digits, task: image_rows, validation_is_test: true}}
  windows: {{source: cosine, task: cosine_windows}}
experiments:
  alice: {{dataset: alice, task: char_lm}}
  umich: {{dataset: umich, task: sentiment}}
  seen: {{dataset: seen, task: image_rows}}
  windows: {{dataset: windows, task: cosine_windows}}
tunings:
  t: {{{row}}}
"""
SPACE = "units: {int: [64, 512], log: true}, dropout: {float: [0.0, 0.6]}, cell: {choice: [lstm, gru]}"
GOOD = f"experiment: alice, space: {{{SPACE}}}"


def of(space: str, more: str = "") -> str:
    return f"experiment: alice, space: {{{space}}}{more}"


MISTAKES = {
    "unknown experiment": (
        "experiment: bob, space: {units: {int: [1, 2]}}",
        r"t\.experiment: found 'bob'; known: alice,",
    ),
    "unknown key": (f"{GOOD}, trial: 3", r"tunings\.t\.trial: unknown key; did you mean trials\?"),
    "no space": ("experiment: alice, trials: 3", r"tunings\.t\.space: missing"),
    "an empty space": (
        of(""),
        r"tunings\.t\.space: found no setting; name at least one with its values, such as \{units",
    ),
    "unknown setting": (
        of("unit: {int: [1, 2]}"),
        r"t\.space\.unit: no setting of char_lm that can be tuned; known: .*units",
    ),
    "a setting of another task": (of("pool_steps: {choice: [2]}"), r"space\.pool_steps: no setting of char_lm"),
    "what validation does not show": (
        of("refit: {choice: [true, false]}"),
        r"space\.refit: no setting of char_lm that can",
    ),
    "no values": (of("units: 5"), r"space\.units: found 5; write \{int: \[64, 512\]\}, \{float: .* or \{choice"),
    "two kinds": (of("units: {int: [1, 2], choice: [1]}"), r"space\.units: found \{.*\}; write \{int"),
    "unknown key of a setting": (
        of("units: {int: [1, 2], lag: true}"),
        r"space\.units\.lag: unknown key; known: int, log",
    ),
    "one end": (of("units: {int: [64]}"), r"space\.units\.int: found \[64\]; write the lowest and the highest value"),
    "ends of the wrong kind": (of("units: {int: [1.5, 2]}"), r"space\.units\.int: found \[1\.5, 2\]; write the lowest"),
    "floats of a count": (
        of("units: {float: [64.0, 512.0]}"),
        r"space\.units\.float: found 64\.0; input should be a valid int",
    ),
    "a range for a name": (of("cell: {int: [1, 2]}"), r"space\.cell\.int: found 1; input should be 'simple_rnn'"),
    "high before low": (of("units: {int: [512, 64]}"), r"space\.units\.int: found \[512, 64\], .*; write \[64, 512\]"),
    "no logarithm": (of("dropout: {float: [0.0, 0.6], log: true}"), r"space\.dropout\.log: found true, but .* above 0"),
    "a log that is none": (of("units: {int: [1, 2], log: 3}"), r"space\.units\.log: found 3; write true or false"),
    "a log of choices": (
        of("cell: {choice: [gru], log: true}"),
        r"space\.cell\.log: choices have no scale; leave it out",
    ),
    "no choices": (of("cell: {choice: []}"), r"space\.cell\.choice: found \[\]; write a list of values"),
    "unknown choice": (of("cell: {choice: [gru, gruu]}"), r"space\.cell\.choice: found 'gruu'; input should be"),
    "a choice twice": (of("cell: {choice: [gru, gru]}"), r"space\.cell\.choice: found \['gru', 'gru'\], a value twice"),
    "choices of lists": (of("cell: {choice: [[gru]]}"), r"space\.cell\.choice: .*choices are single values"),
    "beyond the limit": (
        of("dropout: {float: [0.0, 1.0]}"),
        r"space\.dropout\.float: found 1\.0; input should be less than 1",
    ),
    "more trials than combinations": (
        of("layers: {int: [1, 3]}, cell: {choice: [gru, lstm]}", ", trials: 7"),
        r"tunings\.t\.trials: found 7; space has 6 combinations: set trials: 6, or widen it",
    ),
    "one combination": (
        of("cell: {choice: [gru]}", ", trials: 2"),
        r"trials: found 2; space has 1 combination: set trials: 1",
    ),
    "values that exclude each other": (
        of("restore_weights: {choice: [best, last]}, patience: {choice: [null, 3]}", ", trials: 4"),
        r"t\.space: with restore_weights: last, patience: 3: patience: patience waits for a better epoch",
    ),
    "a value inside a range": (
        "experiment: umich, space: {pool_steps: {int: [1, 8]}}, trials: 8",
        r"t\.space: with pool_steps: 3: pool_steps: found 3; known: 1, 2, 4, 8",
    ),
    "the test part is the validation part": (
        "experiment: windows, space: {units: {int: [1, 2]}}, trials: 2",
        r"t\.experiment: found 'windows', whose validation part is its test part",
    ),
    "the same of images": (
        "experiment: seen, space: {units: {int: [1, 2]}}, trials: 2",
        r"t\.experiment: found 'seen', whose validation part is its test part",
    ),
    "unknown pruning": (f"{GOOD}, pruning: best", r"pruning: found 'best'; known: 'median', 'hyperband' or 'none'"),
    "no trials": (f"{GOOD}, trials: 0", r"tunings\.t\.trials: found 0 .*greater than or equal to 1"),
    "no minutes": (f"{GOOD}, minutes: 0.0", r"tunings\.t\.minutes: found 0\.0 .*greater than 0"),
    "another database": (
        f"{GOOD}, storage: 'mysql://a/b'",
        r"t\.storage: no address of a PostgreSQL database; write postgresql://",
    ),
    "no database": (f"{GOOD}, storage: 'postgresql://host'", r"t\.storage: no address of a PostgreSQL database"),
    "a password in git": (
        f"{GOOD}, storage: 'postgresql://me:secret@host/db'",
        r"t\.storage: holds a password, which git would keep; leave it out, and set PGPASSWORD",
    ),
    "a mistake in a block": (f"{GOOD}, synthetic: {{trials: 0}}", r"tunings\.t\.synthetic\.trials: found 0 "),
}


def loaded(root: Path, row: str, cell: str = "null") -> Params:
    (root / "params.yaml").write_text(PROJECT.format(row=row, cell=cell))
    return load(root, SOURCES)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_key_and_what_would_be_right(mistake: str, tmp_path: Path) -> None:
    row, pattern = MISTAKES[mistake]
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, row)
    assert re.search(pattern, str(refused.value)), refused.value
    assert "secret" not in str(refused.value)


def test_a_cell_for_all_experiments_leaves_no_choice(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"space\.cell: cell: gru at the top of the file holds in every experiment"):
        loaded(tmp_path, GOOD, cell="gru")


def test_a_row_has_defaults_and_its_block_replaces_them(tmp_path: Path) -> None:
    row = f"{GOOD}, storage: 'postgresql://me@host/db', synthetic: {{trials: 3, minutes: 1.5}}"
    (tmp_path / "params.yaml").write_text(PROJECT.format(row=row, cell="null"))
    published = load(tmp_path, SOURCES).tunings["t"]
    assert (published.trials, published.minutes, published.pruning) == (40, None, "median")
    assert published.combinations == float("inf")
    text = PROJECT.format(row=row, cell="null").replace("published", "synthetic")
    (tmp_path / "params.yaml").write_text(text)
    synthetic = load(tmp_path, SOURCES).tunings["t"]
    assert (synthetic.trials, synthetic.minutes) == (3, 1.5)


@pytest.mark.parametrize(
    ("space", "count"),
    [
        ("layers: {int: [1, 3]}, cell: {choice: [gru, lstm]}", 6),
        ("units: {int: [64, 64]}", 1),
        ("dropout: {float: [0.1, 0.1]}", 1),
    ],
)
def test_the_combinations_of_a_finite_space_may_all_be_tried(space: str, count: int, tmp_path: Path) -> None:
    assert loaded(tmp_path, of(space, f", trials: {count}")).tunings["t"].combinations == count
