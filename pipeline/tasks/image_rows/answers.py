"""Answers of image_rows: the class of a picture file."""

import base64
import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.errors import DataError
from pipeline.evaluation.network import LoadedNetwork
from pipeline.raw_input import MAX_PIXELS, Answer, class_answer, texts, warned


def answer(loaded: LoadedNetwork, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """Classify each picture file in base64: file → {label, probability, probabilities}.

    Pictures are scaled to the size that the network was trained on.
    """
    from pipeline.tasks.image_rows.network import probabilities

    height, width, channels = loaded.encoder["shape"]
    pictures = [_picture(i, text, channels) for i, text in enumerate(texts(inputs, "a picture file in base64"))]
    pixels = np.stack(
        [np.asarray(picture.resize((width, height)), np.uint8).reshape(height, width, channels) for picture in pictures]
    )
    p = probabilities(loaded.model, pixels, mirrored=getattr(loaded.row, "augment", False))
    small = f"the picture has fewer pixels than the {width} × {height} that the network sees, and was enlarged"
    return [
        warned(
            class_answer(loaded.encoder["label_names"], row), {small: picture.width < width or picture.height < height}
        )
        for picture, row in zip(pictures, p, strict=True)
    ]


def _picture(i: int, text: str, channels: int) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # refused below, at fewer pixels
            picture = Image.open(io.BytesIO(base64.b64decode(text, validate=True)))
        if picture.width * picture.height > MAX_PIXELS:
            raise DataError(f"input {i}: {picture.width} × {picture.height} pixels; at most {MAX_PIXELS} are read")
        return picture.convert("RGB" if channels == 3 else "L")
    except (ValueError, UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"input {i}: not a picture file ({error}); give a PNG or JPEG") from None
