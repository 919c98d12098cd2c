"""Checks between the rows of params.yaml: each row may be right, and contradict another."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from pipeline.config import renamed, studies, tunings
from pipeline.config.files import MAIN, TEXTBOOK
from pipeline.config.messages import Mistake, shown
from pipeline.config.own_files import selected
from pipeline.config.schema.datasets import DatasetRows
from pipeline.config.schema.networks import BY_HAND, ExperimentRows, by_hand
from pipeline.config.schema.params import Params
from pipeline.config.schema.sources import DELIMITERS, OwnRow, OwnSeries, OwnTable

STREAMS = ("char_lm", "forecasting", "scaled_windows")  # the tasks whose batches follow each other
FORECASTS = ("char_lm", "char_windows", "forecasting")
# The tasks that take what a reader of own data returns; the first of each is not the textbook's.
OWN_TASKS: dict[str, tuple[str, ...]] = {
    "own_text": ("char_lm", "char_windows"),
    "own_labelled": ("sentiment", "padded_texts"),
    "own_tagged": ("pos_tagging", "padded_tags"),
    "own_series": ("forecasting", "returns", "scaled_windows", "cosine_windows"),
}
Key = tuple[str, str]
WINDOWS = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
FOLDERS = (
    "champions",
    "curves",
    "decisions",
    "metrics",
    "pages",
    "plots",
    "scores",
    "sections",
    "studies",
    "textbook",
    "tunings",
)  # of reports


def contradictions(params: Params, root: Path, readers: Collection[str]) -> Iterator[Mistake]:
    """Mistakes between rows, and between rows and the files of the project at `root`.

    readers: the known values of `sources.*.reader`.
    """
    for table in ("sources", "own", "datasets", "experiments", "tunings"):
        for name in WINDOWS.intersection(getattr(params, table)):
            yield Mistake((table, name), "Windows can have no file of that name; choose another")
    for name, source in params.sources.items():
        if source.reader not in readers:
            yield Mistake(("sources", name, "reader"), _known(source.reader, readers))
    yield from _of_own(params, root)
    for name, dataset in params.datasets.items():
        yield from _of_dataset(("datasets", name), dataset, params)
    for name, row in params.experiments.items():
        yield from _of_experiment(("experiments", name), row, params)
    yield from studies.contradictions(params, _of_experiment)
    yield from tunings.contradictions(params, _of_experiment)


def _known(value: Any, known: Collection[str]) -> str:
    return f"found {shown(value)}; known: {', '.join(sorted(known))}"


def _usable(table: str, names: Collection[str], key: Key, params: Params) -> list[str]:
    """The rows of a table that the row at `key` may name: params.yaml must work without the textbook's file."""
    textbook = params.files.file_of(*key) == TEXTBOOK
    return [name for name in names if textbook or params.files.file_of(table, name) == MAIN]


def _of_own(params: Params, root: Path) -> Iterator[Mistake]:
    for name, own in params.own.items():
        key = ("own", name)
        if name in params.sources:
            yield Mistake(key, f"the name is taken by sources.{name}; choose another")
        yield from _of_own_files(key, own, root)
        if isinstance(own, OwnTable) and own.separator is None:
            yield Mistake((*key, "delimiter"), f"missing; {shown(own.path)} ends in none of {', '.join(DELIMITERS)}")
        if isinstance(own, OwnSeries) and not own.even and (own.frequency or not own.time):
            what = "is for rows at uneven times: leave `frequency` out, and name the column of the times"
            yield Mistake((*key, "even"), what)


def _of_own_files(key: Key, own: OwnRow, root: Path) -> Iterator[Mistake]:
    """Mistakes in the path and in the names of files in a folder."""
    if not os.path.exists(root / own.path):  # Path.exists() raises OSError for a name that is too long
        yield Mistake((*key, "path"), f"no file {shown(own.path)}; the path is relative to the project's folder")
    elif root.resolve().is_relative_to((root / own.path).resolve()):
        what = f"{shown(own.path)} is the project's own folder; put the files into one below it, such as my/book"
        yield Mistake((*key, "path"), what)
    elif not os.path.isdir(root / own.path):
        for name in ("files", "test_files"):
            if getattr(own, name):
                yield Mistake(
                    (*key, name), f"names files of a folder, but {shown(own.path)} is a file; name its folder"
                )
    else:
        found = selected(root / own.path, own)
        if all(file.is_test for file in found):
            what = "no file is left to train on" if found else f"no file of {shown(own.path)} fits"
            yield Mistake(
                (*key, "files"), f"{what}; found {shown(own.files)}, expected names such as train.csv or *.csv"
            )
        elif own.test_files and not found[-1].is_test:
            what = f"no file of {shown(own.path)} fits {shown(own.test_files)}"
            yield Mistake((*key, "test_files"), f"{what}; expected names such as test.csv or test*")


