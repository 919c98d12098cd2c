"""Downloads from a faulty local server: cut off, no ranges, HTML, wrong checksum, 404, 503, truncated, missing."""

import contextlib
import dataclasses
import hashlib
import http.server
import socket
import threading
import zipfile
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from pipeline.download import http as http_module
from pipeline.download.fetch import fetch
from pipeline.errors import DownloadError
from pipeline.sources import SOURCES, load_source
from pipeline.sources.card import Card, RawFile

BODY = b"PK\x03\x04" + bytes(range(256)) * 2000
HTML = b"\n<!DOCTYPE html><html><body>Please log in</body></html>"


@dataclasses.dataclass
class Site:
    """The state of the server. plan: its behaviour for each request; the last one applies to all further requests."""

    url: str = ""
    plan: list[str] = dataclasses.field(default_factory=lambda: ["whole"])
    body: bytes = BODY
    ranges: list[str | None] = dataclasses.field(default_factory=list)
    waits: list[float] = dataclasses.field(default_factory=list)

    def next(self) -> str:
        return self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]


class Handler(http.server.BaseHTTPRequestHandler):
    site: Site

    def log_message(self, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        span = self.headers.get("Range")
        self.site.ranges.append(span)
        start = int(span.removeprefix("bytes=").removesuffix("-")) if span else 0
        behaviour, _, detail = self.site.next().partition(" ")
        getattr(self, f"do_{behaviour}")(start, detail)

    def _answer(self, code: int, body: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def do_whole(self, start: int, _: str) -> None:
        span = f"bytes {start}-{len(self.site.body) - 1}/{len(self.site.body)}"
        self._answer(206 if start else 200, self.site.body[start:], **({"Content_Range": span} if start else {}))

    def do_noranges(self, start: int, _: str) -> None:
        self._answer(200, self.site.body)

    def do_otherrange(self, start: int, _: str) -> None:
        self._answer(206, self.site.body[start + 5 :], Content_Range=f"bytes {start + 5}-9/10")

    def do_cut(self, start: int, at: str) -> None:
        rest = self.site.body[start:]
        span = {"Content_Range": f"bytes {start}-{len(self.site.body) - 1}/*"} if start else {}
        self._answer(206 if start else 200, rest[: int(at)], len(rest), **span)

    def do_chunkless(self, start: int, at: str) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.site.body[: int(at)])

    def do_html(self, start: int, _: str) -> None:
        self._answer(200, HTML, Content_Type="text/html")

    def do_code(self, start: int, code: str) -> None:
        self._answer(int(code), b"no")

    def do_busy(self, start: int, retry_after: str) -> None:
        self._answer(503, b"busy", Retry_After=retry_after)

    def do_length(self, start: int, length: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(self.site.body)

    def do_chunk(self, start: int, size: str) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(f"{size}\r\n".encode() + self.site.body)

    def do_to(self, start: int, target: str) -> None:
        self._answer(302, b"", Location=target)


@pytest.fixture
def site() -> Iterator[Site]:
    state = Site()
    handler = type("ThisHandler", (Handler,), {"site": state})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def _file(url: str | None, **changes: Any) -> RawFile:
    pinned = RawFile("a.zip", hashlib.sha256(BODY).hexdigest(), len(BODY), url, magic=b"PK\x03\x04")
    return dataclasses.replace(pinned, **changes)


def _card(*files: RawFile, how_to_get: str = "") -> Card:
    return Card("Toy", "a toy", "https://example.org", "CC0", "x", tuple((file,) for file in files), how_to_get)


def _fetch(site: Site, folder: Path, file: RawFile | None = None, mirror: str | None = None) -> list[dict[str, Any]]:
    return fetch("toy", _card(file or _file(f"{site.url}/a.zip")), folder, mirror, sleep=site.waits.append)


def _refusal(site: Site, folder: Path, file: RawFile | None = None, mirror: str | None = None) -> str:
    with pytest.raises(DownloadError) as caught:
        _fetch(site, folder, file, mirror)
    assert not (folder / "a.zip").exists()
    return str(caught.value)


def test_whole_file_is_verified_and_told(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = _fetch(site, tmp_path)
    assert (tmp_path / "a.zip").read_bytes() == BODY
    sha256 = hashlib.sha256(BODY).hexdigest()
    assert rows == [{"file": "a.zip", "sha256": sha256, "bytes": len(BODY), "from": f"{site.url}/a.zip"}]
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.splitlines() == [f"toy: a.zip, 512,004 bytes from {site.url}/a.zip, checksum as pinned"]


def test_verified_file_is_not_fetched_again_and_a_damaged_one_is(site: Site, tmp_path: Path) -> None:
    _fetch(site, tmp_path)
    assert _fetch(site, tmp_path)[0]["from"] == "already in place"
    assert len(site.ranges) == 1
    (tmp_path / "a.zip").write_bytes(BODY[:-1] + b"!")
    assert _fetch(site, tmp_path)[0]["from"] == f"{site.url}/a.zip"
    assert (tmp_path / "a.zip").read_bytes() == BODY


ODD_ANSWERS = {
    "no answer": b"",
    "no HTTP": b"\x00\x01\x02",
    "odd status": b"HTTP/1.1 99999 x\r\n\r\n",
    "odd bytes in an address": b"HTTP/1.1 302 x\r\nLocation: http://\xff\xfe/\r\n\r\n",
    "NUL in an address": b"HTTP/1.1 302 x\r\nLocation: http://a\x00b/\r\n\r\n",
    "a long label": b"HTTP/1.1 302 x\r\nLocation: http://" + b"a" * 70 + b".b/\r\n\r\n",
    "an odd port": b"HTTP/1.1 302 x\r\nLocation: http://a:99999/\r\n\r\n",
    "an empty address": b"HTTP/1.1 302 x\r\nLocation: \r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nPK\x03\x04abc",
    "an odd range": b"HTTP/1.1 206 x\r\nContent-Range: bytes \xc2\xb2-5/9\r\n\r\nabc",
    "a negative chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n",
    "no gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nPK\x03\x04abc",
    "a long header": b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000 + b"\r\n\r\n",
    "an odd date": b"HTTP/1.1 503 x\r\nRetry-After: Fri, 99 Foo 99999 00:00:00 GMT\r\n\r\n",
}


@pytest.mark.fault("odd-headers")
@pytest.mark.parametrize("answer", ODD_ANSWERS)
@pytest.mark.parametrize("done", [b"", b"PK"])
def test_an_answer_that_is_not_http_is_refused(done: bytes, answer: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.recv(65536)
                        connection.sendall(ODD_ANSWERS[answer])
                        connection.shutdown(socket.SHUT_WR)
                        connection.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.zip"
        if done:
            (tmp_path / "a.zip.part").write_bytes(done)
        with pytest.raises(DownloadError, match=r"toy: the published files could not be fetched; tried:"):
            fetch("toy", _card(_file(url)), tmp_path, None, sleep=lambda _: None)
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.fault("broken-connection")
def test_cut_in_the_middle_is_resumed(site: Site, tmp_path: Path) -> None:
    site.plan = ["cut 200000", "cut 100000", "whole"]
    _fetch(site, tmp_path)
    assert (tmp_path / "a.zip").read_bytes() == BODY
    assert site.ranges == [None, "bytes=196608-", "bytes=294912-"]
    assert site.waits == [1.0, 2.0]


@pytest.mark.fault("broken-connection")
def test_a_part_of_an_earlier_run_is_resumed(site: Site, tmp_path: Path) -> None:
    site.plan = ["cut 9000"]
    assert "gave up after 5 tries" in _refusal(site, tmp_path)
    kept = (tmp_path / "a.zip.part").stat().st_size
    assert kept == 5 * 8192
    site.plan = ["whole"]
    _fetch(site, tmp_path)
    assert site.ranges[-1] == "bytes=40960-"
    assert (tmp_path / "a.zip").read_bytes() == BODY


@pytest.mark.fault("broken-connection")
def test_a_part_of_another_version_is_fetched_from_the_beginning(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.zip.part").write_bytes(b"other" * 100)
    _fetch(site, tmp_path)
    assert site.ranges == ["bytes=500-", None]
    assert (tmp_path / "a.zip").read_bytes() == BODY


@pytest.mark.fault("no-ranges")
@pytest.mark.parametrize("again", ["noranges", "otherrange", "code 416"])
def test_a_server_that_cannot_go_on_starts_again(again: str, site: Site, tmp_path: Path) -> None:
    site.plan = ["cut 9000", again, "whole"]
    _fetch(site, tmp_path)
    assert (tmp_path / "a.zip").read_bytes() == BODY


@pytest.mark.fault("html-instead")
def test_html_instead_of_the_file_is_refused_unstored(site: Site, tmp_path: Path) -> None:
    site.plan = ["html"]
    message = _refusal(site, tmp_path)
    assert f"a.zip: {site.url}/a.zip: got HTML, expected a zip archive" in message
    assert list(tmp_path.iterdir()) == []
    assert len(site.ranges) == 1
    assert "got HTML" in _refusal(site, tmp_path, _file(f"{site.url}/a.zip", magic=b""))


@pytest.mark.fault("wrong-checksum")
def test_wrong_checksum_shows_expected_and_found_and_is_deleted(site: Site, tmp_path: Path) -> None:
    site.body = BODY[:-1] + b"!"
    message = _refusal(site, tmp_path)
    assert hashlib.sha256(BODY).hexdigest() in message
    assert hashlib.sha256(site.body).hexdigest() in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault("wrong-checksum")
@pytest.mark.parametrize("extra", [-10, 10])
def test_wrong_announced_size_is_refused_before_it_is_stored(extra: int, site: Site, tmp_path: Path) -> None:
    site.body = (BODY + bytes(10))[: len(BODY) + extra]
    assert f"{len(site.body):,} bytes, expected 512,004" in _refusal(site, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_body_without_announced_size_is_capped_and_completed(site: Site, tmp_path: Path) -> None:
    site.plan = ["chunkless 700000"]
    site.body = BODY + bytes(100_000)
    assert "more than 512,004 bytes" in _refusal(site, tmp_path)
    (tmp_path / "a.zip.part").unlink(missing_ok=True)
    site.body, site.plan = BODY, ["chunkless 1000", "whole"]
    _fetch(site, tmp_path)
    assert (tmp_path / "a.zip").read_bytes() == BODY


@pytest.mark.fault("busy-publisher")
@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_client_errors_are_not_tried_again(code: int, site: Site, tmp_path: Path) -> None:
    site.plan = [f"code {code}"]
    assert f"a.zip: {site.url}/a.zip: HTTP {code}" in _refusal(site, tmp_path)
    assert len(site.ranges) == 1


@pytest.mark.fault("busy-publisher")
def test_busy_server_is_asked_again_when_it_says(site: Site, tmp_path: Path) -> None:
    site.plan = ["busy 7", f"busy {formatdate(0)}", "busy soon", "code 500", "whole"]
    _fetch(site, tmp_path)
    assert site.waits == [7.0, 0.0, 4.0, 8.0]


@pytest.mark.fault("busy-publisher")
def test_busy_for_too_long_is_refused_at_once(site: Site, tmp_path: Path) -> None:
    site.plan = ["busy 86400"]
    assert "asks to wait 86,400 s" in _refusal(site, tmp_path)
    assert site.waits == []


@pytest.mark.fault("odd-headers")
@pytest.mark.parametrize(
    "value", ["²", "-7", "nan", "9" * 5000, "Mon, 02 Nov 99999 10:00:00 GMT", "1 Nov 999999999999"]
)
def test_an_odd_retry_after_is_as_good_as_none(value: str, site: Site, tmp_path: Path) -> None:
    site.plan = [f"busy {value}", "whole"]
    _fetch(site, tmp_path)
    assert site.waits == [1.0]


@pytest.mark.fault("odd-headers")
@pytest.mark.parametrize("value", ["²", "-5", "9" * 5000, "many"])
def test_an_odd_content_length_is_as_good_as_none(value: str, site: Site, tmp_path: Path) -> None:
    site.plan = [f"length {value}"]
    _fetch(site, tmp_path)
    assert (tmp_path / "a.zip").read_bytes() == BODY


@pytest.mark.fault("odd-headers")
@pytest.mark.parametrize(
    ("size", "message"),
    [("-5", "the answer cannot be read"), ("²", "gave up after 5 tries"), ("zz", "gave up after 5")],
)
def test_an_odd_chunk_is_told(size: str, message: str, site: Site, tmp_path: Path) -> None:
    site.plan = [f"chunk {size}"]
    assert message in _refusal(site, tmp_path)


def test_tries_are_few(site: Site, tmp_path: Path) -> None:
    site.plan = ["code 503"]
    assert "gave up after 5 tries: HTTP 503" in _refusal(site, tmp_path)
    assert site.waits == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.fault("redirected-elsewhere")
@pytest.mark.parametrize("target", ["file:///etc/passwd", "https://127.0.0.1/a.zip", "ftp://127.0.0.1/a.zip"])
def test_redirection_to_another_scheme_is_refused(target: str, site: Site, tmp_path: Path) -> None:
    site.plan = [f"to {target}"]
    assert f"redirected to {target}, which is another scheme than http" in _refusal(site, tmp_path)


@pytest.mark.fault("odd-headers")
@pytest.mark.parametrize(
    "target",
    ["http://[::1", "//[", "http://²/", "http://[::ffff:1.2.3.4.5]/", f"http://{'a' * 70}/", "http://h:99999999/"],
)
def test_redirection_to_what_is_no_address_is_refused(target: str, site: Site, tmp_path: Path) -> None:
    site.plan = [f"to {target}"]
    assert "address" in _refusal(site, tmp_path)
    assert len(site.ranges) == 1
    assert http_module.headers_of(f"{site.url}/a.zip") == {}


@pytest.mark.fault("redirected-elsewhere")
def test_redirection_within_the_scheme_is_followed_but_not_for_ever(site: Site, tmp_path: Path) -> None:
    site.plan = ["to /b.zip", "whole"]
    _fetch(site, tmp_path / "a")
    assert (tmp_path / "a" / "a.zip").read_bytes() == BODY
    site.plan = ["to /b.zip"]
    assert "more than 5 redirections" in _refusal(site, tmp_path / "b")


def test_nobody_listening_names_the_cause(site: Site, tmp_path: Path) -> None:
    message = _refusal(site, tmp_path, _file("http://127.0.0.1:9/a.zip"))
    assert "gave up after 5 tries: ConnectionError: " in message
    assert "refused" in message


def _mirror(folder: Path, content: bytes | None, name: str = "a.zip") -> str:
    (folder / "mirror" / "toy").mkdir(parents=True)
    if content is not None:
        (folder / "mirror" / "toy" / name).write_bytes(content)
    return str(folder / "mirror")


@pytest.mark.parametrize("scheme", [False, True])
def test_local_mirror_goes_before_the_official_address(scheme: bool, site: Site, tmp_path: Path) -> None:
    mirror = _mirror(tmp_path, BODY)
    rows = _fetch(site, tmp_path / "raw", mirror=Path(mirror).as_uri() if scheme else mirror)
    assert rows[0]["from"] == "mirror"
    assert (tmp_path / "raw" / "a.zip").read_bytes() == BODY
    assert site.ranges == []


def test_http_mirror_and_no_password_in_the_manifest(site: Site, tmp_path: Path) -> None:
    mirror = site.url.replace("//", "//me:secret@")
    row = _fetch(site, tmp_path, _file(None), mirror=mirror + "/")[0]
    assert row["from"] == f"{site.url}/toy/a.zip"


def test_missing_mirror_file_names_every_place_and_the_way_out(site: Site, tmp_path: Path) -> None:
    site.plan = ["code 404"]
    mirror = _mirror(tmp_path, None)
    card = _card(_file(f"{site.url}/a.zip"), _file(None, name="b.zip"), how_to_get="Log in at example.org and ask")
    with pytest.raises(DownloadError) as caught:
        fetch("toy", card, tmp_path / "raw", mirror, sleep=site.waits.append)
    message = str(caught.value)
    assert f"a.zip: {mirror}/toy/a.zip: no such file" in message
    assert f"b.zip: {mirror}/toy/b.zip: no such file" in message
    assert f"a.zip: {site.url}/a.zip: HTTP 404" in message
    assert "b.zip: has no official address" in message
    assert "Log in at example.org and ask." in message
    assert "into a mirror folder as toy/a.zip or toy/b.zip and set PIPELINE_MIRROR to that folder" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BODY[:-5], "511,999 bytes, expected 512,004"),
        (b"", "0 bytes"),
        (HTML, "got HTML, expected a zip archive"),
        (b"Rar!" + BODY[4:], "got a file that begins with b'Rar!"),
        (BODY[:-1] + b"!", "found sha256 of 512,004 bytes"),
    ],
)
def test_bad_mirror_file_is_told_and_the_next_place_asked(
    content: bytes, message: str, site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror = _mirror(tmp_path, content)
    assert message in _refusal(site, tmp_path / "raw", _file(None), mirror)
    assert list((tmp_path / "raw").iterdir()) == []
    assert _fetch(site, tmp_path / "raw", mirror=mirror)[0]["from"] == f"{site.url}/a.zip"
    assert message in capsys.readouterr().err


def test_mirror_has_all_forms_asked_before_any_official_address(site: Site, tmp_path: Path) -> None:
    mirror = _mirror(tmp_path, BODY, "b.zip")
    card = _card(_file(f"{site.url}/a.zip"), _file(None, name="b.zip"))
    assert fetch("toy", card, tmp_path / "raw", mirror)[0]["file"] == "b.zip"
    assert site.ranges == []


def test_other_files_do_not_stay_beside_the_verified_one(site: Site, tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip", "notes.txt", "b.zip.part"):
        (tmp_path / name).write_bytes(b"a synthetic or a stale file")
    card = _card(_file(None, name="b.zip"), _file(f"{site.url}/a.zip"))
    fetch("toy", card, tmp_path, None, sleep=site.waits.append)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("mirror", ["ftp://host/x", "s3://bucket"])
def test_other_kinds_of_mirror_are_refused(mirror: str, site: Site, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="expected a folder or a file:///, http:// or https:// address"):
        _fetch(site, tmp_path, mirror=mirror)


@pytest.mark.parametrize("mirror", ["http://me:secret@[::1", "file://[x", "//["])
def test_a_mirror_that_is_no_address_is_refused_without_its_password(mirror: str, site: Site, tmp_path: Path) -> None:
    with pytest.raises(
        DownloadError, match=r"^PIPELINE_MIRROR cannot be read as an address; expected a folder"
    ) as caught:
        _fetch(site, tmp_path, mirror=mirror)
    assert "secret" not in str(caught.value)


def test_a_mirror_in_the_home_of_nobody_is_a_folder_without_the_file(site: Site, tmp_path: Path) -> None:
    assert "a.zip: ~no-such-user/x/toy/a.zip: no such file" in _refusal(site, tmp_path, _file(None), "~no-such-user/x")


def _member_pinned(tmp_path: Path) -> tuple[RawFile, bytes]:
    with zipfile.ZipFile(tmp_path / "made.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("table.txt", b"1;2\n" * 1000)
    digest = hashlib.sha256(b"1;2\n" * 1000).hexdigest()
    file = _file(None, sha256=None, size=None, member="table.txt", member_sha256=digest)
    return file, (tmp_path / "made.zip").read_bytes()


def test_archive_pinned_by_its_member(site: Site, tmp_path: Path) -> None:
    file, content = _member_pinned(tmp_path)
    mirror = _mirror(tmp_path, content)
    assert _fetch(site, tmp_path / "raw", file, mirror)[0]["sha256"] == hashlib.sha256(content).hexdigest()
    other = dataclasses.replace(file, member_sha256="0" * 64)
    assert f"found sha256 of table.txt in it {file.member_sha256}, expected 000" in _refusal(
        site, tmp_path / "other", other, mirror
    )
    missing = dataclasses.replace(file, member="x.txt")
    assert "no member 'x.txt' in the archive; it holds table.txt" in _refusal(site, tmp_path / "third", missing, mirror)


@pytest.mark.fault("bad-archive")
def test_truncated_archive_is_refused(site: Site, tmp_path: Path) -> None:
    file, content = _member_pinned(tmp_path)
    mirror = _mirror(tmp_path, content[:-30])
    message = _refusal(site, tmp_path / "raw", file, mirror)
    assert f"the archive is truncated or damaged at {len(content) - 30:,} bytes" in message
    assert list((tmp_path / "raw").iterdir()) == []


def test_full_disk_is_a_message(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(http_module.os, "fsync", full)
    with pytest.raises(DownloadError, match=r"cannot write to .*No space left on device"):
        _fetch(site, tmp_path)


def test_sources_without_files_are_not_fetched(tmp_path: Path) -> None:
    for name in SOURCES:
        source = load_source(name)
        if source.GENERATED:
            with pytest.raises(DownloadError, match=f"{name}: has no published files; it is .*the same in both"):
                fetch(name, source.CARD, tmp_path, None)


def test_umich_without_a_mirror_tells_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        fetch("umich", load_source("umich").CARD, tmp_path, None)
    message = str(caught.value)
    assert "no mirror: PIPELINE_MIRROR is not set" in message
    assert "Kaggle gives training.txt to members only" in message
    assert "as umich/training.txt or umich/umich-sentiment-train.txt" in message
