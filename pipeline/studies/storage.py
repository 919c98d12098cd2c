"""Where Optuna keeps the trials of a tuning: a file of this project, or a PostgreSQL database."""

import logging
import warnings
from pathlib import Path

from optuna.storages import RDBStorage

from pipeline.artifacts import Project
from pipeline.errors import ConfigError

TIMEOUT = 10  # seconds to reach a database


def file_of(project: Project, name: str) -> Path:
    """Return the file of the tuning, which is no output of DVC: it stays when the stage runs again."""
    return project.trials / "tunings" / f"{name}.sqlite"


def opened(name: str, url: str | None, file: Path) -> RDBStorage:
    """Return the storage of the tuning `name`: the database at `url`, or the SQLite file.

    Raises ConfigError if the database cannot be reached or its driver is missing, or the file is damaged.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if url is not None:
        # Left to itself, SQLAlchemy takes psycopg 3, which is not installed.
        named = url.replace("postgresql://", "postgresql+psycopg2://", 1)
        return _connected(named, f"tunings.{name}.storage: {url} cannot be used")
    file.parent.mkdir(parents=True, exist_ok=True)
    return _connected(f"sqlite:///{file}", f"{file}: no database of trials; delete it, and the trials are run again")


def _connected(url: str, otherwise: str) -> RDBStorage:
    # PostgreSQL's own wait has no end.
    options = {} if url.startswith("sqlite") else {"connect_args": {"connect_timeout": TIMEOUT}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of SQLAlchemy about Optuna's own tables
        try:
            return RDBStorage(url, engine_kwargs=options)
        except ImportError:
            raise ConfigError(
                f"{otherwise}: psycopg2 is missing, which connects to PostgreSQL; run `make setup`"
            ) from None
        except Exception as error:  # of SQLAlchemy, of the driver, of Optuna about tables of another version
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise ConfigError(f"{otherwise} ({reason[:300]})") from None
