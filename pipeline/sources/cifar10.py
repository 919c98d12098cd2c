"""Read CIFAR-10: 60,000 colour photographs of 32×32 pixels in ten classes, 50,000 for training, 10,000 for testing.

From A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. No explicit licence; cite that
report. Two forms:

CIFAR-10-images.tar.xz   JPEG files (quality 75, 4:2:0), so LOSSY: pixels differ from the official ones by about 28 dB.
                         One record: CIFAR-10-images/train/airplane/0000.jpg
cifar-10-python.tar.gz   the official archive: cifar-10-batches-py/data_batch_1 … 5 and test_batch, Python 2 pickles of
                         {'data': uint8 [10000, 3072], 'labels': [6, 9, …]}. A row holds 1024 red values, then 1024
                         green, then 1024 blue. The unpickler allows three NumPy names and refuses all others.
"""

import io
import lzma
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pipeline.encoding.records import Images
from pipeline.errors import DataError
from pipeline.sources.archive import stream_tar
from pipeline.sources.card import Card, RawFile, find_file
from pipeline.synthesis import optimum

GENERATED = False
JPEGS = "CIFAR-10-images.tar.xz"
PICKLES = "cifar-10-python.tar.gz"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32
JPEG_LIMIT = 100_000
BATCH_LIMIT = 64_000_000
BATCHES = (*(f"cifar-10-batches-py/data_batch_{i}" for i in range(1, 6)), "cifar-10-batches-py/test_batch")
SAMPLE_EACH = {"test": 50, "train": 120}
HUES = ((205, 55, 50), (70, 160, 70), (50, 70, 190), (225, 205, 70), (225, 225, 230))
ORDERS = (  # of HUES, one for each class; every second one is the one before it the other way round
    *((0, 1, 2, 3, 4), (0, 4, 3, 2, 1)),
    *((1, 0, 3, 4, 2), (1, 2, 4, 3, 0)),
    *((2, 0, 4, 1, 3), (2, 3, 1, 4, 0)),
    *((3, 0, 1, 4, 2), (3, 2, 4, 1, 0)),
    *((4, 0, 2, 1, 3), (4, 3, 1, 2, 0)),
)
HEIGHTS = (3, 6)  # rows of a band: at least the first, less than the second
STARTS_FIRST, FLIPPED, NOISE = 0.2, 0.05, 12.0
RECONSTRUCT = np.array(0).__reduce__()[0]  # NumPy's own function; its module has changed between versions
ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}

CARD = Card(
    title="CIFAR-10",
    about="60,000 photographs, 32×32 pixels, ten classes. The JPEG form (quality 75) is lossy, the official one not.",
    homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
    licence="No explicit licence; cite Krizhevsky 2009",
    example="CIFAR-10-images/train/airplane/0000.jpg: JPEG, 32×32, RGB",
    forms=(
        (
            RawFile(
                JPEGS,
                sha256="4962365caacaeb8153b2b944b2a3c8ad10b6d2280c6687bb635196b7826fd00a",
                size=18_784_420,
                url=None,
                magic=b"\xfd7zXZ\x00",
            ),
        ),
        (
            RawFile(
                PICKLES,
                sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
                size=None,
                url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                magic=b"\x1f\x8b",
            ),
        ),
    ),
)


def read(folder: Path) -> Images:
    """Read the images, uint8 [examples, 32, 32, 3] in RGB, with the published test part; classes are alphabetical."""
    path = find_file(folder, (JPEGS, PICKLES))
    pixels, labels, is_test = _from_jpegs(path) if path.name == JPEGS else _from_pickles(path)
    for part, chosen in (("train", ~is_test), ("test", is_test)):
        missing = sorted(set(range(len(CLASSES))) - set(labels[chosen].tolist()))
        if missing:
            raise DataError(f"{path}: no {part} image of class {', '.join(CLASSES[i] for i in missing)}")
    findings = {"train_images": int((~is_test).sum()), "test_images": int(is_test.sum())}
    posterior = optimum.load(folder, posterior=len(labels)).get("posterior")
    return Images(pixels, labels, CLASSES, is_test, findings, posterior)


Parts = tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.bool_]]


def _from_jpegs(path: Path) -> Parts:
    pixels, labels, is_test = bytearray(), [], []
    for name, content in stream_tar(path, JPEG_LIMIT):
        parts = name.split("/")
        if len(parts) != 4 or parts[1] not in SAMPLE_EACH or parts[2] not in CLASSES:
            raise DataError(f"{path}: member {name!r}, expected e.g. 'CIFAR-10-images/train/airplane/0000.jpg'")
        pixels += _decoded(path, name, content)
        labels.append(CLASSES.index(parts[2]))
        is_test.append(parts[1] == "test")
    array = np.frombuffer(pixels, dtype=np.uint8).reshape(-1, SIDE, SIDE, 3)
    return array, np.array(labels, dtype=np.int32), np.array(is_test, dtype=np.bool_)


