"""One file over HTTP into `<name>.part`: resumed, retried, and stopped before a wrong body is stored.

The loop over the tries is not urllib3's: that one sends the same request again, and ends where the body begins. A body
that breaks off needs a new request from the byte where it broke.
"""

import itertools
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests
from tqdm import tqdm
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from pipeline.sources.card import RawFile

TRIES = 5
REDIRECTS = 5
TIMEOUT = (10, 60)  # seconds to connect, seconds without a byte
LONGEST_WAIT = 300.0
RETRY_AFTER = Retry(retry_after_max=10**9)  # reads the header; what is too long is decided here
LARGEST = 2_000_000_000  # bytes, where the card does not know the size
CHUNK = 1 << 13  # small, for what a broken connection has begun of a chunk is lost
BUSY = (408, 429, 500, 502, 503, 504)
KINDS = (
    (b"PK\x03\x04", "a zip archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\xef\xbb\xbf", "UTF-8 text with a byte order mark"),
)


class Refused(Exception):
    """A place that does not give the file; the message is the reason."""


class _Interrupted(Exception):
    """A failure that may pass; `wait`: seconds that the server asked for."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


def transfer(url: str, part: Path, file: RawFile, sleep: Callable[[float], None]) -> None:
    """Complete `part` from `url`, starting where it ends; Refused when that is impossible or after TRIES tries."""
    for attempt in itertools.count(1):
        try:
            return _attempt(url, part, file)
        except _Interrupted as error:
            if attempt == TRIES:
                raise Refused(f"gave up after {TRIES} tries: {error}") from error
            wait = 2.0 ** (attempt - 1) if error.wait is None else error.wait
            say(f"{file.name}: {error}; try {attempt + 1} of {TRIES} in {wait:.0f} s")
            sleep(wait)


def headers_of(url: str) -> Mapping[str, str]:
    """Ask for the headers of the file at `url` without the file; empty if the server does not answer with them."""
    try:
        with _opened(url, 0, "HEAD") as response:
            return response.headers if response.status_code == 200 else {}
    except (Refused, requests.RequestException, ValueError):  # ValueError: see _attempt
        return {}


def write_part(part: Path, chunks: Iterator[bytes], file: RawFile, done: int, total: int | None) -> None:
    """Write `chunks` after the first `done` bytes of `part` and sync; check the first bytes before storing them.

    `total`: announced size in bytes, if any. Refused when the body begins wrongly or is larger than it should be.
    """
    if done == 0:
        chunks = _with_right_beginning(chunks, file)
    if total is not None and file.size is not None and total != file.size:
        raise Refused(f"{total:,} bytes, expected {file.size:,}")
    limit = LARGEST if file.size is None else file.size
    with part.open("ab" if done else "wb") as out, _bar(file.name, done, total) as bar:
        for chunk in chunks:
            done += len(chunk)
            if done > limit:
                raise Refused(f"more than {limit:,} bytes")
            out.write(chunk)
            bar.update(len(chunk))
        out.flush()
        os.fsync(out.fileno())


def say(line: str) -> None:
    """One line for the person who waits; standard output stays free."""
    print(line, file=sys.stderr, flush=True)


def shown(url: str) -> str:
    """`url` without user name and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _attempt(url: str, part: Path, file: RawFile) -> None:
    done = part.stat().st_size if part.exists() else 0
    if file.size is not None and done >= file.size:
        return
    try:
        with _opened(url, done) as response:
            done = _resumed_at(response, part, done)
            announced = response.raw.length_remaining  # None without a Content-Length that is a number
            total = None if announced is None else done + announced
            write_part(part, response.iter_content(CHUNK), file, done, total)
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
        raise Refused(f"not an address ({error})") from error
    except requests.RequestException as error:
        raise _Interrupted(_cause(error)) from error
    except ValueError as error:  # odd hosts, redirections and chunks, which requests and urllib do not wrap
        raise Refused(f"the address or the answer cannot be read ({error})") from error
    found = part.stat().st_size
    if file.size is not None and found < file.size:
        raise _Interrupted(f"the body ended after {found:,} of {file.size:,} bytes")


def _opened(url: str, done: int, method: str = "GET") -> requests.Response:
    # Uncompressed, so that sizes and ranges mean the bytes of the file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    for _ in range(REDIRECTS):
        response = requests.request(method, url, headers=headers, stream=True, timeout=TIMEOUT, allow_redirects=False)
        if not response.is_redirect:
            return response
        target = urljoin(url, response.headers["Location"])
        response.close()
        if urlsplit(target).scheme != urlsplit(url).scheme:
            raise Refused(f"redirected to {shown(target)}, which is another scheme than {urlsplit(url).scheme}")
        url = target
    raise Refused(f"more than {REDIRECTS} redirections")


def _resumed_at(response: requests.Response, part: Path, done: int) -> int:
    """The byte from which the body of `response` counts; Refused or _Interrupted for an answer without a body."""
    code = response.status_code
    if code in BUSY:
        raise _Interrupted(f"HTTP {code} {response.reason}", _asked_wait(response.headers.get("Retry-After")))
    if code == 416 or (code == 206 and not response.headers.get("Content-Range", "").startswith(f"bytes {done}-")):
        part.unlink(missing_ok=True)
        raise _Interrupted(f"HTTP {code}: the server cannot go on at byte {done:,}, starting again", 0.0)
    if code not in (200, 206):
        raise Refused(f"HTTP {code} {response.reason}")
    return done if code == 206 else 0


def _asked_wait(value: str | None) -> float | None:
    """Seconds of a Retry-After header; None if there is none that can be read; Refused when it is too long."""
    if value is None:
        return None
    try:
        wait = RETRY_AFTER.parse_retry_after(value)
    except (InvalidHeader, ValueError, OverflowError):  # the last two: years and numbers out of range
        return None
    if wait > LONGEST_WAIT:
        raise Refused(f"the server is busy and asks to wait {wait:,.0f} s")
    return wait


def _with_right_beginning(chunks: Iterator[bytes], file: RawFile) -> Iterator[bytes]:
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= max(64, len(file.magic)):
            break
    if not head:
        raise Refused(f"0 bytes, expected {f'{file.size:,}' if file.size is not None else _kind(file.magic)}")
    if not head.startswith(file.magic) or _kind(head) == "HTML":
        raise Refused(f"got {_kind(head)}, expected {_kind(file.magic)}")
    return itertools.chain([head], chunks)


def _kind(head: bytes) -> str:
    if head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "HTML"
    known = [name for magic, name in KINDS if head.startswith(magic)]
    return known[0] if known else f"a file that begins with {head[:16]!r}"


def _cause(error: requests.RequestException) -> str:
    """The last link of the chain of causes: requests wraps the telling one three times."""
    cause: BaseException = error
    while True:
        links = [getattr(cause, "reason", None), *cause.args]
        inner = next((link for link in links if isinstance(link, BaseException)), None)
        if inner is None:
            return f"{type(error).__name__}: {cause}"
        cause = inner


def _bar(name: str, done: int, total: int | None) -> Any:
    return tqdm(
        desc=name,
        initial=done,
        total=total,
        unit="B",
        unit_scale=True,
        leave=False,
        file=sys.stderr,
        disable=not sys.stderr.isatty(),
    )
