"""Decide about a trained experiment: register it as challenger, let the gate judge it, promote it if it is better.

Each decision is recorded under reports/decisions/, and its outcome in tags of the version.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config.schema.params import Params
from pipeline.config.schema.values import FORMER_EDITIONS, named
from pipeline.encoding.records import network_key
from pipeline.errors import Conflict, DataError, StoreError
from pipeline.evaluation.task import Task
from pipeline.integrity import checksums
from pipeline.promotion import card, evidence
from pipeline.promotion.decisions import Decision, at_present, minute, trigger, write
from pipeline.promotion.gate import Evidence, Verdict, compare, floor
from pipeline.promotion.registry import CHAMPION, Registry, Version
from pipeline.reporting.report_data import Result
from pipeline.tasks import task_named
from pipeline.tracking import delivery
from pipeline.tracking import store as store_module
from pipeline.tracking.build import Run
from pipeline.tracking.upload import find

SKEW_SECONDS = 900
PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Candidate:
    """An experiment to be judged. metrics: its metrics file; run: its run.json; horizon: in steps.

    source: what is known of the published data: `title`, `licence`, `homepage`.
    """

    experiment: str
    task: Task
    metrics: dict[str, Any]
    run: dict[str, Any]
    evidence: Evidence
    horizon: int
    source: Mapping[str, Any] | None = None

    @property
    def model(self) -> str:
        """The name of its registered model."""
        return f"{self.metrics['source']}-{self.metrics['task']}"

    @property
    def tags(self) -> dict[str, str]:
        """The tags of its version in the registry."""
        metrics, against = self.metrics, self.metrics["against_baseline"]
        kinds = ("experiment", "source", "dataset", "task", "edition", "protocol", "cell")
        return {
            **{kind: str(metrics[kind]) for kind in kinds},
            "commit": self.run.get("mlflow.source.git.commit", "unknown"),
            "uncommitted_changes": self.run.get("git_dirty", "unknown"),
            **{f"data {Path(path).parent.name}": digest for path, digest in self.run.get("data", {}).items()},
            f"test {against['metric']}": f"{against['score']:.6g}",
            f"baseline {against['metric']}": f"{against['baseline_score']:.6g} ({against['baseline']})",
        }


def candidate(project: Project, params: Params, experiment: str) -> Candidate:
    """Load an experiment as a candidate; DataError if it cannot be promoted, such as one of the textbook's protocol."""
    row = named(params.experiments, experiment, "experiments")
    metrics = artifacts.load_json(project.metrics(row.dataset, experiment))
    run = artifacts.load_json(project.model(experiment) / "run.json")
    if metrics["protocol"] != "held_out":
        raise DataError(f"{experiment}: it follows the textbook’s protocol, flaws included, so it cannot be promoted")
    if metrics["run"]["run_key"] != run["run_key"]:
        raise DataError(f"{experiment}: trained again since its evaluation; run `dvc repro evaluate@{experiment}`")
    predictions = project.predictions(row.dataset, experiment)
    checksums.check(project.prepared(row.dataset), project.model(experiment), predictions)
    task, encoded = task_named(row.task), artifacts.load_encoded(project.prepared(row.dataset))
    if task.row_ids is None or task.comparison is None:
        raise DataError(f"{experiment}: models of the task {task.name} cannot be promoted")
    fold = artifacts.load_json(project.model(experiment) / "fit.json")["networks"][0]["fold"]
    stored = artifacts.load_arrays(predictions / "predictions.npz")
    losses = np.asarray(task.losses(encoded, stored[network_key(0, "test")], fold), np.float64)
    tested = Evidence(task.row_ids(encoded, fold), losses)
    return Candidate(
        experiment, task, metrics, run, tested, max(encoded.encoder.get("horizons", (1,))), encoded.summary.get("card")
    )


def best_of_each(project: Project, params: Params) -> list[str]:
    """List for each source and task the experiment that is best on validation, on its first held-out data set."""
    groups: dict[tuple[str, str], str] = {}
    evaluated: dict[str, list[str]] = {}
    for name, row in params.experiments.items():
        data = params.datasets[row.dataset]
        if data.protocol == "held_out" and project.metrics(row.dataset, name).is_file():
            first = groups.setdefault((data.source, row.task), row.dataset)
            if row.dataset == first:
                evaluated.setdefault(first, []).append(name)
    return [_best(project, params, names) for names in evaluated.values()]


