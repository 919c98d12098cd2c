"""Read handwritten digits, 8×8 pixels: the test part of the UCI "Optical Recognition" set, shipped with scikit-learn.

Both editions use the real data, written from the installed scikit-learn; nothing is downloaded. Licence: CC BY 4.0
(E. Alpaydin, C. Kaynak, UCI Machine Learning Repository). There is no published split of the 1,797 images.

digits.npz holds `pixels` uint8 [1797, 8, 8] with values 0 (paper) to 16 (ink), and `labels` uint8 [1797]. The first
row of the first image, a zero:

    0  0  5 13  9  1  0  0
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import artifacts
from pipeline.encoding.records import Images
from pipeline.errors import DataError
from pipeline.sources.card import Card, find_file

GENERATED = True
FILE = "digits.npz"
INK = 16

CARD = Card(
    title="Handwritten digits, 8×8",
    about="1,797 grey images of the digits 0–9, as shipped with scikit-learn.",
    homepage="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
    licence="CC BY 4.0 (UCI Machine Learning Repository)",
    example="label 0, first row of pixels: 0 0 5 13 9 1 0 0",
    forms=((),),
    how_to_get="written from the installed scikit-learn, the same in both editions",
)


def read(folder: Path) -> Images:
    """Read the images, uint8 [1797, 8, 8, 1]; the 17 ink levels are scaled to 0–255. There is no published split."""
    path = find_file(folder, (FILE,))
    pixels, labels = _arrays(path)
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (8, 8) or labels.shape != pixels.shape[:1]:
        raise DataError(
            f"{path}: found pixels {pixels.dtype} {list(pixels.shape)} and labels {list(labels.shape)}, "
            "expected pixels uint8 [n, 8, 8] and labels [n]"
        )
    if not pixels.size or pixels.max() > INK or labels.max() > 9:
        raise DataError(f"{path}: expected at least one image, ink levels 0–{INK} and labels 0–9")
    scaled = (pixels.astype(np.uint16) * 255 + INK // 2) // INK
    return Images(
        scaled.astype(np.uint8)[..., np.newaxis],
        labels.astype(np.int32),
        tuple(str(digit) for digit in range(10)),
        is_test=None,
        findings={"images": len(labels)},
    )


def synthesize(folder: Path, seed: int) -> None:
    """Write digits.npz from scikit-learn; `seed` is ignored, since the data is real."""
    del seed
    from sklearn.datasets import load_digits  # type: ignore[import-untyped, unused-ignore]

    bunch = load_digits()
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / FILE, pixels=bunch.images.astype(np.uint8), labels=bunch.target.astype(np.uint8))


def _arrays(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    stored = artifacts.load_arrays(path)
    missing = {"pixels", "labels"} - stored.keys()
    if missing:
        raise DataError(f"{path}: not an .npz file with arrays 'pixels' and 'labels' (without {', '.join(missing)})")
    return stored["pixels"], stored["labels"]
