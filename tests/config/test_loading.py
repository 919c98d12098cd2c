"""params.yaml: every mistake is reported at once, with its key, what was found and what would be right."""

import re
from pathlib import Path

import pytest

from pipeline.config import plain_yaml, renamed
from pipeline.config.loading import ConfigError, load
from pipeline.config.schema.values import CELL_NAMES
from pipeline.sources import SOURCES
from pipeline.tasks import TASKS
from tests.shipped import SHIPPED, needs_rows

GOOD = """\
seed: 42
edition: synthetic
cell: null
sources:
  alice: {reader: alice}
own: {}
datasets:
  alice: {source: alice, task: char_lm}
experiments:
  alice: {dataset: alice, task: char_lm, learning_rate: 0.003}
"""

# What is written, and what the message says of it.
MISTAKES = {
    "exponent without a point": ("learning_rate: 0.003", "learning_rate: 1e-3", r"learning_rate: .*'1e-3'.*0\.001"),
    "text for a number": ("seed: 42", "seed: '42'", r"seed: found '42' \(str\); .*integer"),
    "switch for text": ("cell: null", "cell: NO", r"cell: YAML readers disagree"),
    "octal": ("seed: 42", "seed: 010", r"seed: YAML readers disagree"),
    "unknown top-level key": ("seed: 42", "seed: 42\nsed: 1", r"sed: unknown key; did you mean seed\?"),
    "mistyped key": ("learning_rate", "learning_rat", r"experiments\.alice\.learning_rat: unknown key; did you mean l"),
    "unheard-of key": ("learning_rate", "zzz", r"experiments\.alice\.zzz: unknown key; known: .*batch"),
    "unknown cell": ("learning_rate", "cell: gruu, learning_rate", r"cell: found 'gruu'; known: 'simple_rnn', 'lstm'"),
    "too small": ("learning_rate", "units: 0, learning_rate", r"units: found 0 \(int\); .*greater than or equal to 1"),
    "too large": ("learning_rate", "epochs: 1000000000, learning_rate", r"epochs: found 1000000000 .*less than"),
    "negative": ("learning_rate: 0.003", "learning_rate: -1.0", r"learning_rate: found -1\.0"),
    "not a number": ("learning_rate: 0.003", "learning_rate: .nan", r"learning_rate: "),
    "infinite": ("learning_rate: 0.003", "learning_rate: .inf", r"learning_rate: found inf"),
    "missing": ("seed: 42\n", "", r"seed: missing"),
    "unknown task": ("task: char_lm}", "task: charlm}", r"datasets\.alice\.task: found 'charlm'; known: char_lm"),
    "task of another": (
        "dataset: alice, task: char_lm",
        "dataset: alice, task: sentiment",
        r"but datasets\.alice\.task is",
    ),
    "unknown source": ("source: alice,", "source: alicee,", r"datasets\.alice\.source: found 'alicee'; known: alice"),
    "unknown reader": ("reader: alice", "reader: alicee", r"sources\.alice\.reader: found 'alicee'; known: .*umich"),
    "unknown dataset": ("dataset: alice,", "dataset: bob,", r"experiments\.alice\.dataset: found 'bob'; known: alice"),
    "own file that is not there": (
        "own: {}",
        "own: {mine: {path: my/book.txt}}",
        r"own\.mine\.path: no file 'my/book.txt'",
    ),
    "own reader": (
        "own: {}",
        "own: {mine: {path: params.yaml, reader: own_csv}}",
        r"own\.mine\.reader: found 'own_csv'; known: own_labelled, own_series, own_tagged, own_text",
    ),
    "mistyped key of own": (
        "own: {}",
        "own: {mine: {path: params.yaml, reader: own_series, time: a, value: b, covariate: [c]}}",
        r"own\.mine\.covariate: unknown key; did you mean covariates\?",
    ),
    "key of another own reader": (
        "own: {}",
        "own: {mine: {path: params.yaml, word: 2}}",
        r"known: max_dropped, path, reader$",
    ),
    "missing key of own": (
        "own: {}",
        "own: {mine: {path: params.yaml, reader: own_labelled, label: 1}}",
        r"own\.mine\.text: missing",
    ),
    "own row that is none": ("own: {}", "own: {mine: my/book.txt}", r"own\.mine: found 'my/book\.txt' \(str\)"),
    "column zero": (
        "own: {}",
        "own: {mine: {path: params.yaml, reader: own_labelled, label: 1, text: 0, delimiter: ';'}}",
        r"1 mistake\n  own\.mine\.text: found 0 \(int\); a column is its name in the header, or its number from 1$",
    ),
    "delimiter": (
        "own: {}",
        "own: {mine: {path: params.yaml, reader: own_labelled, label: 1, text: 2, delimiter: x}}",
        r"own\.mine\.delimiter: found 'x'; known: ',', ';', '\\t' or '\|'",
    ),
    "no delimiter": (
        "own: {}",
        "own: {mine: {path: params.yaml, reader: own_labelled, label: 1, text: 2}}",
        r"own\.mine\.delimiter: missing; 'params\.yaml' ends in none of \.csv, \.tsv",
    ),
    "frequency": (
        "own: {}",
        "own: {mine: {path: params.yaml, reader: own_series, time: 1, value: 2, frequency: hourly}}",
        r"own\.mine\.frequency: found 'hourly'",
    ),
    "label that is a switch": (
        "own: {}",
        "own: {mine: {path: params.yaml, reader: own_labelled, label: 1, text: 2, labels: {no: bad, yes: good}}}",
        r"own\.mine\.labels: YAML readers disagree .*text in quotes",
    ),
    "name with a space": ("  alice: {source", "  a lice: {source", r"a lice"),
    "alias": ("edition: synthetic", "edition: &e synthetic\nseed2: *e", r"aliases"),
    "duplicate key": ("seed: 42", "seed: 42\nseed: 43", r"not valid YAML"),
    "broken YAML": ("own: {}", "own: {", r"not valid YAML"),
    "python object": ("seed: 42", "seed: !!python/object:os.system {}", r"not valid YAML"),
    "bidirectional language model": ("learning_rate", "bidirectional: true, learning_rate", r"predicts the future"),
    "two ways to clip": ("learning_rate", "clip_norm: 1.0, clip_value: 1.0, learning_rate", r"choose one"),
    "a vocabulary of no training part": (
        "task: char_lm}",
        "task: sentiment, folds: 2, max_features: 9}",
        r"datasets\.alice\.max_features: folds have no training part in common .*; folds must be 1",
    ),
    "renamed setting": (
        "learning_rate",
        "batch: 8, learning_rate",
        r"1 mistake\n  experiments\.alice\.batch: is now called batch_size$",
    ),
    "renamed setting of a data set": (
        "task: char_lm}",
        "task: forecasting, seasons: [24]}",
        r"datasets\.alice\.seasons: is now called seasonal_periods",
    ),
    "renamed edition": ("edition: synthetic", "edition: full", r"\n  edition: 'full' is now called 'published'$"),
    "renamed protocol": (
        "task: char_lm}",
        "task: char_lm, protocol: honest}",
        r"datasets\.alice\.protocol: 'honest' is now called 'held_out'",
    ),
    "nothing to train on": ("task: char_lm}", "task: char_lm, test: 0.95}", r"leave nothing to train on"),
}


