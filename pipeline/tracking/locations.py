"""Where the store keeps artifacts: in this checkout, or on the known server.

MLflow writes absolute paths into mlflow.db. In a copied or moved checkout they name the original, so they are changed.
"""

import contextlib
import os
import sqlite3
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from pipeline.artifacts import Project, here
from pipeline.errors import StoreError
from pipeline.tracking.address import address, shown, sqlite_file

FOLDER = "mlartifacts"
COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
LOCK_SECONDS = 20.0


def root(project: Project, database: Path) -> Path:
    """Return the folder of all artifacts of an sqlite store: in the checkout, or next to a store outside it."""
    base = project.home if _is_inside(database, project.home) else Path(os.path.realpath(database)).parent
    return base.absolute() / FOLDER


def refuse_foreign(location: str, what: str, project: Project, uri: str) -> None:
    """Raise StoreError if the location is a folder outside the project, or on another server than the store's."""
    path, database = _path(location), sqlite_file(uri)
    if path is None:
        host, known = (urllib.parse.urlparse(address).hostname for address in (location, uri))
        if not location.startswith(("http", "mlflow-artifacts:")) or host in (None, known):
            return
    elif _is_below(path, project.home) or (database and _is_shared(path, project, database)):
        return
    advice = "rename this experiment in MLflow, and a new one begins"
    if database is None and path is not None:
        advice = "start the server with --serve-artifacts, and rename this experiment, so that a new one begins"
    raise StoreError(
        f"{what}: MLflow would store its artifacts in {shown(location)}, outside {project.home} and the store's "
        f"server; {advice}"
    )


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether the file or folder itself is in the folder, wherever links lead."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _is_below(path: Path, folder: Path) -> bool:
    """Whether the path is in the folder, or would be if none of its parts were a link to another disk."""
    return Path(os.path.normpath(path)).is_relative_to(folder) or _is_inside(path, folder)


def _is_shared(path: Path, project: Project, database: Path) -> bool:
    """Whether the folder belongs to a store outside the checkout, which several checkouts may share."""
    return not database.is_relative_to(project.home) and (_is_inside(path, database.parent) or _split(path) is not None)


def adopt(project: Project, database: Path) -> None:
    """Make the locations of a copied or moved checkout those of this one.

    A run or model whose files are only in the original keeps its location. Raises sqlite3.Error.
    """
    if not _is_inside(database, project.home) or not database.is_file():
        return
    base = root(project, database)
    with contextlib.closing(sqlite3.connect(database, timeout=LOCK_SECONDS, isolation_level=None)) as connection:
        if not any(_moved(value, base) for _, value in _values(connection, *COLUMNS[0])):
            return
        connection.execute("begin immediate")
        for table, column in COLUMNS:
            for row, value in list(_values(connection, table, column)):
                new = _moved(value, base)
                if new and (table == "experiments" or _is_here(value, new)):
                    connection.execute(f"update {table} set {column} = ? where rowid = ?", (new, row))
        connection.execute("commit")


def _values(connection: sqlite3.Connection, table: str, column: str) -> Iterator[tuple[int, str]]:
    known = {row[1] for row in connection.execute(f"pragma table_info({table})")}
    if column in known:
        yield from connection.execute(f"select rowid, {column} from {table} where {column} like '%/{FOLDER}/%'")


def _moved(location: str, base: Path) -> str | None:
    """Return the same place under `base`; None if it is there already, or in no folder of artifacts."""
    path = _path(location)
    parts = _split(path) if path is not None else None
    if path is None or parts is None or path.is_relative_to(base):
        return None
    return (base / parts[1]).as_uri()


def _is_here(old: str, new: str) -> bool:
    """Whether the files are in this checkout, or in neither."""
    before, after = _path(old), _path(new)
    return bool(after and after.exists()) or not (before and before.exists())


def _split(path: Path) -> tuple[Path, str] | None:
    """Split a path after its last folder of artifacts."""
    places = [i for i, part in enumerate(path.parts) if part == FOLDER]
    if not places or places[-1] + 1 == len(path.parts):
        return None
    return Path(*path.parts[: places[-1] + 1]), str(Path(*path.parts[places[-1] + 1 :]))


def _path(location: str) -> Path | None:
    """Return the local folder of a location; None if it is on a server."""
    parsed = urllib.parse.urlparse(location)
    if parsed.scheme == "file":
        return Path(urllib.parse.unquote(parsed.path))
    return Path(location) if not parsed.scheme else None


if __name__ == "__main__":  # make ui
    project = here()
    database = sqlite_file(address(project))
    if database is not None:
        with contextlib.suppress(sqlite3.Error):
            adopt(project, database)
