"""A small problem for classifiers of images."""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded, Images
from pipeline.tasks.image_rows.task import TASK
from tests.tasks.case import Case, Trained
from tests.tasks.odd import LONG_TEXT, answered, not_text, picture, refused

PNG = base64.b64decode(picture(np.zeros((8, 8, 1), np.uint8)))
JPEG = base64.b64decode(picture(np.zeros((40, 40, 3), np.uint8), "JPEG"))


def greys() -> Images:
    """Three classes, each brighter than the one before."""
    labels = np.arange(120, dtype=np.int32) % 3
    pixels = np.random.default_rng(0).integers(0, 120, (120, 8, 8, 1)) + 60 * labels[:, None, None, None]
    return Images(pixels.astype(np.uint8), labels, ("a", "b", "c"), None)


def truth(encoded: Encoded, split: str, fold: int) -> NDArray[Any]:
    return np.eye(len(encoded.encoder["label_names"]))[encoded.arrays[f"{split}_y"]]


def base64_of(*files: bytes) -> list[str]:
    return [base64.b64encode(file).decode() for file in files]


CASE = Case(
    task=TASK,
    record=greys(),
    row={},
    network={
        "units": 4,
        "dropout": 0.3,
        "augment": True,
        "optimizer": "adamw",
        "weight_decay": 0.05,
        "learning_rate": 0.01,
        "batch_size": 8,
        "restore_weights": "best",
    },
    truth=truth,
    odd=(
        *answered(picture(np.zeros((1, 1, 1), np.uint8)), picture(np.zeros((8, 8, 3), np.uint8))),
        *answered(picture(np.zeros((300, 2, 3), np.uint8), "JPEG")),
        *not_text("a picture file in base64"),
        *refused(
            r"^input 0: not a picture file \(.+\); give a PNG or JPEG$",
            *("", "🙂", "not base64", "ü", LONG_TEXT, "A" * 100_000),
            *base64_of(
                b"\x89PNG\r\n\x1a\n" + bytes(100), PNG[:40], PNG[:50], PNG[:-4], PNG[:-20] + bytes(20), JPEG[:300]
            ),
        ),
    ),
    trained=Trained(
        name="digits",
        source="digits",
        dataset={},
        experiment={"units": 8, "augment": True, "epochs": 1, "learning_rate": 0.01},
        figures=frozenset({"top1_accuracy"}),
        baselines=frozenset({"majority", "logistic regression", "k-means patches"}),
        fine="iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==",
        tested=lambda encoded: len(encoded.arrays["test_y"]),
        right_or_wrong=True,
        skewed=lambda encoder: encoder | {"label_names": encoder["label_names"][::-1]},
    ),
)
