"""Sends journals to MLflow. Each goes into the spool folder first and leaves it once the store has all of it, so a
store that is down, slow or locked costs one warning, and what is sent again is sent exactly once."""

import contextlib
import fcntl
import hashlib
import io
import json
import logging
import os
import re
import shutil
import sqlite3
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.artifacts import Project, new_folder
from pipeline.errors import StoreError, UserError
from pipeline.journal import Content, Journal, ModelFolder, load, now

HEALTH_SECONDS = 3.0
SQLITE_SECONDS = 20.0  # as long as MLflow itself waits for a locked file
TURN_SECONDS = 60.0  # another process may be setting up the store's tables, which takes a busy machine long
ENTRY = re.compile(r"[0-9a-f]{32}-[a-z0-9_]+-\d+")
SQLITE = "sqlite:///"
NOTE = "mlflow.note.content"
WRITTEN = "mlflow.note.written"
MAX_NOTE = 8000  # characters of a tag, beyond which MLflow refuses or cuts it
VIEW = "mlflow.sharedViewState.result"
PLACE = re.compile(r"\b(run|model|compare):((?:[0-9a-f]{32},?)+)|\b(experiment):(?=/)|\{(tag|param):([^}]+)\}")
BATCH = {"metrics": 1000, "params": 100, "tags": 100}  # MLflow's limits for one request
DEFAULTS = {
    # the spool is the retry: a request that MLflow repeats by itself can open a second, empty run
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
}


class Delivered(NamedTuple):
    """Where MLflow keeps a run and its model; None for what it does not have (yet)."""

    run_id: str | None
    model_id: str | None
    experiment_id: str | None = None


def deliver(journal: Journal, project: Project) -> Delivered:
    """Sends the journal, after those of the same run that are still waiting. Trouble with the store never raises:
    the journal stays in the spool, a line on stderr says why, and both ids are None."""
    content = journal.content
    try:
        entry = spool(journal, project)
    except OSError as error:
        _warn(f"{_reason(error)}; the {content.stage} stage of {content.run_name!r} is not in MLflow")
        return Delivered(None, None)
    try:
        return _send_run(content.source, content.run_key, project)
    except Exception as error:  # whatever fails in MLflow or below it, the stage has its result and goes on
        _warn(
            f"{_reason(error)}; the {content.stage} stage of {content.run_name!r} is kept in {entry}, "
            "`python -m pipeline sync` sends it later"
        )
        return Delivered(None, None)


def sync(project: Project) -> int:
    """Sends all that is spooled, oldest run first; the number of journals sent.

    Raises UserError if some could not be sent; they stay in the spool.
    """
    waiting = spooled(project)
    first: dict[str, Path] = {}
    for entry in waiting:
        first.setdefault(entry.name.partition("-")[0], entry)
    failures = []
    for run_key, entry in first.items():
        try:
            _send_run(load(entry).source, run_key, project)
        except Exception as error:  # one run that MLflow refuses must not hold back the others
            failures.append(f"{entry.name}: {_reason(error)}")
    left = len(set(waiting) & set(spooled(project)))
    if failures:
        raise UserError("\n".join([f"{left} of {len(waiting)} journals stay in {_folder(project)}:", *failures]))
    return len(waiting) - left


def spooled(project: Project, run_key: str = "") -> list[Path]:
    """The journals that wait to be sent, of all runs or of one, oldest first."""
    entries = _folder(project).glob(f"{run_key}*")
    return sorted((entry for entry in entries if ENTRY.fullmatch(entry.name)), key=_number)


def address(project: Project) -> str:
    """MLFLOW_TRACKING_URI, or mlflow.db in the user's checkout; a relative sqlite path is relative to the checkout,
    since DVC runs queued experiments in folders that it throws away."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}mlflow.db"
    return f"{SQLITE}{project.home / uri.removeprefix(SQLITE)}" if uri.startswith(SQLITE) else uri


@contextlib.contextmanager
def connected(project: Project) -> Iterator[Any]:
    """An MlflowClient for what is no journal (registry, search). Raises StoreError for whatever the store refuses."""
    uri = address(project)
    try:
        _check(uri)
        yield _mlflow().MlflowClient(tracking_uri=uri, registry_uri=uri)
    except UserError:
        raise
    except Exception as error:
        raise StoreError(f"{_reason(error)}; the tracking store {shown(uri)} did not do what was asked") from None


def shown(uri: str) -> str:
    """The store's address without user and password that it may hold."""
    return re.sub(r"//[^/\s]*@", "//", uri)


