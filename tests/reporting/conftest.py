"""A small project with results on every task, made without a network: predictions are the truth with noise.

The textbook's tasks have a file of settings and an index page of their own.
"""

import shutil
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config import loading
from pipeline.config.files import MAIN, TEXTBOOK
from pipeline.config.schema.params import Params
from pipeline.encoding.records import (
    Encoded,
    Images,
    LabelledTexts,
    Series,
    TaggedSentences,
    TextCorpus,
    network_key,
)
from pipeline.evaluation import optimum, scoring
from pipeline.integrity import checksums
from pipeline.reporting import charts, report_data
from pipeline.reporting.report_data import ReportData
from pipeline.sources import SOURCES
from pipeline.stages import index, report
from pipeline.tasks import task_named
from tests.tasks.case import CASES

ATTACK = "<script>alert('x')</script>"
PARAMS = """
seed: 1
edition: synthetic
cell: null
sources:
  alice: {reader: alice}
  umich: {reader: umich}
  treebank: {reader: treebank}
  electricity: {reader: electricity}
  digits: {reader: digits}
  djia: {reader: djia}
studies: {}
tunings: {}
own: {}
datasets:
  alice: {source: alice, task: char_lm, ascii_only: false}
  umich: {source: umich, task: sentiment, folds: 3}
  treebank: {source: treebank, task: pos_tagging}
  electricity: {source: electricity, task: forecasting, horizons: [1, 4], seasonal_periods: [24]}
  digits: {source: digits, task: image_rows}
  djia: {source: djia, task: returns, origins: 3}
experiments:
  alice: {dataset: alice, task: char_lm}
  umich: {dataset: umich, task: sentiment}
  treebank: {dataset: treebank, task: pos_tagging}
  electricity: {dataset: electricity, task: forecasting, repeats: 3}
  electricity-lstm: {dataset: electricity, task: forecasting, cell: lstm, repeats: 3}
  digits: {dataset: digits, task: image_rows}
  digits-lstm: {dataset: digits, task: image_rows, cell: lstm}
  djia: {dataset: djia, task: returns}
  treebank-attention: {dataset: treebank, task: pos_tagging, topology: attention}
"""
TEXTBOOK_PARAMS = """
sources:
  alice-chapter: {reader: alice}
  msft: {reader: msft}
  umich-chapter: {reader: umich}
  cosine: {reader: cosine}
datasets:
  alice-chapter: {source: alice-chapter, task: char_windows, window: 9}
  msft: {source: msft, task: scaled_windows, inputs: mean_price, window: 2}
  umich-chapter: {source: umich-chapter, task: padded_texts, tokens: words, length: 9, validation: 0.2}
  cosine: {source: cosine, task: cosine_windows}
  padded: {source: treebank, task: padded_tags, length: 9}
experiments:
  alice-chapter: {dataset: alice-chapter, task: char_windows}
  msft: {dataset: msft, task: scaled_windows}
  umich-chapter: {dataset: umich-chapter, task: padded_texts}
  cosine: {dataset: cosine, task: cosine_windows, cell: simple_rnn}
  padded: {dataset: padded, task: padded_tags}
"""
NOISE = {
    "alice": 0.3,
    "umich": 0.4,
    "treebank": 0.2,
    "electricity": 0.1,
    "electricity-lstm": 0.5,
    "digits": 0.25,
    "djia": 1.0,
}

KNOWN = ("alice", "umich", "electricity")  # data sets from a known process


def prices(rng: np.random.Generator) -> Series:
    close = 100 * np.exp(np.cumsum(0.01 * rng.normal(size=1200)))
    covariates = {"open": close, "high": 1.01 * close, "low": 0.99 * close, "close": close, "volume": 1e6 * close}
    dates = np.datetime64("2015-01-01", "D") + np.arange(1200)
    return Series(close, np.ones(1200, np.bool_), "USD", covariates=covariates, dates=dates)


