"""baseline@<dataset>: what naive methods score on the same test rows."""

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config.schema.values import named
from pipeline.encoding.records import member_key
from pipeline.evaluation.optimum import NAME as OPTIMUM
from pipeline.evaluation.optimum import best_possible
from pipeline.stages import parameters
from pipeline.tasks import task_named


def run(project: Project, name: str) -> None:
    row = named(parameters(project).datasets, name, "datasets")
    task = task_named(row.task)
    encoded = artifacts.load_encoded(project.prepared(name))
    found = task.baselines(encoded)
    predictions = {member_key(key, fold): p for key, b in found.items() for fold, p in enumerate(b.predictions)}
    best = best_possible(task, encoded)
    if best is not None:
        predictions |= {member_key(OPTIMUM, fold): p for fold, p in enumerate(best.predictions)}
    with artifacts.new_folder(project.baselines(name)) as fresh:
        artifacts.save_json(fresh / "optimum.json", dict(best.metrics) if best else {})
        artifacts.save_json(fresh / "metrics.json", {key: dict(b.metrics) for key, b in found.items()})
        artifacts.save_arrays(fresh / "predictions.npz", predictions)
    for key, b in found.items():
        print(f"{name}: {key}: {task.primary_metric.name} {b.metrics[task.primary_metric.name]:.4f}")
    if best is not None:
        print(f"{name}: best possible: {task.primary_metric.name} {best.metrics[task.primary_metric.name]:.4f}")