def _best(project: Project, params: Params, names: list[str]) -> str:
    def cost(name: str) -> float:
        metrics = artifacts.load_json(project.metrics(params.experiments[name].dataset, name))
        metric, figures = task_named(metrics["task"]).primary_metric, metrics["validation"]
        return metric.cost(figures) if metric.name in figures else float("inf")

    return min(names, key=cost)


def is_decided(project: Project, experiment: Candidate) -> bool:
    """Check whether the gate has already judged this training. Raises StoreError."""
    with store_module.connected(project) as client:
        run = _run(client, experiment)
        version = None if run is None else Registry(client).of_run(experiment.model, run.info.run_id)
        return version is not None and "outcome" in version.tags


def promote(project: Project, experiment: Candidate, margin: float) -> Decision:
    """Register the training, let the gate judge it, and make it the champion if it is better.

    margin: how much worse than its best baseline it may be, as a share of the baseline's score.
    Raises StoreError, and Conflict if another version became champion meanwhile; then nothing is promoted.
    """
    delivery.sync(project)
    with store_module.connected(project) as client:
        registry = Registry(client)
        run = _run(client, experiment)
        if run is None or "model_id" not in run.data.tags:
            store = store_module.shown(store_module.address(project))
            raise StoreError(
                f"{experiment.experiment}: its run is not in {store}; was it trained with another MLFLOW_TRACKING_URI?"
            )
        run_id = run.info.run_id
        vouched = {evidence.TAG: evidence.keep(client, run_id, experiment.evidence)}
        version = registry.register(experiment.model, run_id, run.data.tags["model_id"], experiment.tags)
        registry.tag(version, vouched)
        registry.tidy(experiment.model)
        champion = registry.aliased(experiment.model, CHAMPION)
        verdict = _verdict(project, client, experiment, version, champion, margin)
        by, lost = trigger(), None
        if verdict.outcome == "better":
            try:
                registry.promote(version, None if champion is None else champion.number, by["who"])
            except Conflict as error:
                lost = error
                verdict = Verdict("inconclusive", str(error), verdict.figures)
        decision = Decision(
            model=experiment.model,
            version=version.number,
            champion=None if champion is None else champion.number,
            outcome=verdict.outcome,
            promoted=verdict.outcome == "better",
            reason=verdict.reason,
            test=_test(experiment.tags),
            figures=verdict.figures,
            experiment=experiment.experiment,
            edition=experiment.metrics["edition"],
            run_id=run_id,
            commit=experiment.tags["commit"],
            uncommitted_changes=experiment.tags["uncommitted_changes"],
            data=dict(experiment.run.get("data", {})),
            triggered=by,
            at=at_present(),
        )
        record = write(project, decision)
        if lost is not None:
            raise lost
        tags = {"outcome": decision.outcome, "reason": decision.reason[:4000], "decided_at": minute(decision.at)}
        registry.tag(version, {**tags, "record": record.relative_to(project.root).as_posix()})
        _describe(registry, experiment, version, decision)
    return decision


def _describe(registry: Registry, experiment: Candidate, version: Version, decision: Decision) -> None:
    """Write the card of the version, and that of the model: of its champion, or of this candidate if it has none."""
    act = "promoted" if decision.promoted else "not promoted"
    gate = f"{decision.outcome}, {act} on {minute(decision.at)}; {decision.reason}"
    text = card.of_version(version.uri, Result(experiment.metrics, experiment.task), experiment.source, gate)
    registry.describe(version, text)
    champion = registry.aliased(version.model, CHAMPION)
    if champion is None or champion.number == version.number:
        number = None if champion is None else champion.number
        registry.describe_model(version.model, card.of_model(version.model, number, text))


