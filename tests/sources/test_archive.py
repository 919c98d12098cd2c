"""Unsafe, damaged and oversized archives are refused; nothing is ever written."""

import bz2
import io
import lzma
import tarfile
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


def test_a_missing_member_is_answered_with_what_is_there(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("other.txt", "abc")
    with open_zip(tmp_path / "a.zip") as archive, pytest.raises(DataError, match=r"no member 'x'.* holds other.txt"):
        read_zip_member(tmp_path / "a.zip", archive, "x", 10)