def _folder(project: Project) -> Path:
    return project.home / "data" / "spool"


def _number(entry: Path) -> int:
    return int(entry.name.rpartition("-")[2])


def spool(journal: Journal, project: Project) -> Path:
    """Keeps the journal for the next delivery or `sync`: importing MLflow takes a process seconds, so the stages after
    train leave it to the last one. Raises OSError."""
    key, stage = journal.content.run_key, journal.content.stage
    # the time, so that runs are in order, but later than what waits already, should the clock have jumped
    number = max([now(), *(_number(entry) + 1 for entry in spooled(project, key))])
    entry = _folder(project) / f"{key}-{stage}-{number}"
    with new_folder(entry) as folder:
        journal.save(folder)
    return entry


def _warn(message: str) -> None:
    print(f"tracking: {message}", file=sys.stderr, flush=True)


def _reason(error: BaseException) -> str:
    """One line on what began it, without the password that a store's address may hold."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = (str(error).strip().splitlines() or [""])[0][:300]
    return shown(f"{type(error).__name__}: {text}")


def _send_run(source: str, run_key: str, project: Project) -> Delivered:
    """Sends what is spooled of one run, in order."""
    uri = address(project)
    _check(uri)
    mlflow = _mlflow()
    with _alone(project):  # also around the first use of a new sqlite file, which two processes cannot set up at once
        client = mlflow.MlflowClient(tracking_uri=uri)
        experiment_id = _experiment(client, source, project if uri.startswith(SQLITE) else None)
        for entry in spooled(project, run_key):
            _send(client, experiment_id, load(entry))
            sent = entry.rename(entry.with_name(f".{entry.name}.sent"))  # nothing half-removed is ever sent again
            shutil.rmtree(sent, ignore_errors=True)
        run = _find(client, experiment_id, run_key)
    if run is None:
        return Delivered(None, None)
    return Delivered(run.info.run_id, run.data.tags.get("model_id"), str(run.info.experiment_id))


def _check(uri: str) -> None:
    """Finds out within seconds what MLflow would find out in minutes. Raises OSError or sqlite3.Error."""
    if uri.startswith(("http://", "https://")):
        try:
            # urllib would take user and password for a part of the host's name, and ask the name server for it
            urllib.request.urlopen(f"{shown(uri).rstrip('/')}/health", timeout=HEALTH_SECONDS).close()
        except urllib.error.HTTPError as error:
            if error.code >= 500:
                raise ConnectionError(f"{uri} answers {error.code}") from None
        except OSError as error:
            raise ConnectionError(f"{uri} does not answer ({error})") from None
    elif uri.startswith(SQLITE) and (path := Path(uri.removeprefix(SQLITE).partition("?")[0])).exists():
        try:
            with contextlib.closing(sqlite3.connect(path, timeout=SQLITE_SECONDS)) as database:
                database.execute("select count(*) from sqlite_master")
        except sqlite3.Error as error:
            raise sqlite3.DatabaseError(f"{path}: {error}") from None


def _mlflow() -> Any:
    """The module, imported (which takes seconds the first time) with settings that wait for nobody and say nothing."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow
    for name in ("mlflow", "alembic"):  # they would print a traceback beside the one warning
        logging.getLogger(name).setLevel(os.environ["MLFLOW_LOGGING_LEVEL"].upper())
    return mlflow


@contextlib.contextmanager
def _alone(project: Project) -> Iterator[None]:
    """One process of a checkout talks to MLflow at a time. Raises TimeoutError."""
    deadline = time.monotonic() + TURN_SECONDS
    with (_folder(project) / ".lock").open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"another process has been sending for {TURN_SECONDS:.0f} s") from None
                time.sleep(0.05)
        yield