def _decoded(path: Path, name: str, content: bytes) -> bytes:
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
            if image.size != (SIDE, SIDE):
                raise DataError(f"{path}: {name} is {image.size[0]}×{image.size[1]} pixels, expected {SIDE}×{SIDE}")
            return image.convert("RGB").tobytes()
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{path}: {name} is not a whole JPEG image ({error})") from error


class _OnlyArrays(pickle.Unpickler):
    """Unpickles lists, numbers, strings and NumPy arrays; refuses to import any other name."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it imports {module}.{name}, only NumPy arrays are allowed")
        return ALLOWED[module, name]


def _unpickled(path: Path, name: str, content: bytes) -> dict[bytes, Any]:
    try:
        # Python 2 wrote byte strings as keys; Python 3 writes them as text.
        batch = _OnlyArrays(io.BytesIO(content), encoding="bytes").load()
        return {k if isinstance(k, bytes) else str(k).encode(): v for k, v in batch.items()}
    except Exception as error:  # an unpickler can raise anything when it is given arbitrary bytes
        raise DataError(f"{path}: {name} cannot be read as a batch of images ({error})") from error


def _from_pickles(path: Path) -> Parts:
    batches = {n: _batch(path, n, content) for n, content in stream_tar(path, BATCH_LIMIT) if n in BATCHES}
    if missing := [name for name in BATCHES if name not in batches]:
        raise DataError(f"{path}: no member {', '.join(missing)} in the archive")
    planes = np.concatenate([batches[name][0] for name in BATCHES]).reshape(-1, 3, SIDE, SIDE)
    labels = np.concatenate([batches[name][1] for name in BATCHES])
    is_test = np.zeros(len(labels), dtype=np.bool_)
    is_test[len(labels) - len(batches[BATCHES[-1]][1]) :] = True
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels, is_test


def _batch(path: Path, name: str, content: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    batch = _unpickled(path, name, content)
    data, labels = batch.get(b"data"), batch.get(b"labels")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3 * SIDE**2:
        actual = f"{data.dtype} {list(data.shape)}" if isinstance(data, np.ndarray) else type(data).__name__
        raise DataError(f"{path}: {name} holds data {actual}, expected uint8 [n, 3072]")
    in_range = isinstance(labels, list) and all(isinstance(v, int) and 0 <= v < len(CLASSES) for v in labels)
    if not isinstance(labels, list) or not in_range or len(labels) != len(data):
        raise DataError(f"{path}: {name}: expected a label 0–9 for each of its {len(data)} images")
    return data, np.array(labels, dtype=np.int32)


def synthesize(folder: Path, seed: int) -> None:
    """Write CIFAR-10-images.tar.xz with 120 train and 50 test JPEGs per class, coloured bands, and the optimum.

    Every class has its own order of the same five colours, which the bands of an image follow round and round from top
    to bottom. An image shows every colour and what follows it, so its order is certain. With probability FLIPPED the
    label is another one, each equally likely; that alone makes the best possible predictor wrong.
    """
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    orders = []
    with lzma.open(folder / JPEGS, "wb", preset=1) as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for part, each in SAMPLE_EACH.items():
            for label, name in enumerate(CLASSES):
                for number in range(each):
                    flipped = random.random() < FLIPPED
                    order = (label + int(random.integers(1, len(CLASSES))) * flipped) % len(CLASSES)
                    content = _jpeg(_drawn(order, random))
                    member = tarfile.TarInfo(f"CIFAR-10-images/{part}/{name}/{number:04d}.jpg")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
                    orders.append(order)
    posterior = np.full((len(orders), len(CLASSES)), FLIPPED / (len(CLASSES) - 1), np.float32)
    posterior[np.arange(len(orders)), orders] = 1 - FLIPPED
    optimum.save(folder, posterior=posterior)


def _drawn(order: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw one image, uint8 [32, 32, 3]: bands in the colours of ORDERS[order], the topmost one at random.

    It is most often the first colour of the order, so that single pixels tell a little about the class.
    """
    start = 0 if random.random() < STARTS_FIRST else int(random.integers(len(HUES)))
    heights = random.integers(*HEIGHTS, size=SIDE // HEIGHTS[0] + 1)
    bands = np.repeat(start + np.arange(len(heights)), heights)[:SIDE] % len(HUES)
    rows = np.array(HUES, np.float64)[np.array(ORDERS[order])[bands]]
    image = rows[:, np.newaxis] + random.normal(0, NOISE, (SIDE, SIDE, 3))
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="JPEG", quality=75)
    return stream.getvalue()
