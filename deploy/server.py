"""Starts MLflow's server for a team: PostgreSQL behind it, a password before it. Settings: docs/teams.md.

Whatever is missing or unsafe is named with exit code 2 before anything is started.
"""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

HERE = ("127.0.0.1", "localhost", "::1")
SECRETS = {"MLFLOW_AUTH_ADMIN_PASSWORD": 12, "MLFLOW_FLASK_SERVER_SECRET_KEY": 32}
EXAMPLE = "such as postgresql://mlflow@db.example.org/mlflow"
INSTALL = "install it with: uv pip install --python .venv/bin/python -r pyproject.toml"
FIXED = {
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_AUTH_CONFIG_PATH": str(Path(__file__).resolve().with_name("auth.ini")),
    "MLFLOW_BACKEND_STORE_URI": "postgresql+psycopg2://",  # where, and as whom: PGHOST and its like
    "MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX": "^(mlflow-artifacts|models|runs):/.*$",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


def main() -> int:
    given = {name: value for name, value in os.environ.items() if value}
    wrong = [*_mistakes(given)] or [*_unusable(given)]
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    if wrong:
        return 2
    os.umask(0o077)
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--serve-artifacts"]
    # the rest goes by the environment: other users of the machine can read arguments
    os.execve(sys.executable, [*command, "--host", _host(given), "--port", _port(given)], _environment(given))


def _host(given: Mapping[str, str]) -> str:
    return given.get("HOST", "127.0.0.1")


def _port(given: Mapping[str, str]) -> str:
    return given.get("PORT", "5000")


def _names(given: Mapping[str, str]) -> list[str]:
    return [name.strip() for name in given.get("ALLOWED_HOSTS", "").split(",") if name.strip()]


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    names = _names(given) or [f"localhost:{_port(given)}", f"127.0.0.1:{_port(given)}"]
    return {
        "MLFLOW_WORKERS": "2",
        **given,
        **_database(given["BACKEND"]),
        **FIXED,
        "MLFLOW_ARTIFACTS_DESTINATION": given["ARTIFACTS"],
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(names),
        # the server's own pages behind the proxy; those of this machine are always allowed
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": ",".join(f"https://{name}" for name in names),
    }


def _database(uri: str) -> dict[str, str]:
    """BACKEND as variables of PostgreSQL's client, so that no file or message of MLflow can hold its password."""
    import psycopg2
    from psycopg2.extensions import parse_dsn

    try:
        found = parse_dsn(uri)
    except psycopg2.ProgrammingError:  # its text may hold the password
        return {}
    return {"PGDATABASE" if name == "dbname" else f"PG{name.upper()}": value for name, value in found.items()}


def _mistakes(given: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the settings alone."""
    if "BACKEND" not in given:
        yield f"BACKEND is not set; it must name a PostgreSQL database, {EXAMPLE}"
    elif not given["BACKEND"].startswith("postgresql://"):
        yield f"BACKEND does not begin with postgresql://; it must name a PostgreSQL database, {EXAMPLE}"
    if "ARTIFACTS" not in given:
        yield "ARTIFACTS is not set; it must name where files of runs go: a folder, or s3://bucket/folder"
    for name, least in SECRETS.items():
        if len(given.get(name, "")) < least:
            what = f"has fewer than {least} characters" if name in given else "is not set"
            yield f"{name} {what}; `openssl rand -hex 32` makes one"
    if _host(given) not in HERE and not _names(given):
        what = "it must list the names by which clients call the server, such as mlflow.example.org"
        yield f"ALLOWED_HOSTS is not set, while HOST={_host(given)} lets other machines in; {what}"
    if any("*" in name for name in _names(given)):
        yield "ALLOWED_HOSTS has a *, which lets foreign web pages in; it must list whole names"


def _unusable(given: Mapping[str, str]) -> Iterator[str]:
    """What is not installed, and a database that cannot or must not be used."""
    if find_spec("psycopg2") is None or find_spec("flask_wtf") is None:
        yield f"psycopg2 or flask-wtf is missing; {INSTALL} --extra server"
        return
    if given["ARTIFACTS"].startswith("s3://") and find_spec("boto3") is None:
        yield f"boto3, which ARTIFACTS in S3 needs, is missing; {INSTALL} --extra server"
    import psycopg2

    database = _database(given["BACKEND"])
    if "@" in database.get("PGDATABASE", "@") or not database.get("PGPORT", "0").isdecimal():
        yield f"BACKEND must name a host and a database, {EXAMPLE}; a / in a password is written %2F, a @ %40"
        return
    os.environ.update(database)
    try:
        session = psycopg2.connect("", connect_timeout=5)
    except psycopg2.Error as error:
        yield f"BACKEND: {' '.join(str(error).split())}"
        return
    with contextlib.closing(session):
        if session.info.parameter_status("is_superuser") == "on":
            yield "BACKEND names a superuser of PostgreSQL; MLflow needs a role that owns its database alone"
        encoding = session.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            yield f"BACKEND: the database's encoding is {encoding}; it must be UTF8, for names of runs are any letters"


if __name__ == "__main__":
    sys.exit(main())
