"""Fetch published files from the mirror, or else from the official address, and verify them.

A file is written to `<name>.part`, which a later attempt resumes. It is synced and compared with the pinned checksum,
and only then renamed. A file that is not the pinned one is deleted, and the error says what was expected and found.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from pipeline.download.http import Refused, say, shown, transfer, write_part
from pipeline.download.verify import fault_of, sha256_of
from pipeline.errors import DownloadError
from pipeline.sources.card import Card, RawFile

ManifestRow = dict[str, str | int]
Form = tuple[RawFile, ...]
Address = Path | str  # a file of a local mirror, or a URL
CHUNK = 1 << 20


def fetch(
    name: str, card: Card, folder: Path, mirror: str | None, *, sleep: Callable[[float], None] = time.sleep
) -> list[ManifestRow]:
    """Fetch one complete form of source `name` into `folder`; return a manifest of rows {file, sha256, bytes, from}.

    `mirror`: a folder or a file://, http:// or https:// address that holds <source>/<file>, or None. All forms are
    looked up in the mirror before any official address is tried. Verified files already in `folder` are kept, and all
    others deleted. Raises DownloadError, which lists each place that was tried, why it failed, and how to get the file.
    """
    if not any(card.forms):
        raise DownloadError(f"{name}: has no published files; it is {card.how_to_get}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        manifest = _in_place(card, folder) or _from_places(name, card, folder, mirror, sleep)
        _remove_others(folder, {str(row["file"]) for row in manifest})
    except OSError as error:
        raise DownloadError(f"{name}: cannot write to {folder}: {error.strerror or error}") from error
    return manifest


def _in_place(card: Card, folder: Path) -> list[ManifestRow]:
    """Return the manifest of the first complete form in `folder`, or []; delete files that fail verification."""
    verified = {file.name for form in card.forms for file in form if _is_sound(folder / file.name, file)}
    for form in card.forms:
        if all(file.name in verified for file in form):
            return [_row(folder / file.name, "already in place") for file in form]
    return []


def _is_sound(path: Path, file: RawFile) -> bool:
    if not path.is_file():
        return False
    fault = fault_of(path, file)
    if fault:
        say(f"{path}: removed, {fault}")
        path.unlink()
    return fault is None


def _from_places(
    name: str, card: Card, folder: Path, mirror: str | None, sleep: Callable[[float], None]
) -> list[ManifestRow]:
    failures: list[str] = [] if mirror else ["no mirror: PIPELINE_MIRROR is not set"]
    for form, addresses in _candidates(name, card, mirror):
        try:
            return [_obtain(name, *pair, folder, sleep) for pair in zip(form, addresses, strict=True)]
        except Refused as error:
            say(f"{name}: {error}")
            failures.append(str(error))
    for file in (file for form in card.forms for file in form if file.url is None):
        failures.append(f"{file.name}: has no official address from which it can be fetched automatically")
    raise DownloadError(_failure_message(name, card, failures))


def _candidates(name: str, card: Card, mirror: str | None) -> Iterator[tuple[Form, list[Address]]]:
    if mirror:
        for form in card.forms:
            yield form, [_in_mirror(mirror, card.folder or name, file) for file in form]
    for form in card.forms:
        urls: list[Address] = [file.url for file in form if file.url is not None]
        if len(urls) == len(form):
            yield form, urls


def _in_mirror(mirror: str, name: str, file: RawFile) -> Address:
    expected = "expected a folder or a file:///, http:// or https:// address"
    try:
        parts = urlsplit(mirror)
    except ValueError:  # not shown, since it may contain a password
        raise DownloadError(f"PIPELINE_MIRROR cannot be read as an address; {expected}") from None
    if parts.scheme in ("http", "https"):
        return f"{mirror.rstrip('/')}/{quote(name)}/{quote(file.name)}"
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(url2pathname(parts.path)) / name / file.name
    if "://" in mirror:
        raise DownloadError(f"PIPELINE_MIRROR is {shown(mirror)!r}, {expected}")
    return Path(os.path.expanduser(mirror)) / name / file.name


def _obtain(name: str, file: RawFile, address: Address, folder: Path, sleep: Callable[[float], None]) -> ManifestRow:
    """Store the verified file in `folder` and return its row; Refused names the file, the place and the reason."""
    where = str(address) if isinstance(address, Path) else shown(address)
    part, final = folder / f"{file.name}.part", folder / file.name
    try:
        if isinstance(address, Path):
            _copy(address, part, file)
        else:
            _download(address, part, file, sleep)
    except Refused as error:
        raise Refused(f"{file.name}: {where}: {error}") from error
    os.replace(part, final)
    _sync_folder(folder)
    # Not a local path: the manifest would differ between machines.
    row = _row(final, "mirror" if isinstance(address, Path) else where)
    say(f"{name}: {file.name}, {row['bytes']:,} bytes from {row['from']}, checksum as pinned")
    return row


def _copy(source: Path, part: Path, file: RawFile) -> None:
    if not source.is_file():
        raise Refused("no such file")
    try:
        stream = source.open("rb")
    except OSError as error:
        raise Refused(f"cannot be read ({error.strerror})") from error
    with stream:
        write_part(part, iter(lambda: stream.read(CHUNK), b""), file, 0, source.stat().st_size)
    _refuse_faulty(part, file)


def _download(url: str, part: Path, file: RawFile, sleep: Callable[[float], None]) -> None:
    resumed = part.exists()
    transfer(url, part, file, sleep)
    if resumed and fault_of(part, file):
        # The part from an earlier run may be of another version of the file, so start again.
        part.unlink()
        transfer(url, part, file, sleep)
    _refuse_faulty(part, file)


def _refuse_faulty(part: Path, file: RawFile) -> None:
    fault = fault_of(part, file)
    if fault:
        part.unlink()
        raise Refused(f"{fault}; the file was changed by its publisher or damaged in transfer, so it was deleted")


def _row(path: Path, origin: str) -> ManifestRow:
    return {"file": path.name, "sha256": sha256_of(path), "bytes": path.stat().st_size, "from": origin}


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # only POSIX can open a folder
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_others(folder: Path, wanted: set[str]) -> None:
    # A reader uses the first form that it finds, so no file of another form or another edition may remain.
    for path in folder.iterdir():
        if path.name not in wanted and (path.is_file() or path.is_symlink()):
            path.unlink()


def _failure_message(name: str, card: Card, failures: list[str]) -> str:
    names = " or ".join(", ".join(f"{card.folder or name}/{file.name}" for file in form) for form in card.forms)
    how_to_get = f"\n{card.how_to_get}." if card.how_to_get else ""
    tried = "".join(f"\n  {failure}" for failure in failures)
    return (
        f"{name}: the published files could not be fetched; tried:{tried}{how_to_get}\n"
        f"Put the file into a mirror folder as {names} and set PIPELINE_MIRROR to that folder "
        f"(homepage: {card.homepage})."
    )