def records(rng: np.random.Generator) -> dict[str, Any]:
    words = ["the", "old", "man", "$", "boat", "``", "sails"]
    tags = ["DT", "JJ", "NN", "$", "NN", "``", "VBZ"]
    orders = [rng.permutation(7) for _ in range(60)]
    opinions = (*(f"text {i} is {'good' if i % 2 else 'bad'}" for i in range(58)), f"{ATTACK} is bad", "more is good")
    steps = np.arange(1500)
    made: dict[str, Any] = {
        "alice": TextCorpus(f"{ATTACK} said the cat & the hat. " * 60, {"lines": 60}),
        "alice-chapter": TextCorpus(f"{ATTACK} said the cat & the hat. " * 60, {"lines": 60}),
        "umich": LabelledTexts(opinions, np.arange(60, dtype=np.int32) % 2, ("negative", "positive"), {"lines": 99}),
        "treebank": TaggedSentences(
            tuple(tuple(words[i] for i in o) for o in orders),
            tuple(tuple(tags[i] for i in o) for o in orders),
            tuple(f"file{i // 3:02d}" for i in range(60)),
        ),
        "electricity": Series(
            50 + 10 * np.sin(steps * 2 * np.pi / 24) + rng.normal(size=1500), steps != 1400, "kW", None, None
        ),
        "digits": Images(
            rng.integers(0, 256, (200, 8, 8, 1), dtype=np.uint8),
            np.arange(200, dtype=np.int32) % 4,
            ("zero", "one", "two", "three_$x$"),
            None,
        ),
        "djia": prices(rng),
        "msft": prices(rng),
        "umich-chapter": LabelledTexts(2 * opinions, np.arange(120, dtype=np.int32) % 2, ("negative", "positive")),
        "cosine": Series(np.cos(np.arange(200)), np.ones(200, bool), ""),
    }
    return {**made, "padded": made["treebank"]}


def predictions(task: str, encoded: Encoded, split: str, fold: int, noise: float, rng: np.random.Generator) -> Any:
    """Return the truth with noise, in the form that the task's score() takes."""
    truth = CASES[task].truth(encoded, split, fold)
    if truth.dtype.kind == "i":
        return np.where(rng.random(truth.shape) < noise, (truth + 1) % len(encoded.encoder["tags"]), truth)
    if "label_names" in encoded.encoder:
        signs = [(-1) ** c for c in range(len(encoded.encoder["label_names"]))]
        scores = truth + rng.normal(0, 3 * noise, (len(truth), 1)) * signs
        return np.exp(2 * scores) / np.exp(2 * scores).sum(axis=1, keepdims=True)
    if "char" in task:  # bits, and the share of windows that are right
        return np.abs(truth - np.abs(rng.normal(0, noise, truth.shape))).astype(np.float32)
    return np.nan_to_num(truth) + rng.normal(0, noise * np.nanstd(truth), truth.shape)


def key_of(experiment: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_OID, experiment).hex


def add_results(project: Project, params: Params, name: str, rng: np.random.Generator) -> None:
    """What train and evaluate would have left of an experiment."""
    row = params.experiment(name)
    task, encoded = task_named(row.task), artifacts.load_encoded(project.prepared(row.dataset))
    folds, rivals = encoded.summary.get("folds", 1), project.baselines(row.dataset)
    networks = [{"seed": 1 + r, "fold": f} for r in range(row.repeats) for f in range(folds)]
    made = {
        network_key(i, split): predictions(row.task, encoded, split, m["fold"], NOISE.get(name, 0.3), rng)
        for i, m in enumerate(networks)
        for split in ("validation", "test")
    }
    if getattr(row, "topology", "") == "attention":
        made[network_key(0, "attention")] = np.tile(np.eye(20, dtype=np.float32), (3, 1, 1))
    baselines = artifacts.load_json(rivals / "metrics.json")
    found = scoring.figures(task, encoded, networks, made)
    losses = scoring.test_losses(task, encoded, networks, made)
    rival = artifacts.load_arrays(rivals / "predictions.npz")
    against = scoring.against_baselines(task, encoded, found["test"], losses, baselines, rival)
    best = artifacts.load_json(rivals / "optimum.json")
    if best:
        theirs = scoring.baseline_losses(task, encoded, optimum.NAME, rival)
        assert theirs is not None
        found["against_optimum"] = optimum.against_optimum(task, losses, theirs, against, best)
    metrics: dict[str, Any] = {
        "experiment": name, **{k: encoded.summary[k] for k in ("source", "dataset", "task", "edition", "protocol")},
        "cell": row.cell, "parameters": 12345, "train_seconds": 12.3, "epochs": 3, "epoch_seconds": 4.1,
        "examples_per_second": 1234.5, "examples": dict(encoded.examples), "seed": 1,
        "networks": networks, **found, "baselines": baselines, "against_baseline": against, "run_id": None,
        "model_id": None,
        "run": {"run_key": key_of(name), "source": encoded.summary["source"], "name": name, "start": 1},
    }  # fmt: skip
    if "char" in row.task:
        looping = {"temperature": 0.5, "distinct_2": 0.12, "repetition": 0.88, "longest_copy": 1234}
        free = {"temperature": 1.0, "distinct_2": 1.0, "repetition": 0.0, "longest_copy": 7}
        metrics["generated"] = [looping, free]
    artifacts.save_json(project.metrics(row.dataset, name), metrics)
    folder = project.predictions(row.dataset, name)
    artifacts.save_arrays(folder / "predictions.npz", made)
    samples = [{"prompt": "the <b>", "temperature": t, "text": f"cat {ATTACK}"} for t in (0.5, 1.0)]
    head = f"epoch,loss,val_{task.monitor.name},examples_per_second,seconds"
    curve = f"{head}\n1,2.0,0.5,30,4\n2,1.5,0.7,70,2\n3,1.2,0.6,60,2\n"
    on_the_way = [{**samples[0], "text": text, "epoch": i} for i, text in enumerate(("teh", "the"), start=1)]
    artifacts.save_json(folder / "samples.json", on_the_way + samples if "char" in row.task else [])
    artifacts.save_text(project.curves(row.dataset, name), curve)


