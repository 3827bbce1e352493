import importlib.util
import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from cellwise.data import images
from cellwise.data.images import Images, read_image
from cellwise.errors import ConfigError, DataError

RED, BLUE = (255, 0, 0), (0, 0, 255)


def two_halves(width=40, height=20, mode="RGB"):
    """Red on the left, blue on the right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2], pixels[:, width // 2 :] = RED, BLUE
    return Image.fromarray(pixels).convert(mode)


def png(image):
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as stream:
        stream.writestr("photos/", "")
        stream.writestr("photos/one.png", png(two_halves()))
        stream.writestr("photos/two.png", png(two_halves()))
        stream.writestr("other/two.png", png(two_halves()))
        stream.writestr("broken.png", png(two_halves())[:60])
    return path


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK"])
def test_an_image_becomes_a_square_of_colours(tmp_path, mode):
    path = tmp_path / ("image.jpg" if mode == "CMYK" else "image.png")
    two_halves(mode=mode).save(path)
    pixels = read_image(path, 8)
    assert pixels.shape == (8, 8, 3) and pixels.dtype == np.uint8
    assert np.abs(pixels[:, :3].astype(int) - RED).max() < 30
    assert np.abs(pixels[:, 5:].astype(int) - BLUE).max() < 30


def test_a_large_photo_is_the_same_but_unpacked_at_less_than_full_size(tmp_path, monkeypatch):
    path = tmp_path / "large.jpg"
    two_halves(1600, 1200).save(path, quality=95)
    scaled = []
    resize = Image.Image.resize

    def watched(image, *given, **more):
        scaled.append(image.size)
        return resize(image, *given, **more)

    monkeypatch.setattr(Image.Image, "resize", watched)
    pixels = read_image(path, 32)
    assert max(scaled[0]) < 400
    assert np.abs(pixels[:, :14].astype(int) - RED).max() < 30
    assert np.abs(pixels[:, 18:].astype(int) - BLUE).max() < 30


def test_a_photo_on_its_side_is_put_upright(tmp_path):
    image = two_halves(32, 32)
    turned = image.getexif()
    turned[274] = 3  # upside down
    image.save(tmp_path / "turned.png", exif=turned)
    pixels = read_image(tmp_path / "turned.png", 32)
    assert tuple(pixels[0, 0]) == BLUE and tuple(pixels[0, -1]) == RED


def test_images_of_a_folder(tmp_path):
    two_halves().save(tmp_path / "one.png")
    found = Images(tmp_path, 16)
    assert "one.png" in found and "two.png" not in found and "" not in found
    assert found["one.png"].shape == (3, 16, 16) and found["one.png"].dtype == torch.uint8
    assert found["one.png"][:, 0, 0].tolist() == list(RED)
    assert found.read("one.png", 4).shape == (4, 4, 3)


def test_images_of_a_zip_file_have_short_names_where_these_are_alone(archive):
    found = Images(archive, 16)
    assert all(name in found for name in ("one.png", "photos/one.png", "other/two.png"))
    assert "two.png" not in found and "photos/" not in found
    assert torch.equal(found["one.png"], found["photos/one.png"])


def test_scaled_images_are_kept_as_far_as_there_is_room(tmp_path, monkeypatch):
    two_halves().save(tmp_path / "one.png")
    two_halves().save(tmp_path / "two.png")
    monkeypatch.setattr(images, "CACHE_BYTES", 3 * 16 * 16)
    found = Images(tmp_path, 16)
    assert found["one.png"] is found["one.png"]
    assert found["two.png"] is not found["two.png"]


def test_complaints(tmp_path, archive):
    text = tmp_path / "text.png"
    text.write_text("no image")
    cut = tmp_path / "cut.jpg"
    two_halves(200, 200).save(cut)
    cut.write_bytes(cut.read_bytes()[:-200])
    found = Images(archive, 16)
    for call, message in (
        (
            lambda: read_image(tmp_path / "gone.png", 8),
            f"there is no image {tmp_path / 'gone.png'}",
        ),
        (
            lambda: read_image(text, 8),
            f"{text} is no image that can be read: its format is unknown",
        ),
        (
            lambda: found["three.png"],
            f"there is no image 'three.png' in {archive}",
        ),
        (
            lambda: "a" in Images(text, 8),
            f"{text} is neither a folder nor a zip file: File is not a zip file",
        ),
        (
            lambda: "a" in Images(tmp_path / "gone", 8),
            f"there is no folder or zip file {tmp_path / 'gone'}",
        ),
        (lambda: read_image(tmp_path, 8), f"{tmp_path} cannot be read: Is a directory"),
    ):
        with pytest.raises(DataError) as error:
            call()
        assert str(error.value) == message
    with pytest.raises(DataError, match=r"cut\.jpg is no image that can be read: .*truncated"):
        read_image(cut, 8)
    with pytest.raises(DataError, match=r"images\.zip: broken\.png is no image that can be read"):
        found["broken.png"]


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "bomb.png"
    two_halves(200, 200).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match=r"bomb\.png is no image that can be read: .*pixels"):
        read_image(path, 8)


def test_a_damaged_zip_file_of_packed_images_is_refused(tmp_path):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as stream:
        stream.writestr("one.bmp", bytes(9999))
    data = bytearray(path.read_bytes())
    data[len("one.bmp") + 30] = 0xFF  # the first byte after the name: a block of no known kind
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"images\.zip: one\.bmp cannot be unpacked: .*block type"):
        Images(path, 8)["one.bmp"]


def test_a_damaged_zip_file_is_refused(archive):
    data = bytearray(archive.read_bytes())
    place = data.index(b"IDAT") + 6
    data[place] ^= 0xFF
    archive.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"images\.zip: photos/one\.png cannot be unpacked: "):
        Images(archive, 8)["photos/one.png"]


def test_without_pillow_it_says_what_to_install(tmp_path, monkeypatch):
    two_halves().save(tmp_path / "one.png")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "PIL" else find(name)
    )
    with pytest.raises(ConfigError) as error:
        read_image(tmp_path / "one.png", 8)
    assert str(error.value) == ("images need the library Pillow: pip install 'cellwise[images]'")


def test_sixteen_bits_are_scaled_and_numbers_of_no_known_range_are_refused(tmp_path):
    grey = (np.arange(64 * 64).reshape(64, 64) * 16).astype(np.uint16)
    Image.fromarray(grey).save(tmp_path / "deep.png")
    found = read_image(tmp_path / "deep.png", 64)
    np.testing.assert_array_equal(found[..., 0], (grey >> 8).astype(np.uint8))
    Image.fromarray(grey).save(tmp_path / "deep.pgm")
    np.testing.assert_array_equal(read_image(tmp_path / "deep.pgm", 64), found)
    side = Image.Exif()
    side[0x0112] = 6  # turn it a quarter to the right
    Image.fromarray(grey).save(tmp_path / "side.png", exif=side)
    turned = np.rot90((grey >> 8).astype(np.uint8), -1)
    np.testing.assert_array_equal(read_image(tmp_path / "side.png", 64)[..., 0], turned)
    Image.fromarray(np.random.rand(20, 20).astype(np.float32)).save(tmp_path / "real.tiff")
    with pytest.raises(DataError, match=r"its pixels are numbers of 32 bits \(mode F\), of which"):
        read_image(tmp_path / "real.tiff", 4)