def _experiment(client: Any, name: str, local: Project | None) -> str:
    """The id of the experiment, which is made or restored if need be; `local`: where artifacts stand beside sqlite."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        place = (local.home / "mlartifacts" / name).absolute().as_uri() if local else None
        try:
            return str(client.create_experiment(name, artifact_location=place))
        except MlflowException:
            found = client.get_experiment_by_name(name)  # another machine was faster
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _find(client: Any, experiment_id: str, run_key: str) -> Any:
    from mlflow.entities import ViewType

    found = client.search_runs([experiment_id], f"tags.run_key = '{run_key}'", ViewType.ALL, max_results=1)
    return found[0] if found else None


def _open(client: Any, experiment_id: str, content: Content) -> Any:
    run = _find(client, experiment_id, content.run_key)
    if run is None:
        tags = {"run_key": content.run_key}
        return client.create_run(experiment_id, start_time=content.start, tags=tags, run_name=content.run_name)
    if run.info.lifecycle_stage == "deleted":
        client.restore_run(run.info.run_id)
    return run


def _send(client: Any, experiment_id: str, content: Content) -> None:
    """All of it may have been sent before: MLflow keeps equal parameters, metrics and inputs once."""
    run = _open(client, experiment_id, content)
    run_id = run.info.run_id
    _send_batches(client, run, content)
    _send_inputs(client, run_id, content)
    for path, text in content.texts.items():
        client.log_text(run_id, text, path)
    for item in content.attachments:
        log = client.log_artifacts if Path(item.path).is_dir() else client.log_artifact
        log(run_id, item.path, item.into or None)
    if content.model is not None and "model_id" not in run.data.tags:
        _send_model(client, run, content, content.model)
    for key in content.children:
        client.set_tag(_sent(client, experiment_id, key).info.run_id, "mlflow.parentRunId", run_id)
    _send_notes(client, experiment_id, run_id, content)
    if content.status is not None:
        client.set_terminated(run_id, content.status, content.end)


def _sent(client: Any, experiment_id: str, run_key: str) -> Any:
    """The run; LookupError where it has not been sent: what names it stays in the spool as well."""
    found = _find(client, experiment_id, run_key)
    if found is None:
        raise LookupError(f"run {run_key} is not in the store yet")
    return found


def _send_notes(client: Any, experiment_id: str, run_id: str, content: Content) -> None:
    run = client.get_run(run_id)
    model_id = run.data.tags.get("model_id")
    if content.note:
        note = _placed(client, run, content.note)
        _write(partial(client.set_tag, run_id), run.data.tags, note)
        if model_id:
            tags = client.get_logged_model(model_id).tags
            _write(lambda name, value: client.set_logged_model_tags(model_id, {name: value}), tags, note)
    if content.page is not None:
        experiment = client.get_experiment(experiment_id)
        tag = partial(client.set_experiment_tag, experiment_id)
        _write(tag, experiment.tags, _placed(client, run, content.page.note))
        kept = json.loads(experiment.tags.get(VIEW, "{}"))
        if kept.get("updatedAt") == kept.get("createdAt"):  # nobody has changed it
            made = experiment.creation_time
            view = {"name": content.page.view_name, "createdAt": made, "updatedAt": made}
            tag(VIEW, json.dumps({**view, "state": json.dumps(content.page.view)}))


def _write(tag: Callable[[str, str], Any], tags: Mapping[str, str], note: str) -> None:
    """The note, unless a person has written another: WRITTEN has the checksums of ours before and after this, so that
    whichever stands there when the process is killed between the two is known as ours."""
    note, there = note[:MAX_NOTE], tags.get(NOTE, "")
    if not there or _checksum(there) in tags.get(WRITTEN, "").split():
        tag(WRITTEN, f"{_checksum(there)} {_checksum(note)}")
        tag(NOTE, note)


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _placed(client: Any, run: Any, text: str) -> str:
    """The text with the addresses of Journal.note filled in. They begin with #, and so hold at any host and port."""
    experiment_id = run.info.experiment_id

    def place(found: re.Match[str]) -> str:
        kind, keys, _, of, name = found.groups()
        if name:
            return str((run.data.tags if of == "tag" else run.data.params).get(name, "–"))
        if kind is None:
            return f"#/experiments/{experiment_id}"
        runs = [_sent(client, experiment_id, key) for key in keys.split(",")]
        if kind == "compare":
            ids = urllib.parse.quote(json.dumps([run.info.run_id for run in runs]))
            return f"#/compare-runs?runs={ids}&experiments={urllib.parse.quote(json.dumps([experiment_id]))}"
        if kind == "model":
            return f"#/experiments/{experiment_id}/models/{runs[0].data.tags.get('model_id')}"
        return f"#/experiments/{experiment_id}/runs/{runs[0].info.run_id}"

    return PLACE.sub(place, text)


