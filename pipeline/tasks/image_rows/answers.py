"""Answers of image_rows: the class of a picture file."""

import base64
import binascii
import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError
from pipeline.evaluation.network import LoadedNetwork
from pipeline.raw_input import MAX_PIXELS, Answer, bounded, check_time, class_answer, texts, warned
from pipeline.tasks.image_rows.prepare import probabilities

KINDS = ("PNG", "JPEG")  # Pillow's readers of all other kinds stay closed: some start programs
PNG_END = b"IEND\xaeB`\x82"
BRIGHT = 0.5  # mean of the training pictures from which transparent parts are laid on white


def answer(loaded: LoadedNetwork, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """Classify each picture file in base64: file → {label, probability, probabilities}.

    A picture is turned as its EXIF data say, laid on the ground of the training pictures where it is transparent,
    brought to 8 bits, and scaled to the size that the network was trained on. Only the first frame is read. Raises
    DataError for a file that is no PNG or JPEG, or is damaged, and for too many pixels in all.
    """
    files = [_decoded(i, text) for i, text in enumerate(texts(inputs, "a picture file in base64"))]
    bounded(sum(_size(i, file) for i, file in enumerate(files)), MAX_PIXELS, "pixels")
    read = [_read(i, file, loaded.encoder) for i, file in enumerate(files)]
    mirrored = getattr(loaded.row, "augment", False)
    p = probabilities(loaded.model, np.stack([pixels for pixels, _ in read]), mirrored=mirrored)
    return [
        warned(class_answer(loaded.encoder["label_names"], row), may_mislead)
        for row, (_, may_mislead) in zip(p, read, strict=True)
    ]


def _decoded(i: int, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"input {i}: not a picture file ({error}); give a PNG or JPEG") from None


def _size(i: int, file: bytes) -> int:
    """Count the pixels that the file's header announces. Nothing is unpacked."""
    picture = _opened(i, file)
    return int(picture.width * picture.height)


def _read(i: int, file: bytes, encoder: Mapping[str, Any]) -> tuple[NDArray[np.uint8], dict[str, bool]]:
    """Return uint8 [height, width, channels] as the network sees it, and the warnings that may apply."""
    check_time()
    height, width, channels = encoder["shape"]
    ground = 255 if np.mean(encoder["mean"]) >= BRIGHT else 0
    picture = _opened(i, file)
    frames = getattr(picture, "n_frames", 1) if picture.format == "PNG" else 1  # in a JPEG the others are previews
    try:
        if picture.format == "PNG" and PNG_END not in file:  # Pillow reads one whose last bytes are missing
            raise OSError("its end is missing")
        flat, transparent = _flat(picture, "RGB" if channels == 3 else "L", (width, height), ground)
    except Exception as error:  # whatever Pillow's readers make of foreign bytes
        reason = f"damaged: {error or type(error).__name__}"
        raise DataError(f"input {i}: not a picture file ({reason}); give a PNG or JPEG") from None
    small = f"the picture has fewer pixels than the {width} × {height} that the network sees, and was enlarged"
    return np.asarray(flat, np.uint8).reshape(height, width, channels), {
        small: picture.width < width or picture.height < height,
        f"transparent parts of the picture were laid on {'white' if ground else 'black'}": transparent,
        f"the picture has {frames} frames, and the first was read": frames > 1,
    }


def _opened(i: int, file: bytes) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # refused at fewer pixels
            return Image.open(io.BytesIO(file), formats=KINDS)
    except UnidentifiedImageError:
        raise DataError(f"input {i}: not a picture file (of another kind); give a PNG or JPEG") from None
    except Image.DecompressionBombError:
        raise DataError(f"input {i}: too many pixels; at most {MAX_PIXELS} are read") from None
    except Exception as error:  # a header that cannot be true
        raise DataError(f"input {i}: not a picture file ({error}); give a PNG or JPEG") from None


def _flat(picture: Any, mode: str, size: tuple[int, int], ground: int) -> tuple[Any, bool]:
    """Return the picture in `mode` (L or RGB) and `size`, upright, and whether parts of it were transparent.

    Transparent pixels are averaged by their opacity first, and then laid on the ground: no large copy is made.
    """
    from PIL import Image, ImageOps

    ImageOps.exif_transpose(picture, in_place=True)
    picture = _eight_bits(picture)
    if picture.has_transparency_data:
        picture = picture if picture.mode == "RGBA" else picture.convert("RGBA")
        if picture.getchannel("A").getextrema()[0] < 255:
            laid = Image.new("RGBA", size, (ground,) * 3 + (255,))
            return Image.alpha_composite(laid, picture.resize(size)).convert(mode), True
    return (picture if picture.mode == mode else picture.convert(mode)).resize(size), False


def _eight_bits(picture: Any) -> Any:
    """Return a grey picture of 16 bits in its high bytes, as Pillow reads 16-bit colours; others as they are.

    Pillow's own conversion would cut all values above 255.
    """
    from PIL import Image

    if not picture.mode.startswith("I"):
        return picture
    values, see_through = np.asarray(picture), picture.info.get("transparency")
    grey = Image.fromarray((values >> 8).clip(0, 255).astype(np.uint8))
    if see_through is None:
        return grey
    return Image.merge("LA", (grey, Image.fromarray(np.uint8(255) * (values != see_through))))
