"""Where Optuna keeps trials: what is wrong with a database is a sentence, before any trial."""

import re
import socket
import sys
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.studies.storage import opened


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def refused(tmp_path: Path, url: str | None) -> str:
    with pytest.raises(ConfigError) as error:
        opened("sonnets", url, tmp_path / "sonnets.sqlite")
    (line,) = str(error.value).splitlines()
    return line


def test_a_database_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    url = f"postgresql://me@127.0.0.1:{free_port()}/db"
    line = refused(tmp_path, url)
    assert re.match(rf"tunings\.sonnets\.storage: {re.escape(url)} cannot be used \(.*refused", line), line


def test_a_missing_driver_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    line = refused(tmp_path, "postgresql://me@127.0.0.1/db")
    assert line.endswith(": psycopg2 is missing, which connects to PostgreSQL; run `make setup`")


def test_a_damaged_file_can_be_deleted_as_the_message_says(tmp_path: Path) -> None:
    file = tmp_path / "sonnets.sqlite"
    file.write_bytes(b"this is no database" * 100)
    assert f"{file}: no database of trials; delete it, and the trials are run again (" in refused(tmp_path, None)
    file.unlink()
    assert opened("sonnets", None, file).get_all_studies() == []
    assert file.is_file()
