"""Images as arrays, files and back."""

import builtins
import io

import numpy as np
import pytest
from PIL import Image

from kerasish.utils import array_to_img, img_to_array, load_img, save_img


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_to_image_and_back(channels, mode, data_format):
    x = np.random.randint(0, 256, (5, 7, channels)).astype("float32")
    given = x if data_format == "channels_last" else x.transpose(2, 0, 1)
    img = array_to_img(given, data_format, scale=False)
    assert (img.size, img.mode) == ((7, 5), mode)
    back = img_to_array(img, data_format)
    assert back.dtype == "float32"
    assert np.array_equal(back, given)


def test_scale_stretches_the_values():
    got = img_to_array(array_to_img(np.array([[[-1.0], [0.0], [1.0]]])))
    assert got.ravel().tolist() == [0, 127, 255]
    assert img_to_array(array_to_img(np.full((1, 2, 1), 3.0))).ravel().tolist() == [0, 0]


def test_grayscale_beyond_8_bits():
    img = array_to_img(np.array([[[0.0], [70000.0]]]), scale=False)
    assert img.mode == "I"
    assert img_to_array(img, dtype="int64").ravel().tolist() == [0, 70000]


def test_files(tmp_path):
    x = np.random.randint(0, 256, (6, 4, 3))
    path = tmp_path / "a.png"
    save_img(path, x, scale=False)
    assert np.array_equal(img_to_array(load_img(path), dtype="int64"), x)
    assert load_img(str(path), color_mode="grayscale").mode == "L"
    assert load_img(io.BytesIO(path.read_bytes()), color_mode="rgba").mode == "RGBA"
    Image.fromarray(np.zeros((2, 2), "int32")).save(tmp_path / "i.tiff")
    assert load_img(tmp_path / "i.tiff", color_mode="grayscale").mode.startswith("I")


def test_jpeg_loses_transparency(tmp_path):
    with pytest.warns(UserWarning, match="save_img: JPEG has no transparency"):
        save_img(tmp_path / "a.jpg", np.zeros((2, 2, 4)))
    assert load_img(tmp_path / "a.jpg").mode == "RGB"


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "hamming", "box", "lanczos"])
def test_resize(tmp_path, interpolation):
    save_img(tmp_path / "a.png", np.random.rand(8, 10, 3))
    assert load_img(tmp_path / "a.png", target_size=(4, 6), interpolation=interpolation).size == (6, 4)


def test_resize_keeps_the_aspect_ratio(tmp_path):
    x = np.zeros((4, 8, 3), "uint8")
    x[:, 2:6] = 255
    save_img(tmp_path / "a.png", x, scale=False)
    cut = img_to_array(load_img(tmp_path / "a.png", target_size=(4, 4), keep_aspect_ratio=True))
    assert np.all(cut == 255)
    assert not np.all(img_to_array(load_img(tmp_path / "a.png", target_size=(4, 4))) == 255)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: array_to_img(np.zeros((2, 2))), ValueError, r"array_to_img: one image must have 3 axes. .*\(2, 2\)"),
        (lambda: array_to_img(np.zeros((2, 2, 5))), ValueError, "array_to_img: an image must have 1, 3 or 4 channels"),
        (lambda: img_to_array(np.zeros(2)), ValueError, "img_to_array: an image must have 2 or 3 axes"),
        (
            lambda: load_img("x", color_mode="cmyk"),
            ValueError,
            "load_img: color_mode must be one of grayscale, rgb, rgba",
        ),
        (lambda: load_img("x", interpolation="best"), ValueError, "load_img: interpolation must be one of nearest, "),
        (lambda: load_img(3), TypeError, "load_img: path must be a path or an io.BytesIO. Received: path=3"),
    ],
)
def test_errors(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_without_pillow(monkeypatch):
    real = builtins.__import__

    def no_pillow(name, *args, **kwargs):
        if name == "PIL":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_pillow)
    for call in (lambda: load_img("x"), lambda: array_to_img(np.zeros((1, 1, 1)))):
        with pytest.raises(ImportError, match=r'images need Pillow: pip install "kerasish\[images\]"'):
            call()
