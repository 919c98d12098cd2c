"""Where Optuna keeps the trials of a tuning: a file of this project, or a PostgreSQL database."""

import logging
import warnings
from pathlib import Path

from optuna.storages import RDBStorage

from pipeline.errors import ConfigError

TIMEOUT = 10  # seconds to reach a database


def opened(name: str, url: str | None, file: Path) -> RDBStorage:
    """Return the storage of the tuning `name`: the database at `url`, or the SQLite file.

    Raises ConfigError if the database cannot be reached or its driver is missing, or the file is damaged.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if url is None:
        file.parent.mkdir(parents=True, exist_ok=True)
        return _connected(f"sqlite:///{file}", f"{file}: is no database of trials; delete it, which costs its trials")
    where = f"tunings.{name}.storage"
    try:
        return _connected(url, f"{where}: {url} cannot be used")
    except ModuleNotFoundError as error:
        raise ConfigError(f"{where}: {error.name} is missing, which connects to PostgreSQL; run `make setup`") from None


def _connected(url: str, otherwise: str) -> RDBStorage:
    # The driver's own wait has no end. SQLite waits for a lock by itself.
    options = {} if url.startswith("sqlite") else {"connect_args": {"connect_timeout": TIMEOUT}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of SQLAlchemy about Optuna's own tables
        try:
            return RDBStorage(url, engine_kwargs=options)
        except ModuleNotFoundError:
            raise
        except Exception as error:  # of SQLAlchemy, of the driver, of Optuna about another version's tables
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise ConfigError(f"{otherwise}: {reason[:300]}") from None