def write(folder: Path, text: str) -> Path:
    (folder / "params.yaml").write_text(text)
    return folder


def test_the_projects_own_params_are_valid() -> None:
    params = load(Path(__file__).parents[2], SOURCES)
    assert {row.task for row in params.experiments.values()} == {row.task for row in params.datasets.values()}


@needs_rows(*SHIPPED)
def test_every_source_and_every_task_is_run_by_a_shipped_row() -> None:
    params = load(Path(__file__).parents[2], SOURCES)
    assert {row.reader for row in params.sources.values()} >= set(SOURCES)
    assert {row.task for row in params.experiments.values()} == set(TASKS)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_key(name: str, tmp_path: Path) -> None:
    before, after, message = MISTAKES[name]
    assert GOOD.count(before) >= 1
    with pytest.raises(ConfigError, match=message):
        load(write(tmp_path, GOOD.replace(before, after, 1)), SOURCES)


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("seed: 42", "seed: x").replace("learning_rate: 0.003", "units: -1, cell: x, epohcs: 3")
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text), SOURCES)
    assert str(caught.value).startswith("params.yaml: 4 mistakes")
    assert len(re.findall(r"^  \S+: ", str(caught.value), re.MULTILINE)) == 4


@pytest.mark.parametrize(
    ("task", "former", "present"),
    [
        ("sentiment", "input_dropout", "spatial_dropout"),
        ("padded_texts", "input_dropout", "recurrent_input_dropout"),
        ("padded_tags", "dropout", "recurrent_input_dropout"),
    ],
)
def test_a_dropout_is_called_by_what_it_does_in_the_task(task: str, former: str, present: str, tmp_path: Path) -> None:
    text = GOOD.replace("task: char_lm", f"task: {task}").replace("learning_rate", f"{former}: 0.5, learning_rate")
    with pytest.raises(ConfigError, match=rf"experiments\.alice\.{former}: is now called {present}"):
        load(write(tmp_path, text), SOURCES)


def test_a_network_stored_under_former_names_is_read_by_the_present_ones() -> None:
    former = {"task": "padded_tags", "batch": 8, "average": 0.9, "keep": "best", "dropout": 0.1, "input_dropout": 0.2}
    present = {"task": "padded_tags", "batch_size": 8, "ema_momentum": 0.9, "restore_weights": "best"}
    present |= {"recurrent_input_dropout": 0.1, "spatial_dropout": 0.2}
    assert renamed.current(former) == renamed.current(present) == present
    unused = {"task": "forecasting", "batch": 8, "dropout": 0.1, "input_dropout": 0.0}
    assert renamed.current(unused) == {"task": "forecasting", "batch_size": 8, "dropout": 0.1}
    encoder = {"seasons": [24], "season_means": True, "latest": {"first": 0, "extras": [[1.0]]}}
    assert renamed.current_encoder(encoder) == {
        "seasonal_periods": [24],
        "seasonal_means": True,
        "latest": {"first": 0, "covariates": [[1.0]]},
    }


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_the_top_level_cell_swaps_every_experiment(cell: str, tmp_path: Path) -> None:
    params = load(write(tmp_path, GOOD.replace("cell: null", f"cell: {cell}")), SOURCES)
    assert params.experiment("alice").cell == cell


def test_too_large_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at most"):
        load(write(tmp_path, GOOD + "#" * plain_yaml.MAX_BYTES), SOURCES)


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="run inside the project"):
        load(tmp_path, SOURCES)