def _of_dataset(key: Key, dataset: DatasetRows, params: Params) -> Iterator[Mistake]:
    sources = {*_usable("sources", params.sources, key, params), *params.own}
    if dataset.source not in sources:
        yield Mistake((*key, "source"), _known(dataset.source, sources))
    if key[1] in FOLDERS:
        yield Mistake(key, "the name is taken by a folder of reports; choose another")
    if not params.experiments_on(key[1]):
        yield Mistake(key, "no experiment uses it; add one, or remove the row")
    if getattr(dataset, "validation", 0.0) + getattr(dataset, "test", 0.0) >= 1.0:
        yield Mistake(key, "validation + test leave nothing to train on; their sum must be below 1")
    if dataset.task == "sentiment" and dataset.max_features is not None and dataset.folds > 1:
        what = "folds have no training part in common to count in; folds must be 1"
        yield Mistake((*key, "max_features"), what)
    if dataset.task == "forecasting" and dataset.covariates and dataset.free_run:
        yield Mistake(key, "free_run has no later values of the covariates; choose one of them")
    if dataset.task == "forecasting" and dataset.seasonal_periods and dataset.free_run:
        what = "free_run continues a series from its last values alone; choose seasonal_periods or free_run"
        yield Mistake(key, what)
    if dataset.task == "forecasting" and dataset.base == "season" and not dataset.seasonal_periods:
        yield Mistake((*key, "base"), "found 'season', but the row has no seasonal_periods; add them, or take auto")
    if dataset.source in params.own:
        yield from _of_own_kind(key, dataset, params)


def _of_own_kind(key: Key, dataset: DatasetRows, params: Params) -> Iterator[Mistake]:
    reader = params.own[dataset.source].reader
    known = OWN_TASKS[reader]
    if dataset.task not in known:
        what = f"found {dataset.task!r}, but own.{dataset.source} is read by {reader}, for {' or '.join(known)}"
        yield Mistake((*key, "task"), what)
    if params.own[dataset.source].test_files:
        yield from _of_test_files(key, dataset, params)


def _of_test_files(key: Key, dataset: DatasetRows, params: Params) -> Iterator[Mistake]:
    """Settings that the publisher's own test part leaves no room for."""
    given = f"own.{dataset.source}.test_files are the test part"
    if dataset.protocol != "held_out":
        yield Mistake((*key, "task"), f"{given}, which the textbook's procedures do not have; leave them out")
    if "test" in params.files.row(*key):
        yield Mistake((*key, "test"), f"{given}; leave the share out")
    if dataset.task == "sentiment" and dataset.folds > 1:
        yield Mistake((*key, "folds"), f"found {dataset.folds}, but {given}; leave folds out")
    if dataset.task == "returns" and dataset.origins > 1:
        yield Mistake((*key, "origins"), f"found {dataset.origins}, but {given}, from one origin; write origins: 1")


def _of_experiment(key: Key, row: ExperimentRows, params: Params) -> Iterator[Mistake]:
    datasets = params.datasets_of(params.files.file_of(*key))
    dataset = params.datasets.get(row.dataset)
    if dataset is None or row.dataset not in datasets:
        yield Mistake((*key, "dataset"), _known(row.dataset, datasets))
    elif dataset.task != row.task:
        yield Mistake((*key, "task"), f"found {row.task!r}, but datasets.{row.dataset}.task is {dataset.task!r}")
    yield from _of_training(key, row)
    yield from _of_workers(key, row)
    yield from _of_direction(key, row)
    yield from _of_ensemble(key, row)
    yield from _of_task(key, row)
    if by_hand(row):
        yield from _not_by_hand(key, row)


def _of_training(key: Key, row: ExperimentRows) -> Iterator[Mistake]:
    if row.restore_weights == "last" and row.patience is not None:
        what = "patience waits for a better epoch; set restore_weights: best, or leave patience out"
        yield Mistake((*key, "patience"), what)
    if row.clip_norm is not None and row.clip_value is not None:
        yield Mistake((*key, "clip_value"), "clip_norm is set too; choose one, and set the other to null")
    if row.weight_dropout and row.kernel == "keras":
        yield Mistake((*key, "weight_dropout"), "Keras' own layers have none; leave it out, or set kernel: auto")
    if row.weight_dropout and row.task == "padded_tags":
        yield Mistake((*key, "weight_dropout"), "the textbook's procedure has none; it must be 0.0")
    if row.refit_epochs is not None and not row.refit:
        yield Mistake((*key, "refit_epochs"), "without a refit it does nothing; set refit: true, or leave it out")
    if row.task == "padded_tags" and row.refit:
        yield Mistake((*key, "refit"), "the validation part of padded_tags is its test part; it must be false")


