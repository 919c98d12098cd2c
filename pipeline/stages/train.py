"""train@<experiment>: fit the networks of an experiment; save their predictions and all that inference needs."""

import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import artifacts, handover
from pipeline.artifacts import Project
from pipeline.config import defaults, plain_yaml
from pipeline.config.schema.networks import ExperimentRows
from pipeline.config.schema.params import Params
from pipeline.encoding.records import Encoded, network_key
from pipeline.errors import TrainingError
from pipeline.evaluation.task import Task
from pipeline.integrity import checksums
from pipeline.progress import Progress
from pipeline.stages import parameters, worker
from pipeline.tasks import primary_metrics, task_named
from pipeline.tracking import build, live, plots, provenance
from pipeline.tracking.delivery import Delivered, deliver
from pipeline.tracking.environment import SystemMonitor
from pipeline.tracking.record import now

if TYPE_CHECKING:
    from pipeline.training.checkpoint import Checkpoints

CODE = Path(__file__).parents[1]  # the folder pipeline/


def run(project: Project, name: str) -> None:
    """Save the model, predictions and learning curves of the experiment `name`, and send the run to MLflow.

    Raises TrainingError if a loss is not finite; then no model is saved, and MLflow shows a failed run.
    """
    params = parameters(project)
    row = params.experiment(name)
    if row.backend != "tensorflow" or row.precision == "bfloat16":
        handover.run_alone()  # what these settings change is read when TensorFlow is imported
    checksums.check(project.prepared(row.dataset))
    encoded = artifacts.load_encoded(project.prepared(row.dataset))
    task = task_named(row.task)
    if params.reduced(name):
        print(f"{name}: on synthetic data with {plain_yaml.flow(params.reduced(name))}")
    record = build.Run(uuid.uuid4().hex, encoded.summary["source"], build.display_name(name, row), now())
    worker.set_backend(row)
    checkpoints = _checkpoints(project, params, name, encoded)
    try:
        trained, monitor = _trained(project, params, name, encoded, record, checkpoints)
    except TrainingError as error:
        checkpoints.discard()
        _show_failed(project, record, row)
        raise TrainingError(f"{error}. {_last_good(project, name)}".removesuffix(" ")) from None
    facts = _facts(params, name, encoded, trained)
    from pipeline.training.repeats import mean_history  # imported by now; see _checkpoints

    history = mean_history(trained)
    _save_predictions(project.predictions(row.dataset, name), trained)
    artifacts.save_text(project.curves(row.dataset, name), _csv(history))
    plots.write(project, params, primary_metrics())
    hashes = provenance.hashes(project)
    made_of = {
        "params": provenance.settings(params, name),
        "data": {path: hashes.get(path, provenance.UNKNOWN) for path in provenance.data_of(params, name)},
    }
    journal = build.training(project, record, row, facts, history, monitor.rows, made_of)
    tags = {key: value for key, value in journal.content.tags.items() if key not in build.AS_JSON}
    with artifacts.new_folder(project.model(name), listed=True) as folder:
        _save_model(folder / "model", task, row, encoded, trained)
        artifacts.save_json(folder / "fit.json", facts)
        artifacts.save_json(folder / "run.json", {**record.identity, **tags, **made_of, **Delivered()._asdict()})
    _keep(project, name)
    # The results are in place before MLflow is asked; the ids that it gives are added.
    build.add_model(journal, project.model(name) / "model", name, task.serving_example)
    journal.finish()
    delivered = deliver(journal, project)
    if delivered != Delivered():
        ids = {**record.identity, **tags, **made_of, **delivered._asdict()}
        artifacts.change_json(project.model(name), "run.json", ids)
    checkpoints.sweep()


def _show_failed(project: Project, record: build.Run, row: ExperimentRows) -> None:
    failed = record.journal("train")
    failed.params(row.model_dump(mode="json"))
    failed.finish("FAILED")
    deliver(failed, project)


def _checkpoints(project: Project, params: Params, name: str, encoded: Encoded) -> "Checkpoints":
    # Late: TensorFlow takes seconds to import, and a mistake in params.yaml must show at once.
    from pipeline.training import checkpoint

    row = params.experiment(name)
    settings = {**row.model_dump(mode="json"), "seed": params.seed, "edition": params.edition}
    key = checkpoint.key(settings, encoded, CODE, f"tasks/{defaults.folders()[row.task]}", row.backend)
    checkpoints = checkpoint.Checkpoints(project.checkpoints(name), key, name)
    checkpoints.announce()
    return checkpoints


