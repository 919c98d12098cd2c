"""A picture gets the same class in every form of PNG and JPEG, and what is no whole picture is refused."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from pipeline.errors import DataError
from pipeline.tasks.image_rows import answers

GREY = (np.add.outer(np.arange(24), np.arange(20)) * 5).astype(np.uint8)  # 24 high, 20 wide, darkest at the top left
COLOUR = np.stack([GREY, GREY[::-1], np.full_like(GREY, 90)], axis=-1)
TO_GREY = {"shape": [8, 8, 1], "mean": [0.2]}
TO_COLOUR = {"shape": [8, 8, 3], "mean": [0.2] * 3}
Turn = Image.Transpose
# By EXIF orientation: how the stored pixels differ from the upright picture.
TURNED = {2: Turn.FLIP_LEFT_RIGHT, 3: Turn.ROTATE_180, 6: Turn.ROTATE_90, 8: Turn.ROTATE_270}


def file(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def read(content: bytes, encoder: dict[str, Any] = TO_GREY) -> tuple[Any, list[str]]:
    pixels, warnings = answers._read(0, content, encoder)
    return pixels.astype(int), [text for text, applies in warnings.items() if applies]


def exif(orientation: int) -> Image.Exif:
    made = Image.Exif()
    made[0x0112] = orientation
    return made


grey, colour = Image.fromarray(GREY), Image.fromarray(COLOUR)
SAME: dict[str, tuple[Callable[[], bytes], int]] = {  # the greatest difference of a pixel that the form brings along
    "grey": (lambda: file(grey), 0),
    "colours": (lambda: file(grey.convert("RGB")), 0),
    "palette": (lambda: file(grey.convert("P")), 0),
    "opaque grey": (lambda: file(grey.convert("LA")), 0),
    "opaque colours": (lambda: file(grey.convert("RGBA")), 0),
    "16 bits": (lambda: file(Image.fromarray(GREY.astype(np.uint16) * 257)), 0),
    "16 bits, low bytes": (lambda: file(Image.fromarray(GREY.astype(np.uint16) * 256 + 255 - GREY)), 0),
    "JPEG": (lambda: file(grey, "JPEG", quality=95), 2),
    "progressive JPEG": (lambda: file(grey, "JPEG", quality=95, progressive=True), 2),
    "CMYK JPEG": (lambda: file(grey.convert("CMYK"), "JPEG", quality=95), 2),
    "bytes behind the end": (lambda: file(grey) + bytes(100), 0),
    **{f"turned PNG {i}": (lambda i=i: file(grey.transpose(TURNED[i]), exif=exif(i)), 0) for i in TURNED},
    **{
        f"turned JPEG {i}": (lambda i=i: file(grey.transpose(TURNED[i]), "JPEG", quality=95, exif=exif(i)), 2)
        for i in TURNED
    },
}


def test_a_picture_is_seen_upright_and_scaled() -> None:
    """The brightness rises by 12.5 levels a column and 15 a row: 20 columns and 24 rows of steps of 5."""
    pixels, warnings = read(file(grey))
    assert pixels.shape == (8, 8, 1) and warnings == []
    assert np.abs(np.diff(pixels[1:7, 1:7, 0], axis=1) - 12.5).max() <= 1
    assert np.abs(np.diff(pixels[1:7, 1:7, 0], axis=0) - 15).max() <= 1


@pytest.mark.parametrize("form", SAME)
def test_a_picture_is_the_same_in_every_form(form: str) -> None:
    make, tolerance = SAME[form]
    for encoder in (TO_GREY, TO_COLOUR):
        pixels, warnings = read(make(), encoder)
        assert np.abs(pixels - read(file(grey), encoder)[0]).max() <= tolerance and warnings == []


def test_one_bit_is_black_and_white() -> None:
    pixels, _ = read(file(Image.fromarray(GREY > 100)))
    assert np.array_equal(pixels, read(file(Image.fromarray(np.uint8(255) * (GREY > 100))))[0])
    assert pixels.min() == 0 and pixels.max() == 255


def test_colours_of_16_bits_are_read_by_their_high_bytes() -> None:
    pixels, _ = read(file(colour), TO_COLOUR)
    assert pixels[0, 0, 2] == 90 and pixels[0, 0, 1] > pixels[0, 0, 0]
    for form in (colour.convert("RGBA"), colour.quantize(256)):
        assert np.abs(read(file(form), TO_COLOUR)[0] - pixels).max() <= 8  # 256 colours do not hold all of them


SEE_THROUGH = GREY.copy()
SEE_THROUGH[12:] = 77  # what the transparent pixels hide
OPACITY = np.full_like(GREY, 255)
OPACITY[12:] = 0


def transparent() -> dict[str, bytes]:
    layers = Image.fromarray(SEE_THROUGH), Image.fromarray(OPACITY)
    palette = np.where(OPACITY == 0, 255, np.minimum(GREY, 254)).astype(np.uint8)
    as_palette = Image.fromarray(palette).convert("P")
    return {
        "grey": file(Image.merge("LA", layers)),
        "colours": file(Image.merge("RGBA", (layers[0],) * 3 + layers[1:])),
        "palette": file(as_palette, transparency=255),
        "one grey": file(Image.fromarray(np.where(OPACITY == 0, 255, GREY).astype(np.uint8)), transparency=255),
        "one of 16 bits": file(
            Image.fromarray(np.where(OPACITY == 0, 65_535, GREY.astype(np.uint16) * 257).astype(np.uint16)),
            transparency=65_535,
        ),
    }


@pytest.mark.parametrize(
    ("mean", "ground", "name"), [(0.13, 0, "black"), (0.49, 0, "black"), (0.5, 255, "white"), (0.9, 255, "white")]
)
def test_transparent_parts_are_laid_on_the_training_pictures_ground(mean: float, ground: int, name: str) -> None:
    """Dark training pictures, such as white digits, have a black ground; bright ones a white one.

    Scaling overshoots at the edge of the parts, by up to 4 levels more or less than in a picture that was laid before.
    """
    laid = np.where(OPACITY == 0, ground, GREY).astype(np.uint8)
    for form, content in transparent().items():
        pixels, warnings = read(content, TO_GREY | {"mean": [mean]})
        assert np.abs(pixels - read(file(Image.fromarray(laid)))[0]).max() <= 4, form
        assert warnings == [f"transparent parts of the picture were laid on {name}"], form


def test_of_an_animated_picture_the_first_frame_is_read_and_that_is_said() -> None:
    moving = file(grey, save_all=True, append_images=[Image.fromarray(255 - GREY)] * 2)
    pixels, warnings = read(moving)
    assert np.array_equal(pixels, read(file(grey))[0])
    assert warnings == ["the picture has 3 frames, and the first was read"]


@pytest.mark.fault("picture-foreign")
@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "WEBP", "PPM", "EPS", "PDF", "ICO", "TGA"])
def test_other_kinds_never_reach_their_readers(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = file(grey, kind)
    monkeypatch.setattr("subprocess.check_call", lambda *_, **__: pytest.fail("a program was started"))
    with pytest.raises(DataError, match=r"^input 0: not a picture file \(of another kind\); give a PNG or JPEG$"):
        answers._size(0, content)


@pytest.mark.fault("picture-damaged")
def test_a_truncated_picture_is_refused_wherever_it_was_cut() -> None:
    rng = np.random.default_rng(0).integers(0, 255, (24, 20), np.uint8)
    for content in (file(Image.fromarray(rng)), file(Image.fromarray(rng), "JPEG")):
        for kept in [*range(0, len(content) - 8, 17), *range(len(content) - 8, len(content))]:
            with pytest.raises(DataError, match=r"^input 0: not a picture file \(.+\); give a PNG or JPEG$"):
                read(content[:kept])
    flipped = bytearray(file(grey))
    flipped[60] ^= 1  # in the pixels: the checksum tells
    with pytest.raises(DataError, match="not a picture file"):
        read(bytes(flipped))


@pytest.mark.fault("picture-bomb")
def test_pixels_of_all_pictures_are_counted_before_one_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda *_: pytest.fail("a picture was unpacked"))
    import base64
    from types import SimpleNamespace

    blank = base64.b64encode(_header(7_000, 7_000)).decode()
    model = SimpleNamespace(encoder=TO_GREY, row=None, model=None)
    with pytest.raises(DataError, match="the request has 588000000 pixels, and at most 50000000 are answered at once"):
        answers.answer(model, [blank] * 12, {})
    huge = base64.b64encode(_header(60_000, 60_000)).decode()
    with pytest.raises(DataError, match="input 0: too many pixels; at most 50000000 are read"):
        answers.answer(model, [huge], {})


def test_a_long_text_in_a_png_is_not_unpacked() -> None:
    """Of a kind that Pillow would unpack to any size."""
    text = PngImagePlugin.PngInfo()
    text.add_text("a", "x" * 10_000_000, zip=True)
    with pytest.raises(DataError, match="not a picture file"):
        read(file(grey, pnginfo=text))


def _header(width: int, height: int) -> bytes:
    import zlib

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x00\x00\x00\x00"
    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + size + zlib.crc32(b"IHDR" + size).to_bytes(4, "big")
    return head + b"\x00\x00\x00\x00IDAT" + zlib.crc32(b"IDAT").to_bytes(4, "big")
