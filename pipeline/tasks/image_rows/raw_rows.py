"""Test images of image_rows as picture files, and an id of each labelled test image."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.evaluation.raw_rows import Ids, RawRows, hashed, read_probabilities, spread


def row_ids(encoded: Encoded, fold: int) -> Ids:
    """Return uint64 [test images]: a hash of pixels and label."""
    names = encoded.encoder["label_names"]
    pairs = zip(encoded.arrays["test_x"], encoded.arrays["test_y"], strict=True)
    return hashed(pixels.tobytes() + names[label].encode() for pixels, label in pairs)


def raw_rows(network: Mapping[str, Any], encoded: Encoded, stored: NDArray[Any], rows: int) -> RawRows:
    """Return at most `rows` test images as PNG in base64. stored: float [test images, classes], the predictions."""
    at = spread(len(stored), rows)
    return RawRows(
        [_png(pixels) for pixels in encoded.arrays["test_x"][at]], list(stored[at]), read_probabilities(encoded)
    )


def _png(pixels: NDArray[np.uint8]) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
