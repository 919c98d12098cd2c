"""Unsafe, damaged and oversized archives are refused; nothing is ever written."""

import bz2
import io
import lzma
import tarfile
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import DataError
from pipeline.sources.archive import open_zip, read_zip_member, stream_tar


def _tar(path: Path, *members: tarfile.TarInfo) -> Path:
    compress = bz2.open if path.suffix == ".bz2" else lzma.open
    with compress(path, "wb") as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for member in members:
            member.size = 0 if member.issym() or member.islnk() else 3
            archive.addfile(member, io.BytesIO(b"abc"))
    return path


def _info(name: str, **changes: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in changes.items():
        setattr(info, key, value)
    return info


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../up", "a\\b", "C:/x"])
def test_names_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unsafe member"):
        list(stream_tar(_tar(tmp_path / "a.tar.xz", _info(name)), 10))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, "abc")
    with pytest.raises(DataError, match="unsafe member"), open_zip(tmp_path / "a.zip"):
        pass


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(kind: bytes, tmp_path: Path) -> None:
    path = _tar(tmp_path / "a.tar.xz", _info("x", type=kind, linkname="/etc/passwd"))
    with pytest.raises(DataError, match=r"unsafe member 'x' \(a link or device\)"):
        list(stream_tar(path, 10))


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    member = zipfile.ZipInfo("x")
    member.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(DataError, match="symbolic link"), open_zip(tmp_path / "a.zip"):
        pass


def test_a_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'x' occurs twice"):
        list(stream_tar(_tar(tmp_path / "a.tar.xz", _info("x"), _info("x")), 10))
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("x", "1")
        archive.writestr("x", "2")
    with pytest.raises(DataError, match="'x' occurs twice"), open_zip(tmp_path / "a.zip"):
        pass


def test_members_larger_than_the_limit_are_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="declares 3 bytes, more than 2"):
        list(stream_tar(_tar(tmp_path / "a.tar.xz", _info("x")), 2))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(1_000_000))
    with open_zip(tmp_path / "a.zip") as archive, pytest.raises(DataError, match="declares 1,000,000 bytes"):
        read_zip_member(tmp_path / "a.zip", archive, "bomb", 1000)


def _lie_about_the_size(content: bytes) -> bytes:
    return content.replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little"))


def _spoil(content: bytes) -> bytes:
    return content[:45] + bytes([content[45] ^ 255]) + content[46:]


@pytest.mark.parametrize("damage", [_lie_about_the_size, _spoil])
def test_a_member_that_is_not_what_its_header_says_is_refused(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("member", bytes(range(250)) * 4)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match="truncated or damaged"), open_zip(path) as archive:
        read_zip_member(path, archive, "member", 10_000)


def test_members_that_are_not_wanted_are_skipped_but_checked(tmp_path: Path) -> None:
    path = _tar(tmp_path / "a.tar.bz2", _info("large"), _info("x"))
    assert [name for name, _ in stream_tar(path, 3, wanted=lambda name: name == "x")] == ["x"]
    assert list(stream_tar(path, 3)) == [("large", b"abc"), ("x", b"abc")]
    with pytest.raises(DataError, match="'large' declares 3 bytes"):
        list(stream_tar(path, 2, wanted=lambda name: name == "large"))
    assert list(stream_tar(path, 2, wanted=lambda name: False)) == []
    for bad in (_info("../up"), _info("up", type=tarfile.SYMTYPE, linkname="/etc/passwd")):
        with pytest.raises(DataError, match="unsafe member"):
            list(stream_tar(_tar(tmp_path / "b.tar.bz2", bad), 3, wanted=lambda name: False))


@pytest.mark.parametrize("name", ["a.tar.xz", "a.tar.gz", "a.tar.bz2"])
def test_what_is_no_archive_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"<html>no archive</html>")
    with pytest.raises(DataError, match=f"{name}: the archive is truncated or damaged at 23 bytes"):
        list(stream_tar(tmp_path / name, 10))


@pytest.mark.parametrize("kind", ["xz", "bz2"])
def test_every_cut_of_a_tar_is_noticed(kind: str, tmp_path: Path) -> None:
    whole = _tar(tmp_path / f"a.tar.{kind}", *(_info(f"m{i}") for i in range(20))).read_bytes()
    path = tmp_path / f"cut.tar.{kind}"
    for cut in range(1, len(whole) - 30, 7):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match="truncated"):
            list(stream_tar(path, 10))
    path.write_bytes(whole[:100] + bytes([whole[100] ^ 255]) + whole[101:])
    with pytest.raises(DataError, match="damaged"):
        list(stream_tar(path, 10))