def rollback(project: Project, model: str) -> Decision:
    """The champion before is the champion again. Raises StoreError, Conflict, DataError."""
    with store_module.connected(project) as client:
        registry, by = Registry(client), trigger()
        registry.tidy(model)
        restored, left = registry.rollback(model, by["who"])
        registry.describe_model(model, card.of_model(model, restored.number, registry.description(restored)))
        registry.tag(left, {"rolled_back_at": minute(at_present()), "rolled_back_by": by["who"]})
    tags = restored.tags
    decision = Decision(
        model=model,
        version=restored.number,
        champion=left.number,
        outcome="rolled back",
        promoted=True,
        reason=f"version {left.number} was rolled back",
        test=_test(tags),
        figures={},
        experiment=tags.get("experiment", "unknown"),
        edition=tags.get("edition", "unknown"),
        run_id=restored.run_id,
        commit=tags.get("commit", "unknown"),
        uncommitted_changes=tags.get("uncommitted_changes", "unknown"),
        data={key.removeprefix("data "): value for key, value in tags.items() if key.startswith("data ")},
        triggered=by,
        at=at_present(),
    )
    write(project, decision)
    return decision


def _test(tags: Mapping[str, str]) -> str:
    """Format the test figure and that of the best baseline, from the tags of a version."""
    figures = {kind: tag for tag in tags.items() for kind in ("test", "baseline") if tag[0].startswith(f"{kind} ")}
    if len(figures) < 2:
        return "unknown"
    metric = figures["test"][0].removeprefix("test ")
    return f"{metric} {figures['test'][1]}, best baseline {figures['baseline'][1]}"


def _verdict(
    project: Project, client: Any, ours: Candidate, version: Version, champion: Version | None, margin: float
) -> Verdict:
    if champion is not None and champion.number == version.number:
        return Verdict("not better", "it is the champion already")
    failed = floor(ours.task.primary_metric, ours.metrics, ours.evidence, margin)
    if failed is not None:
        return failed
    verdict = _against(client, ours, champion)
    if verdict.outcome != "better":
        return verdict
    fault = _fault(project, ours.experiment, version)
    return verdict if fault is None else Verdict("not better", fault, verdict.figures)


def _against(client: Any, ours: Candidate, champion: Version | None) -> Verdict:
    if champion is None:
        return Verdict("better", "there is no champion yet, and it is above the floor", _scores(ours.metrics))
    known = champion.tags.get("edition", "")
    editions = FORMER_EDITIONS.get(known, known), ours.metrics["edition"]
    if editions == ("published", "synthetic"):
        return Verdict("not better", "a model of synthetic data never replaces a champion of the published data")
    if editions == ("synthetic", "published"):
        return Verdict("better", "the champion was trained on synthetic data", _scores(ours.metrics))
    theirs = evidence.load(client, champion)
    if theirs is None:
        reason = f"the losses of champion version {champion.number} are missing from its run, or were changed there"
        return Verdict("inconclusive", reason)
    assert ours.task.comparison is not None
    return compare(ours.task.comparison, ours.evidence, theirs, ours.task.bootstrap_block, ours.horizon)


def _scores(metrics: Mapping[str, Any]) -> dict[str, Any]:
    against = metrics["against_baseline"]
    return {key: against[key] for key in ("metric", "score", "baseline", "baseline_score")}


def _fault(project: Project, experiment: str, version: Version) -> str | None:
    """Say why the logged model cannot serve: it does not load in a fresh process, or answers other than evaluated."""
    command = [sys.executable, "-m", "pipeline", "skew", experiment, "--model", version.uri]
    path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "MLFLOW_TRACKING_URI": store_module.address(project), "PYTHONPATH": path}
    done = subprocess.run(
        command,
        cwd=project.root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SKEW_SECONDS,
        check=False,
    )
    if done.returncode == 0:
        return None
    message = (done.stderr.strip() or done.stdout.strip() or f"ended with {done.returncode}").splitlines()[-1]
    return f"the logged model does not answer as it was evaluated: {message.removeprefix('error: ')}"


def _run(client: Any, experiment: Candidate) -> Any:
    identity = Run.of(experiment.run)
    folder = client.get_experiment_by_name(identity.source)
    run = None if folder is None else find(client, [folder.experiment_id], identity.key)
    return None if run is None or run.info.lifecycle_stage == "deleted" else run
