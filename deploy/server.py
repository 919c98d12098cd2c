"""Start MLflow's server for a team, with data in PostgreSQL and access by password. Settings: docs/teams.md.

If a setting is missing or unsafe, the script names it, starts nothing and exits with 2.
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
    "MLFLOW_BACKEND_STORE_URI": "postgresql+psycopg2://",  # host, user and password come from PGHOST, PGUSER …
    "MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX": "^(mlflow-artifacts|models|runs):/.*$",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


def main() -> int:
    """Check the settings and replace this process by the server; return 2 if a setting is wrong."""
    given = {name: value for name, value in os.environ.items() if value}
    wrong = [*_mistakes(given)] or [*_unusable(given)]
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    if wrong:
        return 2
    os.umask(0o077)
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--serve-artifacts"]
    # other users of the machine can read arguments, so all other settings are passed in the environment
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
        # the server's pages as seen through the proxy; pages from this machine are always allowed
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": ",".join(f"https://{name}" for name in names),
    }


def _database(uri: str) -> dict[str, str]:
    """Split BACKEND into variables of PostgreSQL's client, so that no file or message of MLflow holds its password."""
    import psycopg2
    from psycopg2.extensions import parse_dsn

    try:
        parts = parse_dsn(uri)
    except psycopg2.ProgrammingError:  # its message may contain the password
        return {}
    return {"PGDATABASE" if name == "dbname" else f"PG{name.upper()}": value for name, value in parts.items()}


def _mistakes(given: Mapping[str, str]) -> Iterator[str]:
    """Yield a message for each mistake in the settings themselves."""
    if "BACKEND" not in given:
        yield f"BACKEND is not set; it must name a PostgreSQL database, {EXAMPLE}"
    elif not given["BACKEND"].startswith("postgresql://"):
        yield f"BACKEND does not begin with postgresql://; it must name a PostgreSQL database, {EXAMPLE}"
    if "ARTIFACTS" not in given:
        yield "ARTIFACTS is not set; it must say where to store the files of runs: a folder, or s3://bucket/folder"
    for name, least in SECRETS.items():
        if len(given.get(name, "")) < least:
            problem = f"has fewer than {least} characters" if name in given else "is not set"
            yield f"{name} {problem}; `openssl rand -hex 32` makes one"
    if _host(given) not in HERE and not _names(given):
        expected = "it must list the names by which clients call the server, such as mlflow.example.org"
        yield f"ALLOWED_HOSTS is not set, but HOST={_host(given)} lets other machines in; {expected}"
    if any("*" in name for name in _names(given)):
        yield "ALLOWED_HOSTS has a *, which would admit requests from any web page; it must list complete names"


def _unusable(given: Mapping[str, str]) -> Iterator[str]:
    """Yield a message for each missing package, and if the database cannot or must not be used."""
    if find_spec("psycopg2") is None or find_spec("flask_wtf") is None:
        yield f"psycopg2 or flask-wtf is missing; {INSTALL} --extra server"
        return
    if given["ARTIFACTS"].startswith("s3://") and find_spec("boto3") is None:
        yield f"boto3 is missing, which ARTIFACTS in S3 needs; {INSTALL} --extra server"
    import psycopg2

    database = _database(given["BACKEND"])
    if "@" in database.get("PGDATABASE", "@") or not database.get("PGPORT", "0").isdecimal():
        yield f"BACKEND must name a host and a database, {EXAMPLE}; in a password, write / as %2F and @ as %40"
        return
    os.environ.update(database)
    try:
        session = psycopg2.connect("", connect_timeout=5)
    except psycopg2.Error as error:
        yield f"BACKEND: {' '.join(str(error).split())}"
        return
    with contextlib.closing(session):
        if session.info.parameter_status("is_superuser") == "on":
            yield "BACKEND names a superuser of PostgreSQL; it must name a role that owns only MLflow's database"
        encoding = session.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            yield f"BACKEND: the database's encoding is {encoding}; it must be UTF8, since runs can have any name"


if __name__ == "__main__":
    sys.exit(main())
