"""A small project in which one experiment for each task was trained: for the tests of what comes after training."""

import shutil
import warnings
from pathlib import Path

import pytest

from pipeline.artifacts import Project
from pipeline.config import loading
from pipeline.sources import SOURCES
from pipeline.stages import baseline, download, evaluate, preprocess, train
from pipeline.tracking import store

PARAMS = """
seed: 3
edition: synthetic
cell: null
sources:
  alice: {reader: alice}
  alice-chapter: {reader: alice}
  umich: {reader: umich}
  treebank: {reader: treebank}
  electricity: {reader: electricity}
  digits: {reader: digits}
  djia: {reader: djia}
  msft: {reader: msft}
  umich-chapter: {reader: umich}
  cosine: {reader: cosine}
  treebank-chapter: {reader: treebank}
own: {}
datasets:
  alice: {source: alice, task: char_lm}
  alice-chapter: {source: alice-chapter, task: char_windows, window: 8, stride: 5}
  umich: {source: umich, task: sentiment, folds: 2, bigrams: true, char_ngrams: 3, min_count: 2}
  treebank: {source: treebank, task: pos_tagging}
  electricity:
    {source: electricity, task: forecasting, horizons: [1, 4], seasonal_periods: [96], calendar: true, lags: 5}
  electricity-day: {source: electricity, task: forecasting, horizons: [8, 4], seasonal_periods: [96]}
  digits: {source: digits, task: image_rows}
  djia: {source: djia, task: returns, window: 5, origins: 2}
  msft: {source: msft, task: scaled_windows, inputs: mean_price, window: 3}
  umich-chapter: {source: umich-chapter, task: padded_texts, tokens: words, length: 12, validation: 0.1}
  cosine: {source: cosine, task: cosine_windows}
  treebank-chapter: {source: treebank-chapter, task: padded_tags, length: 24, protocol: textbook}
experiments:
  alice-chapter:
    {dataset: alice-chapter, task: char_windows, cell: simple_rnn, units: 16, synthetic_epochs: 2, learning_rate: 0.01,
     restore_weights: last}
  alice:
    {dataset: alice, task: char_lm, units: 24, embedding: 8, stateful: true, synthetic_epochs: 1, learning_rate: 0.01,
     refit: true}
  umich:
    {dataset: umich, task: sentiment, units: 8, embedding: 8, bidirectional: true, synthetic_epochs: 2,
     learning_rate: 0.02, refit: true}
  treebank:
    {dataset: treebank, task: pos_tagging, cell: lstm, units: 8, embedding: 8, bidirectional: true, synthetic_epochs: 2,
     learning_rate: 0.02}
  electricity-day:
    {dataset: electricity-day, task: forecasting, cell: gru, units: 4, stateful: true, time_steps: 24, batch_size: 32,
     synthetic_epochs: 1, learning_rate: 0.01}
  electricity:
    {dataset: electricity, task: forecasting, cell: simple_rnn, units: 6, time_steps: 12, batch_size: 64,
     synthetic_epochs: 1, learning_rate: 0.01, repeats: 2}
  digits: {dataset: digits, task: image_rows, units: 8, augment: true, synthetic_epochs: 1, learning_rate: 0.01}
  djia: {dataset: djia, task: returns, units: 4, synthetic_epochs: 1, learning_rate: 0.01}
  msft: {dataset: msft, task: scaled_windows, units: 4, synthetic_epochs: 2, learning_rate: 0.01}
  umich-chapter:
    {dataset: umich-chapter, task: padded_texts, units: 8, embedding: 8, synthetic_epochs: 2, learning_rate: 0.02}
  cosine: {dataset: cosine, task: cosine_windows, cell: simple_rnn, units: 8, learning_rate: 0.01, synthetic_epochs: 1}
  treebank-chapter:
    {dataset: treebank-chapter, task: padded_tags, units: 8, embedding: 8, synthetic_epochs: 2, learning_rate: 0.05}
"""


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Downloaded, prepared, trained, evaluated and in MLflow; to be looked at, not changed."""
    root = tmp_path_factory.mktemp("trained")
    (root / "params.yaml").write_text(PARAMS)
    project, params = Project(root), loading.load(root, SOURCES)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow and what it imports warn about each other
        patch.delenv("DVC_ROOT", raising=False)
        patch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
        for source in params.sources:
            download.run(project, source)
        for dataset in params.datasets:
            preprocess.run(project, dataset)
            baseline.run(project, dataset)
        for experiment in params.experiments:
            train.run(project, experiment)
            evaluate.run(project, experiment)
    return project


@pytest.fixture(scope="session")
def experiments(trained: Project) -> dict[str, str]:
    """The name of the experiment on each task."""
    return {row.task: name for name, row in loading.load(trained.root, SOURCES).experiments.items()}


@pytest.fixture(scope="session")
def _tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables without a row, which take seconds to set up."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
        with store.connected(Project(path.parent)) as client:
            client.search_experiments()
    return path


@pytest.fixture
def empty_store(_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project folder with an empty MLflow store of its own."""
    shutil.copy(_tables, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    (tmp_path / "data" / "spool").mkdir(parents=True)
    return Project(tmp_path)
