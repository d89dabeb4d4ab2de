"""ops.image beyond its samples: dtypes, data formats, symbols, gradients, errors."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine.symbol import Symbol

from .errors import refuses

X = np.random.default_rng(0).random((2, 6, 9, 3)).astype("float32")
image = ops.image


def gradient(f, x):
    x = ops.convert_to_tensor(x)
    with keras.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    return tape.gradient(y, x).numpy()


def test_resize_keeps_the_dtype():
    for dtype in ("uint8", "int32", "float16", "float32", "float64"):
        x = (X * 255).astype(dtype)
        for method in ("nearest", "bilinear", "bicubic"):
            y = image.resize(x, (4, 5), method)
            assert y.dtype == dtype and y.shape == (2, 4, 5, 3)
    black_and_white = np.tile(np.array([0, 255], "uint8")[:, None, None], (4, 4, 1))
    assert image.resize(black_and_white, (23, 9), "bicubic").numpy().max() == 255


def test_resize_of_a_constant_is_constant():
    for method in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"):
        for antialias in (False, True):
            y = image.resize(np.full((5, 7, 1), 3.0, "float32"), (11, 3), method, antialias)
            np.testing.assert_allclose(y, 3.0, rtol=1e-6)


def test_data_formats_agree():
    first = X.transpose(0, 3, 1, 2)
    calls = [
        lambda x, f: image.resize(x, (4, 4), data_format=f),
        lambda x, f: image.resize(x, (4, 4), pad_to_aspect_ratio=True, data_format=f),
        lambda x, f: image.resize(x, (4, 4), crop_to_aspect_ratio=True, data_format=f),
        lambda x, f: image.rgb_to_grayscale(x, data_format=f),
        lambda x, f: image.rgb_to_hsv(x, data_format=f),
        lambda x, f: image.hsv_to_rgb(x, data_format=f),
        lambda x, f: image.extract_patches(x, 2, data_format=f),
        lambda x, f: image.pad_images(x, 1, 2, 3, 4, data_format=f),
        lambda x, f: image.crop_images(x, 1, 2, 1, 2, data_format=f),
    ]
    for call in calls:
        want = call(X, "channels_last").numpy()
        got = call(first, "channels_first").numpy().transpose(0, 2, 3, 1)
        np.testing.assert_allclose(got, want, rtol=1e-6)
        np.testing.assert_allclose(call(X[0], "channels_last"), want[0], rtol=1e-6)


def test_colours_there_and_back():
    np.testing.assert_allclose(image.hsv_to_rgb(image.rgb_to_hsv(X)), X, atol=1e-6)
    np.testing.assert_allclose(
        gradient(image.rgb_to_grayscale, X),
        np.broadcast_to(np.array([0.2989, 0.587, 0.114], "float32"), X.shape),
        rtol=1e-6,
    )


def test_patches_tile_the_image():
    y = image.extract_patches(X, 3).numpy().reshape(2, 2, 3, 3, 3, 3).transpose(0, 1, 3, 2, 4, 5).reshape(X.shape)
    np.testing.assert_array_equal(y, X)
    np.testing.assert_array_equal(
        gradient(lambda x: image.extract_patches(x, 3, 1), np.ones((1, 3, 4, 1))), [[[[1], [2], [2], [1]]] * 3]
    )


def test_symbols():
    x = Symbol((None, None, None, 3))
    assert image.resize(x, (4, 5)).shape == (None, 4, 5, 3)
    assert image.rgb_to_hsv(x).shape == (None, None, None, 3)
    assert image.rgb_to_grayscale(x).shape == (None, None, None, 1)
    assert image.extract_patches(x, 2).shape == (None, None, None, 12)
    assert image.pad_images(x, 1, 1, 1, 1).shape == (None, None, None, 3)
    assert image.crop_images(x, 1, 1, target_height=4, target_width=5).shape[0] is None
    y = image.crop_images(X, bottom_cropping=1, left_cropping=2, target_height=3, target_width=4)
    np.testing.assert_array_equal(y, X[:, 2:5, 2:6])


def test_warps_that_change_nothing():
    identity = [1.0, 0, 0, 0, 1, 0, 0, 0]
    corners = np.array([[0, 0], [8, 0], [0, 5], [8, 5]], "float32")
    for method in ("nearest", "bilinear"):
        np.testing.assert_allclose(image.affine_transform(X, identity, method), X, rtol=1e-6)
        np.testing.assert_allclose(image.perspective_transform(X, corners, corners, method), X, atol=1e-4)
    np.testing.assert_allclose(image.elastic_transform(X, alpha=0.0), X, rtol=1e-6)
    assert image.affine_transform((X * 255).astype("uint8"), identity).dtype == "uint8"


def test_elastic_transform_follows_its_seed():
    one, two, other = (image.elastic_transform(X, seed=s).numpy() for s in (3, 3, 4))
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - other).max() > 0.01


def test_gradients_of_warps():
    at = np.array([[0.25, 1.5], [1.75, 0.5]])
    np.testing.assert_allclose(
        gradient(lambda x: image.map_coordinates(x, at, 1), np.zeros((3, 3))),
        [[0, 0.1875, 0.5625], [0.25, 0.25 + 0.0625, 0.1875], [0.25, 0.25, 0]],
    )
    ramp = np.arange(12.0).reshape(3, 4)
    np.testing.assert_allclose(gradient(lambda c: image.map_coordinates(ramp, c, 1), at), [[4, 4], [1, 1]])
    shift = gradient(lambda t: image.affine_transform(ramp[..., None], t), [1.0, 0, 0.3, 0, 1, 0.2, 0, 0])
    assert np.isfinite(shift).all() and abs(shift[2]) > 0


def test_filters():
    white = np.ones((1, 9, 9, 2), "float32")
    np.testing.assert_allclose(image.gaussian_blur(white, 2 * [5])[:, 2:-2, 2:-2], 1.0, rtol=1e-6)
    edges = image.sobel_edges(np.broadcast_to(np.arange(9.0)[None, :, None, None], (1, 9, 9, 1)))
    np.testing.assert_allclose(edges[0, 1:-1, 1:-1, 0], np.broadcast_to([8.0, 0.0], (7, 7, 2)))
    assert float(image.ssim(X[0], X[1], filter_size=5)) < 0.9
    np.testing.assert_allclose(image.ssim(X, X, filter_size=5), [1, 1], rtol=1e-6)
    assert image.gaussian_blur((X * 255).astype("uint8")).dtype == "uint8"


REFUSED = [
    (
        lambda: image.map_coordinates(X[0, 0], [[0.0]], 1),
        "map_coordinates: `coordinates` has rank 2 or more and 2 rows.",
    ),
    (
        lambda: image.map_coordinates(X[0, 0], np.zeros((2, 3)), 3),
        "map_coordinates: `order` is 0 (nearest) or 1 (linear).",
    ),
    (lambda: image.map_coordinates(X[0, 0], np.zeros((2, 3)), 1, "edge"), "map_coordinates: `fill_mode` is one of"),
    (lambda: image.map_coordinates(X[0, :0, 0], np.zeros((2, 3)), 1), "map_coordinates: `inputs` needs a known shape"),
    (
        lambda: image.affine_transform(X, np.zeros((3, 8))),
        "affine_transform: `transform` has shape (8,) or (batch, 8).",
    ),
    (lambda: image.affine_transform(X, np.zeros(6)), "affine_transform: `transform` has shape (8,) or (batch, 8)."),
    (lambda: image.affine_transform(X, np.zeros(8), "bicubic"), "affine_transform: `interpolation` is one of"),
    (lambda: image.affine_transform(X, np.zeros(8), fill_mode="edge"), "affine_transform: `fill_mode` is one of"),
    (
        lambda: image.affine_transform(Symbol((1, None, 4, 3)), np.zeros(8)),
        "affine_transform: height, width and channels",
    ),
    (
        lambda: image.perspective_transform(X, np.zeros((4, 2)), np.zeros((3, 2))),
        "perspective_transform: `start_points`",
    ),
    (lambda: image.elastic_transform(X, sigma=0), "elastic_transform: `sigma` is positive."),
    (
        lambda: image.elastic_transform(Symbol((None, 4, 4, 3))),
        "elastic_transform: the number of images must be known.",
    ),
    (lambda: image.gaussian_blur(X, (0, 3)), "gaussian_blur: `kernel_size` and `sigma` are positive."),
    (lambda: image.gaussian_blur(X, 3), "gaussian_blur: `kernel_size` is two numbers."),
    (lambda: image.gaussian_blur(X[..., :0].sum(-1)[0, 0]), "gaussian_blur: images have rank 3 (one image) or 4"),
    (lambda: image.gaussian_blur(Symbol((1, 4, 4, None))), "gaussian_blur: the number of channels must be known."),
    (lambda: image.sobel_edges(X[0]), "sobel_edges: images have rank 4."),
    (lambda: image.ssim(X, X[:, :3]), "ssim: both images have the same shape."),
    (lambda: image.ssim(X, X), "ssim: images are at least 11 pixels high and wide (`filter_size`)."),
    (lambda: image.resize(X, (4, 0)), "resize: `size` is two positive integers, height and width."),
    (lambda: image.resize(X, (4,)), "resize: `size` is two positive integers, height and width."),
    (lambda: image.resize(X, (4, 4), "area"), "resize: `interpolation` is one of ('bilinear', 'nearest',"),
    (lambda: image.resize(X, (4, 4), fill_mode="reflect"), "resize: `fill_mode` is 'constant'."),
    (lambda: image.resize(X, (4, 4), "nearest", False, True, True), "resize: only one of `pad_to_aspect_ratio` and"),
    (lambda: image.resize(X[0, 0], (4, 4)), "resize: images have rank 3 (one image) or 4 (a batch of images)."),
    (
        lambda: image.resize(X, (4, 4), data_format="last"),
        "resize: `data_format` is 'channels_last' or 'channels_first'.",
    ),
    (lambda: image.resize(X[:, :0], (4, 4)), "resize: an axis without pixels cannot be resized."),
    (
        lambda: image.resize(Symbol((1, None, 4, 3)), (4, 4), crop_to_aspect_ratio=True),
        "resize: keeping the aspect ratio",
    ),
    (
        lambda: image.scale_and_translate(X, X.shape, [1.0], [0.0], (1,), "area"),
        "scale_and_translate: `method` is one of",
    ),
    (lambda: image.scale_and_translate(X, X.shape, [1.0], [0.0], (1, 2), "linear"), "scale_and_translate: `scale` and"),
    (
        lambda: image.scale_and_translate(X, (2, 6, 9, 1), [1.0], [0.0], (1,), "linear"),
        "scale_and_translate: `output_shape`",
    ),
    (
        lambda: image.scale_and_translate(Symbol((2, None, 9, 1)), (2, 6, 9, 1), [1.0], [0.0], (1,), "linear"),
        "scale_and_translate: the axes that are scaled must be of known length.",
    ),
    (lambda: image.rgb_to_grayscale(X[..., :2]), "rgb_to_grayscale: images have 3 channels (RGB) or 1 (grey)."),
    (lambda: image.rgb_to_hsv(X[..., :1]), "rgb_to_hsv: images have 3 channels."),
    (lambda: image.hsv_to_rgb(X.astype("int32")), "hsv_to_rgb: images are of a floating dtype."),
    (lambda: image.extract_patches(X, (1, 2, 3, 4)), "extract_patches: `size` has two or three numbers."),
    (lambda: image.extract_patches(X, 20), "extract_patches: the patches must fit into the images."),
    (lambda: image.extract_patches(X, 2, padding="full"), "extract_patches: `padding` is 'valid' or 'same'."),
    (lambda: image.extract_patches(X[0, 0], 2), "extract_patches: the rank is 3 (one) or 4 (a batch)."),
    (lambda: image.extract_patches(X, 2, data_format="last"), "extract_patches: `data_format` is 'channels_last'"),
    (lambda: image.extract_patches_3d(X[0], 2), "extract_patches_3d: the rank is 4 (one) or 5 (a batch)."),
    (
        lambda: image.pad_images(X, 1, 1),
        "pad_images: exactly two of top_padding, bottom_padding, target_height must be",
    ),
    (
        lambda: image.pad_images(X, 1, 1, 1, 1, 9),
        "pad_images: exactly two of top_padding, bottom_padding, target_height",
    ),
    (lambda: image.pad_images(X, 1, 1, -1, 1), "pad_images: `bottom_padding` must be at least 0."),
    (
        lambda: image.pad_images(X, 1, 1, target_height=5, target_width=10),
        "pad_images: `bottom_padding` must be at least 0.",
    ),
    (
        lambda: image.pad_images(Symbol((None, None, 4, 3)), 1, 1, target_height=5, target_width=10),
        "pad_images: `target_height` needs images of known size.",
    ),
    (
        lambda: image.crop_images(X, 1, 1, target_height=6, target_width=3),
        "crop_images: `bottom_cropping` must be at least 0",
    ),
    (lambda: image.crop_images(X, 4, 1, 4, 1), "crop_images: `target_height` must be at least 0."),
]


@pytest.mark.parametrize("call,message", REFUSED, ids=[m for _, m in REFUSED])
def test_refusals(call, message):
    refuses(call, message)


def test_patch_sizes_are_numbers():
    refuses(lambda: image.extract_patches(X, "2"), "extract_patches: `size` is an integer or a tuple.", TypeError)
