"""The tracking store: where it is, whether it answers, and one client at a time."""

import contextlib
import fcntl
import logging
import os
import re
import sqlite3
import time
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.artifacts import Project
from pipeline.errors import StoreError, UserError


def code_of(error: Exception) -> str:
    """MLflow's name for what went wrong; "" for what is no answer of a store."""
    return str(getattr(error, "error_code", ""))


HEALTH_SECONDS = 3.0
SQLITE_SECONDS = 20.0  # as long as MLflow itself waits for a locked file
TURN_SECONDS = 60.0  # another process may be setting up the store's tables, which takes a busy machine long
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
        check_reachable(uri)
        yield import_mlflow().MlflowClient(tracking_uri=uri, registry_uri=uri)
    except UserError:
        raise
    except Exception as error:
        raise StoreError(f"{reason(error)}; the tracking store {shown(uri)} did not do what was asked") from None


def shown(uri: str) -> str:
    """The store's address without user and password that it may hold."""
    return re.sub(r"//[^/\s]*@", "//", uri)


def reason(error: BaseException) -> str:
    """One line on what began it, without the password that a store's address may hold."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = (str(error).strip().splitlines() or [""])[0][:300]
    return shown(f"{type(error).__name__}: {text}")


def check_reachable(uri: str) -> None:
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


def import_mlflow() -> Any:
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
def one_at_a_time(project: Project) -> Iterator[None]:
    """One process of a checkout talks to MLflow at a time. Raises TimeoutError."""
    deadline = time.monotonic() + TURN_SECONDS
    with (project.spool / ".lock").open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"another process has been sending for {TURN_SECONDS:.0f} s") from None
                time.sleep(0.05)
        yield


def experiment_id(client: Any, name: str, local: Project | None) -> str:
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
