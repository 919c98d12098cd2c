"""cifar10: the JPEG form, and the official form of Python 2 pickles, written here opcode by opcode."""

import io
import os
import pickle
import shutil
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import DataError
from pipeline.sources import cifar10


def _text(value: bytes) -> bytes:
    return b"T" + struct.pack("<i", len(value)) + value


def _array(data: np.ndarray) -> bytes:
    """Pickle uint8 [n, m] as NumPy did under Python 2: byte strings, the old module name, a state with raw bytes."""
    shape = b"(" + b"".join(b"J" + struct.pack("<i", side) for side in data.shape) + b"t"
    dtype = b"cnumpy\ndtype\n(" + _text(b"u1") + b"K\x00K\x01tR(K\x03" + _text(b"|") + b"NNNJ\xff\xff\xff\xff" * 1
    dtype += b"J\xff\xff\xff\xffK\x00tb"
    empty = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t" + _text(b"b") + b"tR"
    return empty + b"(K\x01" + shape + dtype + b"\x89" + _text(data.tobytes()) + b"tb"


def _batch(data: np.ndarray, labels: list[int]) -> bytes:
    pairs = _text(b"batch_label") + _text(b"a batch") + _text(b"data") + _array(data)
    pairs += _text(b"labels") + b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + pairs + b"u."


def _official(folder: Path, **members: bytes) -> Path:
    with tarfile.open(folder / "cifar-10-python.tar.gz", "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return folder


def _whole(random: np.random.Generator) -> tuple[dict[str, np.ndarray], dict[str, bytes]]:
    names = [name.rpartition("/")[2] for name in cifar10.BATCHES]
    data = {name: random.integers(0, 256, (20, 3072), dtype=np.uint8) for name in names}
    # The published archive does not store the batches in the order 1 … 5, test.
    members = {name: _batch(data[name], [i % 10 for i in range(20)]) for name in reversed(names)}
    return data, members | {"batches.meta": b"not read", "readme.html": b"<html>"}


def test_official_form_is_read_in_order_and_as_rgb(tmp_path: Path) -> None:
    data, members = _whole(np.random.default_rng(1))
    record = cifar10.read(_official(tmp_path, **members))
    assert record.pixels.shape == (120, 32, 32, 3)
    assert record.is_test is not None
    assert record.is_test.tolist() == [False] * 100 + [True] * 20
    first = data["data_batch_1"][0]
    assert record.pixels[0, 0, 1].tolist() == [first[1], first[1024 + 1], first[2048 + 1]]
    assert record.pixels[0, 3, 0, 2] == first[2048 + 3 * 32]
    assert record.pixels[-1, 31, 31, 0] == data["test_batch"][19][1023]
    assert record.labels.tolist() == [i % 10 for i in range(20)] * 6
    assert record.label_names[:2] == ("airplane", "automobile")


def test_batches_pickled_by_todays_numpy_are_read_too(tmp_path: Path) -> None:
    data, members = _whole(np.random.default_rng(2))
    members |= {n: pickle.dumps({"data": data[n], "labels": [i % 10 for i in range(20)]}, protocol=4) for n in data}
    assert cifar10.read(_official(tmp_path, **members)).pixels.shape == (120, 32, 32, 3)


class _Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch pwned",)


def test_a_pickle_that_calls_something_is_refused_unexecuted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _, members = _whole(np.random.default_rng(1))
    members["data_batch_3"] = pickle.dumps({"data": _Evil()}, protocol=2)
    with pytest.raises(DataError, match=r"data_batch_3 cannot be read .*it imports (posix|nt)\.system, only NumPy"):
        cifar10.read(_official(tmp_path, **members))
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            _batch(np.zeros((20, 3071), np.uint8), [0] * 20),
            r"holds data uint8 \[20, 3071\], expected uint8 \[n, 3072\]",
        ),
        (_batch(np.zeros((20, 3072), np.uint8), [0] * 19), "expected a label 0–9 for each of its 20 images"),
        (_batch(np.zeros((20, 3072), np.uint8), [11] * 20), "expected a label 0–9"),
        (pickle.dumps({"labels": [1]}), "holds data NoneType"),
        (pickle.dumps([1, 2]), "cannot be read as a batch"),
        (b"\x80\x02}", "cannot be read as a batch"),
    ],
)
def test_other_batches_are_named(content: bytes, message: str, tmp_path: Path) -> None:
    _, members = _whole(np.random.default_rng(1))
    with pytest.raises(DataError, match=rf"cifar-10-batches-py/test_batch.* {message}"):
        cifar10.read(_official(tmp_path, **members | {"test_batch": content}))


def test_a_missing_batch_is_named(tmp_path: Path) -> None:
    _, members = _whole(np.random.default_rng(1))
    del members["data_batch_4"]
    with pytest.raises(DataError, match="no member cifar-10-batches-py/data_batch_4"):
        cifar10.read(_official(tmp_path, **members))


def _jpegs(folder: Path, *members: tuple[str, bytes]) -> Path:
    with tarfile.open(folder / "CIFAR-10-images.tar.xz", "w:xz", preset=0) as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return folder


def _image(size: tuple[int, int] = (32, 32), mode: str = "RGB", kind: str = "JPEG") -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size, 200 if mode == "L" else (200, 100, 50)).save(stream, kind)
    return stream.getvalue()


def _everything() -> list[tuple[str, bytes]]:
    return [(f"CIFAR-10-images/{p}/{c}/0000.jpg", _image()) for p in ("test", "train") for c in cifar10.CLASSES]