def add_dataset(project: Project, params: Params, name: str, record: Any, rng: np.random.Generator) -> None:
    """What preprocess and baseline would have left; digits are real data, everything else is a sample."""
    row = params.datasets[name]
    task = task_named(row.task)
    encoded = task.prepare(record, row, 1)
    edition = "published" if name == "digits" else "synthetic"
    facts = {"edition": edition, "source": name, "dataset": name, "task": row.task, "protocol": row.protocol}
    encoded = Encoded(encoded.arrays, encoded.encoder, encoded.examples, {**encoded.summary, **facts})
    artifacts.save_encoded(project.prepared(name), encoded)
    folds = range(encoded.summary.get("folds", 1))
    naive = [predictions(row.task, encoded, "test", fold, 0.35, rng) for fold in folds]
    scores = [task.score(encoded, "test", p, fold) for fold, p in zip(folds, naive, strict=True)]
    figures = {"naive <b>": {metric: float(np.mean([s[metric] for s in scores])) for metric in scores[0]}}
    stored = {network_key("naive <b>", fold): p for fold, p in zip(folds, naive, strict=True)}
    best = None
    if name in KNOWN:
        perfect = [predictions(row.task, encoded, "test", fold, 0.01, rng) for fold in folds]
        by_fold = dict(zip(folds, perfect, strict=True))
        best = optimum.best_possible(replace(task, optimum=lambda _, fold: by_fold[fold]), encoded)
        stored |= {network_key(optimum.NAME, fold): p for fold, p in by_fold.items()}
    artifacts.save_json(project.baselines(name) / "metrics.json", figures)
    artifacts.save_json(project.baselines(name) / "optimum.json", dict(best.metrics) if best else {})
    artifacts.save_arrays(project.baselines(name) / "predictions.npz", stored)


def build(root: Path) -> tuple[Project, Params]:
    """The project before any report."""
    root.mkdir()
    artifacts.save_text(root / MAIN, PARAMS)
    artifacts.save_text(root / TEXTBOOK, TEXTBOOK_PARAMS)
    project, params, rng = Project(root), loading.load(root, SOURCES), np.random.default_rng(1)
    for name, record in records(rng).items():
        add_dataset(project, params, name, record, rng)
    for name in params.experiments:
        add_results(project, params, name, rng)
    list_checksums(project, params)
    return project, params


def list_checksums(project: Project, params: Params) -> None:
    """Write the lists of checksums, as the stages do, of what a report reads."""
    for name in params.datasets:
        read = [project.predictions(name, experiment) for experiment in params.experiments_on(name)]
        for folder in (project.prepared(name), project.baselines(name), *read):
            artifacts.save_text(folder / checksums.LIST, checksums.listed(folder, folder))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with every report and both index pages; to be looked at, not changed."""
    project, params = build(tmp_path_factory.mktemp("reporting") / "project")
    for dataset in params.datasets:
        report.run(project, dataset)
    index.run(project)
    index.run(project, "textbook")
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy to change."""
    shutil.copytree(finished.root, tmp_path / "project")
    return Project(tmp_path / "project")


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn from now on, as Matplotlib has them."""
    made: list[Figure] = []

    class Kept(Figure):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            made.append(self)

    monkeypatch.setattr(charts, "Figure", Kept)
    return made


def data_of(project: Project, dataset: str) -> ReportData:
    """What a report on the data set is made from."""
    params = loading.load(project.root, SOURCES)
    task = task_named(params.datasets[dataset].task)
    return report_data.load(project, task, dataset, params.experiments_on(dataset))


def metrics_of(project: Project, *files: str) -> dict[str, Mapping[str, Any]]:
    """Return the metrics of each experiment, or of those in these files of settings alone."""
    params = loading.load(project.root, SOURCES).files
    paths = (project.root / "reports" / "metrics").rglob("*.json")
    metrics = {row["experiment"]: row for row in map(artifacts.load_json, paths)}
    return {name: row for name, row in metrics.items() if not files or params.file_of("experiments", name) in files}