def _send_batches(client: Any, run: Any, content: Content) -> None:
    """A figure on a data set goes to the run's model as well, with the name and digest of what the run has seen."""
    from mlflow.entities import Metric, Param, RunTag

    run_id, model_id = run.info.run_id, run.data.tags.get("model_id")
    seen = {item.dataset.name: item.dataset.digest for item in (run.inputs.dataset_inputs if run.inputs else [])}

    def metric(row: Any) -> Metric:
        on = (model_id, row.dataset, seen[row.dataset]) if model_id and row.dataset in seen else ()
        return Metric(row.key, row.value, row.timestamp, row.step, *on)

    parts: dict[str, Sequence[Any]] = {
        "metrics": [metric(row) for row in content.metrics],
        "params": [Param(name, value) for name, value in content.params.items()],
        "tags": [RunTag(name, value) for name, value in content.tags.items()],
    }
    for name, rows in parts.items():
        for first in range(0, len(rows), BATCH[name]):
            client.log_batch(run_id, **{name: rows[first : first + BATCH[name]]})


def _send_inputs(client: Any, run_id: str, content: Content) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    for name, uri, digest, context in content.datasets:
        kind, key = ("http", "url") if uri.startswith(("http://", "https://")) else ("local", "uri")
        dataset = Dataset(name, digest, kind, json.dumps({key: uri}))
        client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", context)])])


def _send_model(client: Any, run: Any, content: Content, model: ModelFolder) -> None:
    """Logs the model once: an upload that was cut off is replaced, a whole one that lacks only the tag is kept."""
    from mlflow.entities import LoggedModelOutput

    run_id, experiment_id = run.info.run_id, run.info.experiment_id
    model_id = None
    for found in client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'"):
        if found.status == "READY":
            model_id = found.model_id
        else:
            client.delete_logged_model(found.model_id)
    if model_id is None:
        made = client.create_logged_model(
            experiment_id, model.name, run_id, {"run_key": content.run_key}, content.params
        )
        model_id = made.model_id
        with tempfile.TemporaryDirectory() as folder:
            _write_model(model, Path(folder) / "model", made, run_id)
            client.log_model_artifacts(model_id, str(Path(folder) / "model"))
        client.finalize_logged_model(model_id, "READY")
    outputs = client.get_run(run_id).outputs
    if model_id not in {output.model_id for output in outputs.model_outputs}:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    client.set_tag(run_id, "model_id", model_id)


def _write_model(model: ModelFolder, folder: Path, made: Any, run_id: str) -> None:
    """What mlflow.pyfunc.log_model would upload; it cannot be called, for it predicts the example to check it, and
    that would load TensorFlow. Signature and example are put in afterwards for the same reason."""
    from mlflow import pyfunc
    from mlflow.models import Model, infer_signature
    from mlflow.models.utils import _save_example
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType

    card = Model(artifact_path=made.artifact_location, model_uuid=made.model_id, run_id=run_id, model_id=made.model_id)
    signature = infer_signature(model.example, model.output, model.parameters)
    # MLflow would refuse whole numbers for an array of numbers; the model itself says what it cannot read.
    anything = AnyType()  # type: ignore[no-untyped-call]
    signature.inputs = Schema(
        [ColSpec(c.type if isinstance(c.type, DataType) else anything, c.name, c.required) for c in signature.inputs]
    )
    with contextlib.redirect_stderr(io.StringIO()):  # advice on type hints, which no warning filter stops
        pyfunc.save_model(
            folder,
            python_model=model.served_by,
            artifacts={"model": model.folder},
            code_paths=[model.package],
            signature=signature,
            pip_requirements=model.requirements,
            mlflow_model=card,
        )
    card.signature.outputs, card.signature.params = signature.outputs, signature.params  # type hints have neither
    _save_example(card, (model.example, model.parameters) if model.parameters else model.example, str(folder))
    card.save(folder / "MLmodel")