def test_jpeg_form_takes_label_and_part_from_the_name(tmp_path: Path) -> None:
    record = cifar10.read(_jpegs(tmp_path, *_everything(), ("CIFAR-10-images/train/cat/0001.jpg", _image(mode="L"))))
    assert record.labels.tolist() == [*range(10), *range(10), 3]
    assert record.is_test is not None
    assert record.is_test.tolist() == [True] * 10 + [False] * 11
    assert np.abs(record.pixels[0, 5, 5].astype(int) - (200, 100, 50)).max() < 6
    assert record.findings == {"train_images": 11, "test_images": 10}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train/cat/x.jpg", _image((64, 32)), "is 64×32 pixels, expected 32×32"),
        ("train/cat/x.jpg", _image(kind="PNG"), "is not a whole JPEG image"),
        ("train/cat/x.jpg", _image()[:300], "is not a whole JPEG image"),
        ("train/kitten/x.jpg", _image(), "expected e.g. 'CIFAR-10-images/train/airplane/0000.jpg'"),
        ("valid/cat/x.jpg", _image(), "expected e.g."),
    ],
)
def test_other_members_are_refused(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        cifar10.read(_jpegs(tmp_path, *_everything(), (f"CIFAR-10-images/{name}", content)))


def test_a_class_without_images_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no train image of class truck"):
        cifar10.read(_jpegs(tmp_path, *_everything()[:-1]))


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic")
    cifar10.synthesize(folder, 42)
    return folder


def _misfits(pixels: np.ndarray) -> np.ndarray:
    """Return float64 [images, classes]: how far the rows are from the nearest bands in the order of each class.

    The bands are fitted by dynamic programming: the least sum of squares over all bands of 3 to 5 rows that follow the
    order from any colour on; the last one may be cut.
    """
    means = pixels.astype(np.float64).mean(axis=2)
    gaps = ((means[:, :, None] - np.array(cifar10.HUES)) ** 2).sum(axis=3).transpose(1, 2, 0)  # [rows, hues, images]
    out = []
    for order in cifar10.ORDERS:
        cost = gaps[:, list(order)]
        fit = np.full((5, 5, len(pixels)), np.inf)  # [place in the order, rows of the band so far - 1, images]
        fit[:, 0] = cost[0]
        for row in range(1, 32):
            after = np.full_like(fit, np.inf)
            after[:, 1:] = fit[:, :-1]
            after[:, 0] = np.roll(fit[:, 2:].min(axis=1), 1, axis=0)
            fit = after + cost[row][:, None]
        out.append(fit.min(axis=(0, 1)))
    return np.stack(out, axis=1)


def test_the_order_of_the_colours_is_certain_and_only_flipped_labels_differ(synthetic: Path) -> None:
    record = cifar10.read(synthetic)
    assert record.is_test is not None and record.optimum is not None
    assert np.bincount(record.labels[~record.is_test]).tolist() == [120] * 10
    assert np.bincount(record.labels[record.is_test]).tolist() == [50] * 10
    misfits = _misfits(record.pixels)
    orders, (best, second) = misfits.argmin(axis=1), np.sort(misfits, axis=1).T[:2]
    assert (second > 1.5 * best).all()
    assert np.array_equal(record.optimum.argmax(axis=1), orders), "what the rows show is what the optimum says"
    assert record.optimum.sum(axis=1) == pytest.approx(1.0, abs=1e-6)
    assert set(record.optimum.round(6).ravel().tolist()) == set(np.float32([0.95, 0.05 / 9]).round(6).tolist())
    right = np.mean(orders == record.labels)
    assert abs(right - 0.95) < 3 * np.sqrt(0.95 * 0.05 / len(orders))


def test_flipped_labels_are_as_often_each_of_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10, "FLIPPED", 0.5)
    monkeypatch.setattr(cifar10, "_jpeg", lambda pixels: _image())
    cifar10.synthesize(tmp_path, 1)
    record = cifar10.read(tmp_path)
    assert record.optimum is not None
    shift = (record.optimum.argmax(axis=1) - record.labels) % 10
    flipped = np.bincount(shift, minlength=10)[1:]
    assert np.abs(flipped - 1_700 * 0.5 / 9).max() < 4 * np.sqrt(1_700 * 0.5 / 9)


def test_every_class_has_its_own_order_of_all_colours() -> None:
    turned = {order[order.index(0) :] + order[: order.index(0)] for order in cifar10.ORDERS}
    assert len(turned) == len(cifar10.CLASSES)
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in turned)


def test_colours_without_their_order_say_little_about_the_class(synthetic: Path) -> None:
    record = cifar10.read(synthetic)
    assert record.is_test is not None
    colours = record.pixels.reshape(len(record.labels), -1, 3).astype(np.float64).mean(axis=1)
    train, labels = colours[~record.is_test], record.labels[~record.is_test]
    centres = np.stack([train[labels == label].mean(axis=0) for label in range(10)])
    distances = ((colours[record.is_test][:, None] - centres) ** 2).sum(axis=2)
    assert (distances.argmin(axis=1) == record.labels[record.is_test]).mean() < 0.25


def test_the_optimum_of_other_images_is_refused(synthetic: Path, tmp_path: Path) -> None:
    shutil.copy(synthetic / "optimum.npz", tmp_path)
    with pytest.raises(DataError, match=r"posterior of 1,700 rows, the data have 20; run the download"):
        cifar10.read(_jpegs(tmp_path, *_everything()))