def _trained(
    project: Project, params: Params, name: str, encoded: Encoded, record: build.Run, checkpoints: "Checkpoints"
) -> tuple[list[Any], SystemMonitor]:
    """Return the trained networks, and the use of processor and memory meanwhile."""
    from pipeline.training import repeats

    row = params.experiment(name)
    shown = live.shown(project, name, build.opening(record, row, _kinds(params, name, encoded), params.seed))
    with (
        shown,
        worker.crew(params, row, encoded.encoder) as crew,
        SystemMonitor() as monitor,
        Progress(project, name, record.key) as progress,
    ):
        trained = repeats.train(
            task_named(row.task),
            row,
            encoded,
            seed=params.seed,
            label=name,
            checkpoints=checkpoints,
            progress=progress,
            crew=crew,
        )
        if crew is not None:
            print(f"{name}: {crew.summary()}", flush=True)
    return trained, monitor


def _keep(project: Project, name: str) -> None:
    """Keep a copy of the model: DVC deletes its outputs before it runs a stage, which may fail."""
    with artifacts.new_folder(project.previous(name)) as folder:
        shutil.copytree(project.model(name), folder, dirs_exist_ok=True)


def _last_good(project: Project, name: str) -> str:
    """Say where the model of the last good training is."""
    if project.model(name).is_dir():
        return f"data/models/{name} is as it was before"
    if project.previous(name).is_dir():
        return f"The last good model is in {project.previous(name)}; copy it to data/models/{name} to use it"
    return ""


def _save_predictions(target: Path, trained: list[Any]) -> None:
    with artifacts.new_folder(target, listed=True) as folder:
        predictions = {network_key(i, part): p for i, m in enumerate(trained) for part, p in m.predictions.items()}
        artifacts.save_arrays(folder / "predictions.npz", predictions)
        artifacts.save_json(folder / "samples.json", trained[0].samples)


def _save_model(folder: Path, task: Task, row: ExperimentRows, encoded: Encoded, trained: list[Any]) -> None:
    for i, network in enumerate(trained):
        weights = {f"{j:03d}": w for j, w in enumerate(network.weights)}
        artifacts.save_arrays(folder / "weights" / f"{i}.npz", weights)
    fitted_on = ("train", "validation") if row.refit else ("train",)
    artifacts.save_json(folder / "network.json", row.model_dump(mode="json"))
    first = trained[0]
    encoder = task.fitted(encoded, fitted_on, first.fold)
    if task.intervals is not None:
        encoder["interval"] = task.intervals.fit(encoded, first.predictions["validation"], first.fold)
    artifacts.save_json(folder / "encoder.json", encoder)
    _save_graph(folder / "graph.json", task, row, encoder)


def _save_graph(path: Path, task: Task, row: ExperimentRows, encoder: dict[str, Any]) -> None:
    """Describe the network, so that answers need no Keras; without this file, Keras computes them."""
    from pipeline.training import description  # imported by now; see _checkpoints

    try:
        graph = description.description(description.serving_model(task.network(), row, encoder))
    except Exception as error:  # whatever a layer of somebody else leads to; the training must not be lost
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        print(f"the network cannot be described ({reason}), so its answers will import TensorFlow")
        return
    artifacts.save_json(path, graph)


def _kinds(params: Params, name: str, encoded: Encoded) -> dict[str, Any]:
    return {
        "experiment": name,
        **{key: encoded.summary[key] for key in ("source", "dataset", "task", "protocol")},
        "edition": "synthetic" if params.reduced(name) else encoded.summary["edition"],
        "cell": params.experiment(name).cell,
    }


def _facts(params: Params, name: str, encoded: Encoded, trained: list[Any]) -> dict[str, Any]:
    """Return the facts on the training for reports/metrics/<dataset>/<experiment>.json.

    The times of an epoch are medians over the runs with validation.
    """
    epochs_seen = [epoch for network in trained for epoch in network.history]
    return {
        **_kinds(params, name, encoded),
        "seed": params.seed,
        "parameters": trained[0].parameters,
        "train_seconds": round(sum(m.seconds for m in trained), 3),
        "epochs": max(m.epochs for m in trained),
        "epoch_seconds": round(float(np.median([epoch["seconds"] for epoch in epochs_seen])), 3),
        "examples_per_second": round(float(np.median([epoch["examples_per_second"] for epoch in epochs_seen])), 1),
        "examples": dict(encoded.examples),
        "networks": [
            {"seed": m.seed, "fold": m.fold, "epochs": m.epochs, "seconds": round(m.seconds, 3)} for m in trained
        ],
    }


def _csv(history: list[dict[str, float]]) -> str:
    lines = [",".join(history[0]), *(",".join(f"{value:.6g}" for value in epoch.values()) for epoch in history)]
    return "\n".join(lines) + "\n"
