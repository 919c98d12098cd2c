"""Connect to the tracking store: a quick check that it responds, its tables, and a lock for one client at a time."""

import contextlib
import fcntl
import logging
import os
import sqlite3
import sys
import tempfile
import time
import urllib.request
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.artifacts import Project
from pipeline.errors import StoreError, UserError
from pipeline.tracking import locations
from pipeline.tracking.address import address as address
from pipeline.tracking.address import credentials, place, reason, sqlite_file, sqlite_uri
from pipeline.tracking.address import shown as shown


def code_of(error: Exception) -> str:
    """Return MLflow's error code, or "" if the error is not an answer of the store."""
    return str(getattr(error, "error_code", ""))


HEALTH_SECONDS = 3.0
SQLITE_SECONDS = 20.0  # as long as MLflow itself waits for a locked file
TURN_SECONDS = 50.0  # another process may be creating the store's tables, which is slow on a busy machine
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


@contextlib.contextmanager
def connected(project: Project) -> Iterator[Any]:
    """Connect an MlflowClient for all uses but journals (registry, search). Raises StoreError if the store fails."""
    uri = address(project)
    with credentials():
        try:
            check_reachable(uri)
            mlflow = import_mlflow()
            prepare(project, uri)
            yield mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        except UserError:
            raise
        except Exception as error:
            why = explained(error, uri)
            raise StoreError(f"{why}; the request to the tracking store {place(uri)} failed") from None


def check_reachable(uri: str, seconds: float = HEALTH_SECONDS) -> None:
    """Check within seconds that the store responds; MLflow would take minutes. Raises OSError or sqlite3.Error."""
    path = sqlite_file(uri)
    if uri.startswith(("http://", "https://")):
        try:
            urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=seconds).close()
        except urllib.error.HTTPError as error:
            if error.code >= 500:
                raise ConnectionError(f"{uri} answers {error.code}") from None
        except OSError as error:
            raise ConnectionError(f"{uri} does not answer ({error})") from None
    elif path is not None:
        _check_file(path)


def _check_file(path: Path) -> None:
    """Raise OSError, or sqlite3.Error if the file is locked or no database, with the path in the message."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            with path.open("r+b"):
                pass
        else:
            with tempfile.TemporaryFile(dir=path.parent):
                pass
    except OSError as error:
        raise OSError(f"{path}: the tracking store cannot be made or written here ({error.strerror})") from None
    if path.exists():
        try:
            with contextlib.closing(sqlite3.connect(path, timeout=SQLITE_SECONDS)) as database:
                database.execute("select count(*) from sqlite_master")
        except sqlite3.Error as error:
            raise sqlite3.DatabaseError(f"{path}: {error}") from None


def prepare(project: Project, uri: str) -> None:
    """Make a new sqlite store whole under another name, and check the tables and locations of one that is there.

    A process that is killed while MLflow makes its tables would leave a store that no process can use.
    """
    path = sqlite_file(uri)
    if path is None:
        return
    with _folder_locked(path.parent):
        if not path.exists() or not path.stat().st_size:
            _begin(project, path)
    _refuse_old_tables(path)
    locations.adopt(project, path)


@contextlib.contextmanager
def _folder_locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _begin(project: Project, path: Path) -> None:
    """Make a new store, and say so if there was one before."""
    if path.exists() or locations.root(project, path).is_dir():
        seen = "was empty (0 bytes)" if path.exists() else "was not there"
        print(f"tracking: {path} {seen}, so a new store begins; it shows none of the former runs", file=sys.stderr)
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        _make_tables(fresh)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _make_tables(path: Path) -> None:
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine

    engine = create_sqlalchemy_engine(sqlite_uri(path))  # type: ignore[no-untyped-call]
    try:
        _initialize_tables(engine)  # type: ignore[no-untyped-call]
    finally:
        engine.dispose()


def _refuse_old_tables(path: Path) -> None:
    """Raise StoreError if MLflow would change the tables at once, without a copy."""
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401, knows its tables only after this
    from mlflow.store.db.base_sql_model import Base

    with contextlib.closing(sqlite3.connect(path, timeout=SQLITE_SECONDS)) as database:
        there = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
    if "experiments" in there and not there.issuperset(Base.metadata.tables):
        raise StoreError(_old(path))


def _old(path: Path) -> str:
    return (
        f"{path} was made by another version of MLflow. If it is an older one, copy the file, and run "
        f"`.venv/bin/mlflow db upgrade '{sqlite_uri(path)}'`; else move it away, and a new store begins"
    )


def explained(error: BaseException, uri: str) -> str:
    """Describe an error in one line; one of old tables with the way out."""
    path = sqlite_file(uri)
    if path is not None and "out-of-date database schema" in str(error):
        return _old(path)
    return str(error) if isinstance(error, UserError) else reason(error)


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
    project.spool.mkdir(parents=True, exist_ok=True)
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


def experiment_id(client: Any, name: str, project: Project) -> str:
    """Return the id of the experiment, which is created or restored if necessary. Raises StoreError.

    In an sqlite store its artifacts are in the checkout; a server decides for itself.
    """
    from mlflow.exceptions import MlflowException

    uri = address(project)
    database = sqlite_file(uri)
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        location = (locations.root(project, database) / name).as_uri() if database else None
        try:
            client.create_experiment(name, artifact_location=location)
        except MlflowException:  # another machine may have created it meanwhile
            if client.get_experiment_by_name(name) is None:
                raise
        experiment = client.get_experiment_by_name(name)
    locations.refuse_foreign(experiment.artifact_location, f"experiment {name}", project, uri)
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)