def _of_workers(key: Key, row: ExperimentRows) -> Iterator[Mistake]:
    """What several processes cannot share."""
    if row.workers == 1:
        return
    at, rows = (*key, "workers"), "streams" if row.stateful else "rows of a batch"
    if row.backend != "tensorflow":
        yield Mistake(at, f"found {row.workers}, which needs backend tensorflow; it must be 1 with {row.backend}")
    elif by_hand(row):
        yield Mistake(at, f"found {row.workers}, but engine numpy trains in one process; it must be 1")
    elif row.task == "scaled_windows" and row.stateful:
        yield Mistake(at, "the textbook's stateful forecasts come from the network that is trained; it must be 1")
    elif row.batch_size % row.workers:
        fitting = [n for n in range(1, row.batch_size + 1) if row.batch_size % n == 0 and n <= 64]
        nearest = min(fitting, key=lambda n: (abs(n - row.workers), n))
        what = f"found {row.workers}, which must divide the {row.batch_size} {rows} (batch_size) into equal parts"
        yield Mistake(at, f"{what}; the nearest number that does is {nearest}")


def _of_direction(key: Key, row: ExperimentRows) -> Iterator[Mistake]:
    if row.stateful and row.bidirectional:
        what = "stateful and bidirectional exclude each other: the backward pass would need the future"
        yield Mistake((*key, "stateful"), what)
    if row.stateful and row.task not in STREAMS:
        yield Mistake((*key, "stateful"), f"{row.task} has no streams to carry a state along; it must be false")
    if row.bidirectional and row.task in FORECASTS:
        yield Mistake((*key, "bidirectional"), f"{row.task} predicts the future and must not read it; it must be false")


def _of_ensemble(key: Key, row: ExperimentRows) -> Iterator[Mistake]:
    """Figures that show the inside of one network, and likelihoods that are no logits."""
    if getattr(row, "ensemble", 1) == 1:
        return
    topology = getattr(row, "topology", None)
    if topology in ("attention", "one_to_many"):
        yield Mistake((*key, "ensemble"), f"topology {topology} has none; it must be 1")
    if getattr(row, "gradients", False):
        yield Mistake((*key, "ensemble"), "gradients are measured in one network; set one of the two")


def _of_task(key: Key, row: ExperimentRows) -> Iterator[Mistake]:
    if row.task == "char_lm" and row.backend != "tensorflow":
        for setting in ("gradients", "adaptive_rate"):
            if getattr(row, setting):
                yield Mistake((*key, setting), "measured with backend tensorflow only")
    if row.task == "image_rows" and row.topology == "one_to_many" and (row.bidirectional or row.patch or row.augment):
        what = "one_to_many draws row after row; bidirectional, patch and augment must stay unset"
        yield Mistake((*key, "topology"), what)
    if row.task == "sentiment" and 8 % row.pool_steps:
        yield Mistake((*key, "pool_steps"), f"found {row.pool_steps}; known: 1, 2, 4, 8")
    if row.task == "padded_tags" and row.dropout:
        yield Mistake((*key, "dropout"), f"is now called {renamed.setting('experiments', row.task, 'dropout')}")
    if row.task == "pos_tagging" and row.topology == "attention" and row.recurrent_dropout:
        yield Mistake((*key, "recurrent_dropout"), "the decoder with attention has none; it must be 0.0")
    if row.task == "forecasting" and row.burn_in >= row.time_steps:
        yield Mistake((*key, "burn_in"), f"found {row.burn_in}; it must be below time_steps ({row.time_steps})")


def _not_by_hand(key: Key, row: ExperimentRows) -> Iterator[Mistake]:
    """What the gradients in NumPy leave out, and the updates of cosine_windows too."""
    if row.cell not in BY_HAND:
        yield Mistake((*key, "cell"), f"found {row.cell!r}; engine numpy knows {', '.join(BY_HAND)}")
    left_out = ["stateful", "bidirectional", "dropout", "recurrent_dropout", "weight_dropout"]
    if (members := getattr(row, "ensemble", 1)) > 1:
        yield Mistake((*key, "ensemble"), f"found {members}; engine numpy trains one network: leave the key out")
    left_out += ["weight_decay"] if row.task == "cosine_windows" else []
    for name in left_out:
        if value := getattr(row, name):
            yield Mistake((*key, name), f"found {value!r}; engine numpy computes without it: leave the key out")
