"""The address of the tracking store: right for any path of the project, and shown without its password."""

import contextlib
import os
import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from pipeline.artifacts import Project

SQLITE = re.compile(r"sqlite(\+pysqlite)?:///")
CREDENTIALS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<who>.*)@", re.DOTALL)
IN_TEXT = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)\S*@")
VARIABLE, USER, PASSWORD = "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
SECRETS = (VARIABLE, "MLFLOW_REGISTRY_URI", PASSWORD, "MLFLOW_TRACKING_TOKEN", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def address(project: Project) -> str:
    """Return the address in MLFLOW_TRACKING_URI without user and password, or that of mlflow.db in the checkout.

    A relative sqlite path is relative to the checkout, since DVC runs queued experiments in temporary folders.
    """
    uri = os.environ.get(VARIABLE) or "sqlite:///mlflow.db"
    start = SQLITE.match(uri)
    if not start:
        return without_credentials(uri) if uri.startswith(("http://", "https://")) else uri
    path, query = _split(project.home, uri[start.end() :])
    return sqlite_uri(path) + query


def _split(home: Path, given: str) -> tuple[Path, str]:
    """Return the file and the query of an sqlite address. What is there under this very name is no escape or query."""
    if Path(home / given).parent.is_dir() and "?" not in Path(given).name:
        return home / given, ""
    path, mark, query = given.partition("?")
    return home / urllib.parse.unquote(path), mark + query


def sqlite_uri(path: Path) -> str:
    """Return the address of an sqlite file, in which SQLAlchemy would read `%` and `?` as escapes and query."""
    text = str(path)
    if not set("%?#") & set(text):
        return f"sqlite:///{text}"
    for sign in "%?#":
        text = text.replace(sign, f"%{ord(sign):02X}")
    return f"sqlite+pysqlite:///{text}"  # MLflow makes the folders of an address that begins with sqlite:///, unread


def sqlite_file(uri: str) -> Path | None:
    """Return the file of an sqlite address, None for any other address."""
    start = SQLITE.match(uri)
    return Path(urllib.parse.unquote(uri[start.end() :].partition("?")[0])) if start else None


def is_shared(uri: str) -> bool:
    """Whether it is the address of a server, which other machines can reach too."""
    scheme, found, _ = uri.partition("://")
    return bool(found) and scheme != "file" and not SQLITE.match(uri)


def without_credentials(uri: str) -> str:
    """Remove user and password. The password may have unescaped signs, so it ends at the last @."""
    return CREDENTIALS.sub(r"\g<scheme>", uri)


@contextlib.contextmanager
def credentials() -> Iterator[None]:
    """Set the variables from which MLflow takes user and password while the block runs, if the address has them.

    So no address that a library handles, and could print, has a password.
    """
    found = CREDENTIALS.match(os.environ.get(VARIABLE, ""))
    if not found or not found["scheme"].startswith("http"):
        yield
        return
    user, _, password = found["who"].partition(":")
    before = {name: os.environ.get(name) for name in (VARIABLE, USER, PASSWORD)}
    given = {USER: urllib.parse.unquote(user), PASSWORD: urllib.parse.unquote(password)}
    _KNOWN.update(_forms(found["who"]))
    os.environ.update({VARIABLE: without_credentials(os.environ[VARIABLE]), **given})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_KNOWN: set[str] = set()  # of the addresses whose password `credentials` has moved


def place(uri: str) -> str:
    """Name a store in a message: the file of an sqlite store, else its address without user and password."""
    file = sqlite_file(uri)
    return shown(uri) if file is None else str(file)


def shown(text: str) -> str:
    """Remove users, passwords and tokens from an address, or from a text with addresses."""
    for secret in sorted(_secrets(), key=len, reverse=True):
        text = text.replace(secret, "…")
    return IN_TEXT.sub(r"\g<scheme>", text)


def _secrets() -> set[str]:
    """Every form of the passwords in the variables that MLflow and its requests read."""
    found = set(_KNOWN)
    for name in (*SECRETS, *map(str.lower, SECRETS)):
        value = os.environ.get(name, "")
        who = CREDENTIALS.match(value)
        if who and not SQLITE.match(value):
            found |= _forms(who["who"])
        elif value and "://" not in value:
            found |= _forms(f":{value}")
    return found


def _forms(who: str) -> set[str]:
    """The password of `user:password` as it is, escaped and unescaped, and with its user.

    Also the parts between its slashes, since what reads an address with an unescaped slash may name only such a part.
    """
    password = who.partition(":")[2] or who
    plain = urllib.parse.unquote(password)
    forms = {who, password, plain, urllib.parse.quote(plain), urllib.parse.quote(plain, safe="")}
    forms |= {repr(form)[1:-1] for form in forms}
    parts = {part for form in forms for part in re.split(r"[/?#@:\s]", form) if len(part) > 3}
    return {form for form in forms | parts if form}


def reason(error: BaseException) -> str:
    """Describe the root cause of an error in one line, without the password that an address may contain."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = (shown(str(error)).strip().splitlines() or [""])[0][:300]
    return f"{type(error).__name__}: {text}"
