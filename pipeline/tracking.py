"""Sends journals to MLflow. Each goes into the spool folder first and leaves it once the store has all of it, so a
store that is down, slow or locked costs one warning, and what is sent again is sent exactly once."""

import contextlib
import fcntl
import logging
import os
import re
import shutil
import sqlite3
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.artifacts import Project, new_folder
from pipeline.errors import StoreError, UserError
from pipeline.journal import Journal, load, now
from pipeline.sending import find, send

HEALTH_SECONDS = 3.0
SQLITE_SECONDS = 20.0  # as long as MLflow itself waits for a locked file
TURN_SECONDS = 60.0  # another process may be setting up the store's tables, which takes a busy machine long
ENTRY = re.compile(r"[0-9a-f]{32}-[a-z0-9_]+-\d+")
SQLITE = "sqlite:///"
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
            send(client, experiment_id, load(entry))
            sent = entry.rename(entry.with_name(f".{entry.name}.sent"))  # nothing half-removed is ever sent again
            shutil.rmtree(sent, ignore_errors=True)
        run = find(client, [experiment_id], run_key)
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
