"""Connect to the tracking store: its address, a quick check that it responds, and a lock for one client at a time."""

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
    """Return MLflow's error code, or "" if the error is not an answer of the store."""
    return str(getattr(error, "error_code", ""))


HEALTH_SECONDS = 3.0
SQLITE_SECONDS = 20.0  # as long as MLflow itself waits for a locked file
TURN_SECONDS = 60.0  # another process may be creating the store's tables, which is slow on a busy machine
SQLITE = "sqlite:///"
DEFAULTS = {
    # the spool does the retries: a request that MLflow repeats by itself can open a second, empty run
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
}


def address(project: Project) -> str:
    """Return MLFLOW_TRACKING_URI, or the address of mlflow.db in the user's checkout.

    A relative sqlite path is relative to the checkout, since DVC runs queued experiments in temporary folders.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}mlflow.db"
    return f"{SQLITE}{project.home / uri.removeprefix(SQLITE)}" if uri.startswith(SQLITE) else uri


@contextlib.contextmanager
def connected(project: Project) -> Iterator[Any]:
    """Connect an MlflowClient for all uses but journals (registry, search). Raises StoreError if the store fails."""
    uri = address(project)
    try:
        check_reachable(uri)
        yield import_mlflow().MlflowClient(tracking_uri=uri, registry_uri=uri)
    except UserError:
        raise
    except Exception as error:
        raise StoreError(f"{reason(error)}; the request to the tracking store {shown(uri)} failed") from None


def shown(uri: str) -> str:
    """Remove the user name and password from an address."""
    return re.sub(r"//[^/\s]*@", "//", uri)


def reason(error: BaseException) -> str:
    """Describe the root cause of an error in one line, without the password that an address may contain."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = (str(error).strip().splitlines() or [""])[0][:300]
    return shown(f"{type(error).__name__}: {text}")


def check_reachable(uri: str) -> None:
    """Check within seconds that the store responds; MLflow would take minutes. Raises OSError or sqlite3.Error."""
    if uri.startswith(("http://", "https://")):
        try:
            # without user and password, which urllib would treat as part of the host name and send to the name server
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
    """Import MLflow, which takes seconds the first time, with short timeouts and without output of its own."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow
    for name in ("mlflow", "alembic"):  # they would print a traceback next to our one warning
        logging.getLogger(name).setLevel(os.environ["MLFLOW_LOGGING_LEVEL"].upper())
    return mlflow


@contextlib.contextmanager
def one_at_a_time(project: Project) -> Iterator[None]:
    """Hold a lock so that one process of a checkout at a time talks to MLflow. Raises TimeoutError."""
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
    """Return the id of the experiment, which is created or restored if necessary.

    local: the project in whose checkout the artifacts are stored, for an sqlite store; None for a server.
    """
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        location = (local.home / "mlartifacts" / name).absolute().as_uri() if local else None
        try:
            return str(client.create_experiment(name, artifact_location=location))
        except MlflowException:
            experiment = client.get_experiment_by_name(name)  # another machine may have created it meanwhile
            if experiment is None:
                raise
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)
