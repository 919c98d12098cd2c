"""baseline@<dataset>: score naive methods on the test rows of a data set."""

import contextlib
import importlib

from threadpoolctl import threadpool_limits

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config.schema.values import named
from pipeline.encoding.records import Encoded, network_key
from pipeline.evaluation.optimum import NAME as OPTIMUM
from pipeline.evaluation.optimum import best_possible
from pipeline.integrity import checksums
from pipeline.stages import parameters
from pipeline.tasks import task_named

SMALL = 10_000_000  # numbers in a data set


def run(project: Project, name: str) -> None:
    """Save figures and predictions of the baselines on the data set `name`."""
    row = named(parameters(project).datasets, name, "datasets")
    task = task_named(row.task)
    checksums.check(project.prepared(name))
    encoded = artifacts.load_encoded(project.prepared(name))
    with _threads(encoded):
        baselines = task.baselines(encoded)
    predictions = {network_key(key, fold): p for key, b in baselines.items() for fold, p in enumerate(b.predictions)}
    best = best_possible(task, encoded)
    if best is not None:
        predictions |= {network_key(OPTIMUM, fold): p for fold, p in enumerate(best.predictions)}
    with artifacts.new_folder(project.baselines(name), listed=True) as fresh:
        artifacts.save_json(fresh / "optimum.json", dict(best.metrics) if best else {})
        artifacts.save_json(fresh / "metrics.json", {key: dict(b.metrics) for key, b in baselines.items()})
        artifacts.save_arrays(fresh / "predictions.npz", predictions)
    for key, b in baselines.items():
        print(f"{name}: {key}: {task.primary_metric.name} {b.metrics[task.primary_metric.name]:.4f}")
    if best is not None:
        print(f"{name}: best possible: {task.primary_metric.name} {best.metrics[task.primary_metric.name]:.4f}")


def _threads(encoded: Encoded) -> contextlib.AbstractContextManager[object]:
    """Let NumPy use one thread on small data: several wait for each other, at up to eight times the processor time."""
    importlib.import_module("sklearn.linear_model")  # the limit holds for the libraries that are loaded
    small = sum(array.size for array in encoded.arrays.values()) < SMALL
    return threadpool_limits(1) if small else contextlib.nullcontext()
