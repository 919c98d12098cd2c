"""evaluate@<experiment>: score the stored predictions and compare them with the baselines."""

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.evaluation import scoring
from pipeline.evaluation.optimum import NAME as OPTIMUM
from pipeline.evaluation.optimum import against_optimum, refuse_a_leak
from pipeline.integrity import checksums
from pipeline.stages import parameters
from pipeline.tasks import task_named
from pipeline.tracking import build
from pipeline.tracking.delivery import spool, waiting


def run(project: Project, name: str) -> None:
    """Save the metrics of the experiment `name`, and leave them for MLflow."""
    row = parameters(project).experiment(name)
    task = task_named(row.task)
    folder, rival = project.model(name), project.baselines(row.dataset)
    checksums.check(project.prepared(row.dataset), folder, rival, project.predictions(row.dataset, name))
    encoded = artifacts.load_encoded(project.prepared(row.dataset))
    fit, record = artifacts.load_json(folder / "fit.json"), artifacts.load_json(folder / "run.json")
    predictions = artifacts.load_arrays(project.predictions(row.dataset, name) / "predictions.npz")
    samples = artifacts.load_json(project.predictions(row.dataset, name) / "samples.json")
    baselines = artifacts.load_json(rival / "metrics.json")
    figures = scoring.figures(task, encoded, fit["networks"], predictions)
    if samples and task.generated is not None:
        fitted_on = ("train", "validation") if row.refit else ("train",)
        figures["generated"] = task.generated(encoded, samples, fitted_on)
    losses = scoring.test_losses(task, encoded, fit["networks"], predictions)
    rivals = artifacts.load_arrays(rival / "predictions.npz")
    against = scoring.against_baselines(task, encoded, figures["test"], losses, baselines, rivals)
    best = artifacts.load_json(rival / "optimum.json")
    if best:
        theirs = scoring.baseline_losses(task, encoded, OPTIMUM, rivals)
        figures["against_optimum"] = against_optimum(task, losses, theirs, against, best)
        refuse_a_leak(name, figures["against_optimum"])
    identity = build.Run.of(record)
    ids = {"run_id": record["run_id"], "model_id": record["model_id"], "run": identity.identity}
    metrics = {**fit, **figures, "baselines": baselines, "against_baseline": against, **ids}
    artifacts.save_json(project.metrics(row.dataset, name), metrics)
    artifacts.save_json(project.scores(name), scoring.columns(metrics))
    spool(build.evaluation(identity, metrics), project)
    gain = "" if against["skill"] is None else f"; skill {against['skill']:+.1%}"
    print(
        f"{name}: test {against['metric']} {against['score']:.4f}; "
        f"{against['baseline']} {against['baseline_score']:.4f}"
        + gain
        + (" (synthetic data)" if fit["edition"] == "synthetic" else "")
    )
    print(waiting(project))