@pytest.mark.fault("bad-archive")
def test_a_damaged_header_is_not_the_end(tmp_path: Path) -> None:
    path = _tar(tmp_path / "a.tar.xz", _info("one"), _info("two"))
    raw = bytearray(lzma.decompress(path.read_bytes()))
    raw[raw.index(b"two")] ^= 1
    path.write_bytes(lzma.compress(raw))
    with pytest.raises(DataError, match=r"damaged at .* bytes \(the header of a member is damaged: bad checksum\)"):
        list(stream_tar(path, 10))


def _encrypted(content: bytes) -> bytes:
    """Set the bit of encryption in the member's header and in the directory."""
    content = bytearray(content)
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def _method_99(content: bytes) -> bytes:
    content = bytearray(content)
    content[8] = content[content.index(b"PK\x01\x02") + 10] = 99
    return bytes(content)


def _elsewhere(content: bytes) -> bytes:
    """Let the directory begin after the end of the file."""
    at = content.index(b"PK\x05\x06") + 16
    return content[:at] + b"\xff\xff\xff\x7f" + content[at + 4 :]


def _member_elsewhere(content: bytes) -> bytes:
    at = content.index(b"PK\x01\x02") + 42
    return content[:at] + b"\xff\xff\xff\x7f" + content[at + 4 :]


def _not_utf_8(content: bytes) -> bytes:
    return content.replace("mémber".encode(), b"m\xff\xffmber")


@pytest.mark.fault("bad-archive")
@pytest.mark.parametrize("damage", [_encrypted, _method_99, _elsewhere, _member_elsewhere, _not_utf_8])
def test_what_zipfile_cannot_read_is_damaged(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mémber", "content")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"a\.zip: the archive is truncated or damaged .*delete it and"):  # noqa: SIM117
        with open_zip(path) as archive:
            read_zip_member(path, archive, archive.namelist()[0], 10_000)


@pytest.mark.fault("bad-archive")
def test_any_byte_of_a_zip_may_be_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mémber", b"abc" * 50)
    whole = path.read_bytes()
    refused = 0
    for i in range(len(whole)):
        for byte in {0, 1, 99, 0x80, 0xFF, whole[i] ^ 0x20}:
            path.write_bytes(whole[:i] + bytes([byte]) + whole[i + 1 :])
            try:
                with open_zip(path) as archive:
                    for name in archive.namelist():
                        assert read_zip_member(path, archive, name, 10_000) in (b"abc" * 50, b"")
            except DataError:
                refused += 1
    assert refused > len(whole)


def test_a_fault_of_the_caller_is_not_called_damage(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x", "abc")
    with pytest.raises(ValueError, match="no number"), open_zip(tmp_path / "a.zip"):
        raise ValueError("no number")


BOMBS = {
    "facts": tarfile.XHDTYPE,
    "global facts": tarfile.XGLTYPE,
    "a long name": tarfile.GNUTYPE_LONGNAME,
    "a long link": tarfile.GNUTYPE_LONGLINK,
}


@pytest.mark.fault("archive-bomb")
@pytest.mark.parametrize("kind", BOMBS)
def test_a_small_tar_with_a_large_header_takes_little_memory(kind: str, tmp_path: Path) -> None:
    path, header = tmp_path / "a.tar.bz2", tarfile.TarInfo("x")
    header.type, header.size = BOMBS[kind], 20_000_000
    path.write_bytes(bz2.compress(header.tobuf() + bytes(header.size)))
    assert path.stat().st_size < 1000
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="20,000,000 bytes of facts on a member, more than 100,000"):
            list(stream_tar(path, 10))
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.fault("archive-bomb")
def test_what_is_skipped_is_limited_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, header = tmp_path / "a.tar.bz2", tarfile.TarInfo("x")
    header.size = 3_000_000
    path.write_bytes(bz2.compress(header.tobuf() + bytes(header.size) + bytes(1024)))
    assert list(stream_tar(path, 10, wanted=lambda name: False)) == []
    monkeypatch.setattr("pipeline.sources.archive.TOTAL_LIMIT", 2_000_000)
    with pytest.raises(DataError, match="more than 2,000,000 bytes once it is decompressed"):
        list(stream_tar(path, 10, wanted=lambda name: False))


@pytest.mark.fault("archive-bomb")
def test_a_file_with_holes_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.size, header.pax_headers = (
        0,
        {"GNU.sparse.size": "3000000000", "GNU.sparse.map": "0,0", "GNU.sparse.major": "0"},
    )
    path = tmp_path / "a.tar.xz"
    path.write_bytes(lzma.compress(header.tobuf(tarfile.PAX_FORMAT) + bytes(1024)))
    with pytest.raises(DataError, match="unsafe member 'x'"):
        list(stream_tar(path, 4_000_000_000))


def test_a_missing_member_is_answered_with_what_is_there(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("other.txt", "abc")
    with open_zip(tmp_path / "a.zip") as archive, pytest.raises(DataError, match=r"no member 'x'.* holds other.txt"):
        read_zip_member(tmp_path / "a.zip", archive, "x", 10)
