"""Random ops: uniform, normal and integer variates, dropout, and the functions of `keras.random`.

Bits come from Philox (csrc/random), keyed by a seed tensor of shape (2,): an element depends on the seed and on its
position only. The common distributions have the same bits on every machine; gamma, beta and binomial use NumPy's
samplers, whose values may change with the version of NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import core
from ..engine.config import floatx
from ..engine.dtype import FLOATS, INTEGERS, standardize_dtype
from ..engine.errors import invalid
from ..engine.op import C, Host, define_op
from ..engine.spec import Spec, standardize_shape
from ..engine.tensor import as_input
from .cast import cast, promote
from .seed_generator import check_seed, draw_seed

__all__ = [
    "beta", "binomial", "categorical", "dropout", "gamma", "normal", "randint", "shuffle", "truncated_normal",
    "uniform",
]  # fmt: skip


def _is_number(x: Any) -> bool:
    return isinstance(x, (int, float, np.integer, np.floating)) or (isinstance(x, np.ndarray) and x.ndim == 0)


def _float_dtype(where: str, dtype: Any) -> str:
    dtype = standardize_dtype(dtype or floatx())
    if dtype not in FLOATS:
        raise invalid(where, "the dtype must be a floating-point type", dtype=dtype)
    return dtype


def _draw(name: str, seed: np.ndarray, shape: tuple, dtype: str, i: tuple, f: tuple = ()) -> np.ndarray:
    """Runs one of the kernels from a host function."""
    out = core.empty(shape, dtype)
    core.run(core.find(name, "uint32"), (seed,), (out,), i, f, name)
    return out


# -- floating variates ---------------------------------------------------------------------------------------------


def _define_variates(name: str, *parameters: str) -> Any:
    def infer(seed: Spec, shape: tuple, dtype: str, **values: float) -> Spec:
        check_seed(name, seed)
        if dtype not in ("float32", "float64"):
            raise invalid(name, "the dtype must be float32 or float64", dtype=dtype)
        return Spec(shape, dtype)

    return define_op(
        name,
        inputs="seed",
        infer=infer,
        kernel=C(name, i=lambda specs, a: (0,), f=lambda specs, a: tuple(a[p] for p in parameters)),
        grad=None,
    )


random_uniform_op = _define_variates("random_uniform", "minval", "maxval")
random_normal_op = _define_variates("random_normal", "mean", "stddev")
random_truncated_normal_op = _define_variates("random_truncated_normal", "mean", "stddev")


def uniform(shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Draws uniformly from [minval, maxval).

    Args:
        shape: shape of the result.
        minval, maxval: bounds; numbers, or tensors that broadcast to `shape`.
        dtype: a floating-point type; by default `floatx`.
        seed: integer (the same values at each call), `SeedGenerator`, or None for the global generator.

    Raises:
        ValueError: for another dtype, or minval above maxval.

    >>> import kerasish as keras
    >>> x = keras.random.uniform((1000,), 2.0, 5.0, seed=1).numpy()
    >>> bool(x.min() >= 2 and x.max() < 5)
    True
    """
    dtype = _float_dtype("uniform", dtype)
    shape = standardize_shape(shape, "uniform", unknown=False)
    if not (_is_number(minval) and _is_number(maxval)):
        low, high, unit = promote(as_input(minval), as_input(maxval), uniform(shape, dtype=dtype, seed=seed))
        return cast(low + unit * (high - low), dtype)
    low, high = float(minval), float(maxval)
    if not (low <= high and math.isfinite(high - low)):
        raise invalid("uniform", "minval must be at most maxval, and both finite", minval=low, maxval=high)
    if dtype == "float16":  # the value below maxval must be one of float16
        last = float(np.nextafter(np.float16(high), np.float16(low)))
        return cast(random_uniform_op(draw_seed(seed), shape=shape, dtype="float32", minval=low, maxval=last), dtype)
    return random_uniform_op(draw_seed(seed), shape=shape, dtype=dtype, minval=low, maxval=high)


def _normal(where: str, op: Any, shape: Any, mean: Any, stddev: Any, dtype: Any, seed: Any) -> Any:
    dtype = _float_dtype(where, dtype)
    shape = standardize_shape(shape, where, unknown=False)
    seed = draw_seed(seed)
    wide = "float32" if dtype in ("float16", "bfloat16") else dtype
    if _is_number(mean) and _is_number(stddev):
        return cast(op(seed, shape=shape, dtype=wide, mean=float(mean), stddev=float(stddev)), dtype)
    z, mean, stddev = promote(op(seed, shape=shape, dtype=wide, mean=0.0, stddev=1.0), mean, stddev)
    return cast(z * stddev + mean, dtype)


def normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Draws from a normal distribution, by the method of Box and Muller.

    Args:
        shape: shape of the result.
        mean, stddev: numbers, or tensors that broadcast to `shape`.
        dtype: a floating-point type; by default `floatx`.
        seed: integer (the same values at each call), `SeedGenerator`, or None for the global generator.

    Raises:
        ValueError: for another dtype.

    >>> import kerasish as keras
    >>> x = keras.random.normal((10000,), mean=3.0, seed=1).numpy()
    >>> bool(abs(x.mean() - 3) < 0.05)
    True
    """
    return _normal("normal", random_normal_op, shape, mean, stddev, dtype, seed)


def truncated_normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Draws from a normal distribution cut off at two standard deviations, through the inverse of its distribution
    function.

    Args:
        shape: shape of the result.
        mean, stddev: of the normal distribution before it is cut off; numbers, or tensors that broadcast to `shape`.
        dtype: a floating-point type; by default `floatx`.
        seed: integer (the same values at each call), `SeedGenerator`, or None for the global generator.

    Raises:
        ValueError: for another dtype.

    >>> import kerasish as keras
    >>> x = keras.random.truncated_normal((10000,), seed=1).numpy()
    >>> bool(abs(x).max() <= 2)
    True
    """
    return _normal("truncated_normal", random_truncated_normal_op, shape, mean, stddev, dtype, seed)


# -- integers ------------------------------------------------------------------------------------------------------


def _signed(value: int) -> int:
    """The int64 with the low 64 bits of a Python int."""
    return (value + 2**63) % 2**64 - 2**63


def _integers_infer(seed: Spec, shape: tuple, minval: int, maxval: int, dtype: str) -> Spec:
    check_seed("randint", seed)
    if dtype not in INTEGERS:
        raise invalid("randint", "the dtype must be an integer type", dtype=dtype)
    info = np.iinfo(dtype)
    if not info.min <= minval < maxval <= int(info.max) + 1:
        raise invalid(
            "randint", f"[minval, maxval) must lie within {dtype} and not be empty", minval=minval, maxval=maxval
        )
    return Spec(shape, dtype)


random_integers_op = define_op(
    "random_integers",
    inputs="seed",
    infer=_integers_infer,
    kernel=C("random_integers", i=lambda specs, a: (0, _signed(a["minval"]), _signed(a["maxval"] - a["minval"]))),
    grad=None,
)


def randint(shape: Any, minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None) -> Any:
    """Draws integers uniformly from [minval, maxval).

    64 random bits are scaled to each value, so that the probabilities of two values differ by a factor of at most
    1 + (maxval - minval) / 2**64.

    Args:
        shape: shape of the result.
        minval, maxval: bounds, whole numbers.
        dtype: an integer type.
        seed: integer (the same values at each call), `SeedGenerator`, or None for the global generator.

    Raises:
        ValueError: for another dtype, an empty range, or one that does not fit the dtype.

    >>> import kerasish as keras
    >>> sorted(set(keras.random.randint((100,), 0, 3, seed=1).numpy().tolist()))
    [0, 1, 2]
    """
    dtype = standardize_dtype(dtype or "int32")
    bounds = []
    for name, value in (("minval", minval), ("maxval", maxval)):
        try:
            whole = int(value)
        except (TypeError, ValueError):
            raise invalid("randint", f"{name} must be a whole number", **{name: value}) from None
        if whole != value:
            raise invalid("randint", f"{name} must be a whole number", **{name: value})
        bounds.append(whole)
    shape = standardize_shape(shape, "randint", unknown=False)
    return random_integers_op(draw_seed(seed), shape=shape, minval=bounds[0], maxval=bounds[1], dtype=dtype)


# -- dropout -------------------------------------------------------------------------------------------------------


def _dropout_infer(x: Spec, seed: Spec, rate: float, noise_shape: tuple | None) -> Spec:
    check_seed("dropout", seed)
    if x.dtype not in FLOATS:
        raise invalid("dropout", "the inputs must be floating-point numbers", dtype=x.dtype)
    if not 0 <= rate <= 1:
        raise invalid("dropout", "the rate must be in [0, 1]", rate=rate)
    if noise_shape is not None and (
        len(noise_shape) != x.ndim
        or any(m is not None and m != 1 and d is not None and m != d for m, d in zip(noise_shape, x.shape))
    ):
        raise invalid(
            "dropout",
            "noise_shape must have an entry for each dimension: its size, 1 or None",
            inputs=x,
            noise=noise_shape,
        )
    return x


def _noise(shape: tuple, noise_shape: tuple | None) -> tuple:
    """The noise's shape where some of it is shared, else ()."""
    noise = tuple(d if m is None else m for m, d in zip(noise_shape or (), shape))
    return () if noise == tuple(shape) else noise


def _dropout_host(x: np.ndarray, seed: np.ndarray, rate: float, noise_shape: tuple | None) -> np.ndarray:
    bits = _draw("random_bits", seed, _noise(x.shape, noise_shape) or x.shape, "uint32", (0, 0))
    return np.where(bits < round((1 - rate) * 2**32), x / x.dtype.type(1 - rate), x.dtype.type(0))


def _decides(spec: Spec, attrs: dict) -> bool:
    """Whether an element has a decision of its own."""
    return not _noise(spec.shape, attrs["noise_shape"]) and attrs["rate"] < 1


_dropout_kernel: dict = {
    "i": lambda specs, a: _noise(specs[0].shape, a["noise_shape"]),
    "f": lambda specs, a: (a["rate"],),
}
dropout_op = define_op(
    "dropout",
    inputs="x seed",
    infer=_dropout_infer,
    kernel=C("dropout", host=_dropout_host, **_dropout_kernel),
    # Linear in x with a diagonal matrix that the seed gives back, so nothing need be kept; where both calls are in one
    # step, the executor keeps it all the same (`decides`), which is cheaper than to draw it again.
    grad=(lambda ctx, g: dropout_op(g, ctx.inputs[1], **ctx.attrs), None),
    saves="seed",
    inplace=((0, 0),),
    traits={"decides": ("dropout_kept", "dropout_again", _decides)},
)
# The executor puts these in place of several calls with one seed: the first, and the others.
define_op(
    "dropout_kept",
    inputs="x seed",
    outputs="y kept",
    infer=lambda x, seed, rate, noise_shape: (x, Spec(x.shape, "bool")),
    kernel=C("dropout", **_dropout_kernel),
    grad=None,
    inplace=((0, 0),),
)
define_op(
    "dropout_again",
    inputs="x kept",
    infer=lambda x, kept, rate, noise_shape: x,
    kernel=C("dropout_again", f=_dropout_kernel["f"]),
    grad=None,
    inplace=((0, 0),),
    kind="elementwise",
)


def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Sets elements to 0 with probability `rate` and divides the others by 1 - rate (Srivastava et al. 2014).

    Args:
        inputs: floating-point tensor.
        rate: in [0, 1].
        noise_shape: shape of the decisions, one entry for each dimension of `inputs`: 1 where they are shared along
            it, its size or None where they are not.
        seed: integer (the same values at each call), `SeedGenerator`, or None for the global generator.

    Raises:
        ValueError: for integers, another rate, or a noise_shape that does not fit.

    >>> import kerasish as keras
    >>> sorted(set(keras.random.dropout(keras.ops.ones((100,)), 0.5, seed=1).numpy().tolist()))
    [0.0, 2.0]
    """
    inputs = as_input(inputs)
    if noise_shape is not None:
        noise_shape = standardize_shape(noise_shape, "dropout")
    rate = float(rate)
    _dropout_infer(Spec(tuple(inputs.shape), inputs.dtype), Spec((2,), "uint32"), rate, noise_shape)
    if rate == 0:
        return cast(inputs, inputs.dtype)
    return dropout_op(inputs, draw_seed(seed), rate=rate, noise_shape=noise_shape)


# -- choices and orders --------------------------------------------------------------------------------------------


def _categorical_infer(logits: Spec, seed: Spec, num_samples: int, dtype: str) -> Spec:
    check_seed("categorical", seed)
    if logits.ndim != 2 or logits.shape[1] == 0:
        raise invalid("categorical", "logits must have shape (batch, classes) with at least one class", logits=logits)
    if logits.dtype not in FLOATS:
        raise invalid("categorical", "logits must be floating-point numbers", dtype=logits.dtype)
    if dtype not in INTEGERS:
        raise invalid("categorical", "the dtype must be an integer type", dtype=dtype)
    return Spec((logits.shape[0], num_samples), dtype)


def _categorical_host(logits: np.ndarray, seed: np.ndarray, num_samples: int, dtype: str) -> np.ndarray:
    logits = logits.astype("float64")
    top = logits.max(axis=1, keepdims=True)
    weights = np.cumsum(np.exp(logits - np.where(np.isfinite(top), top, 0)), axis=1)
    u = _draw("random_uniform", seed, (len(logits), num_samples), "float64", (0,), (0.0, 1.0)) * weights[:, -1:]
    out = np.empty(u.shape, dtype)
    for row, (w, v) in enumerate(zip(weights, u)):
        out[row] = np.minimum(np.searchsorted(w, v, side="right"), np.searchsorted(w, w[-1]))
    return out


categorical_op = define_op(
    "categorical", inputs="logits seed", infer=_categorical_infer, kernel=Host(_categorical_host), grad=None
)


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Draws class numbers with probabilities softmax(logits), through the inverse of the distribution function.

    Args:
        logits: log-probabilities up to a constant, shape (batch, classes).
        num_samples: draws for each row.
        dtype: an integer type.
        seed: integer (the same values at each call), `SeedGenerator`, or None for the global generator.

    Returns:
        Shape (batch, num_samples).

    Raises:
        ValueError: where logits have another rank or no class.

    >>> import kerasish as keras
    >>> keras.random.categorical([[-1e9, 0.0, -1e9]], 4, seed=1).numpy()
    array([[1, 1, 1, 1]], dtype=int32)
    """
    dtype = standardize_dtype(dtype or "int32")
    return categorical_op(as_input(logits), draw_seed(seed), num_samples=int(num_samples), dtype=dtype)


def _shuffle_infer(x: Spec, seed: Spec, axis: int, inverse: bool) -> Spec:
    check_seed("shuffle", seed)
    if not -x.ndim <= axis < x.ndim:
        raise invalid("shuffle", f"the axis must be in [-{x.ndim}, {x.ndim})", axis=axis, x=x)
    return x


def _shuffle_host(x: np.ndarray, seed: np.ndarray, axis: int, inverse: bool) -> np.ndarray:
    bits = _draw("random_bits", seed, (*x.shape, 2), "uint32", (0, 0)).view("uint64")[..., 0]
    order = np.argsort(bits, axis=axis, kind="stable")
    return np.take_along_axis(x, np.argsort(order, axis=axis) if inverse else order, axis)


shuffle_op = define_op(
    "shuffle",
    inputs="x seed",
    infer=_shuffle_infer,
    kernel=Host(_shuffle_host),
    # A permutation: its transpose is its inverse.
    grad=(lambda ctx, g: shuffle_op(g, ctx.inputs[1], axis=ctx.attrs["axis"], inverse=not ctx.attrs["inverse"]), None),
    saves="seed",
)


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Any:
    """Puts the elements along an axis in random order, for each position of the other axes on its own.

    Args:
        x: tensor.
        axis: the axis along which elements move.
        seed: integer (the same values at each call), `SeedGenerator`, or None for the global generator.

    Raises:
        ValueError: where there is no such axis.

    >>> import kerasish as keras
    >>> sorted(keras.random.shuffle([1, 2, 3, 4], seed=1).numpy().tolist())
    [1, 2, 3, 4]
    """
    return shuffle_op(as_input(x), draw_seed(seed), axis=int(axis), inverse=False)


# -- NumPy's samplers ----------------------------------------------------------------------------------------------


def _define_sampled(
    name: str, parameters: str, check: Callable[..., tuple | None], sample: Callable[..., np.ndarray]
) -> Any:
    """An op over NumPy's generator: sample(generator, *parameters, size); check gives what is wrong, or None."""
    names, where = parameters.split(), name.removeprefix("random_")

    def infer(*specs: Spec, shape: tuple, dtype: str) -> Spec:
        check_seed(name, specs[-1])
        for what, spec in zip(names, specs):
            if spec.ndim > len(shape) or any(
                d not in (1, None, n) for d, n in zip(reversed(spec.shape), reversed(shape))
            ):
                raise invalid(where, f"{what} must broadcast to the shape {shape}", **{what: spec})
        if dtype not in FLOATS:
            raise invalid(where, "the dtype must be a floating-point type", dtype=dtype)
        return Spec(shape, dtype)

    def host(*arrays: np.ndarray, shape: tuple, dtype: str) -> np.ndarray:
        *values, seed = arrays
        wrong = check(*values)
        if wrong is not None:
            what, rule = wrong
            raise invalid(where, f"{what} must be {rule}", value=values[names.index(what)].tolist())
        generator = np.random.Generator(np.random.Philox(key=seed.astype("uint64")))
        return np.asarray(sample(generator, *values, shape)).astype(dtype)

    return define_op(name, inputs=f"{parameters} seed", infer=infer, kernel=Host(host), grad=None)


def _positive(names: str) -> Callable[..., tuple | None]:
    def check(*values: np.ndarray) -> tuple | None:
        return next(((n, "positive") for n, v in zip(names.split(), values) if not np.all(v > 0)), None)

    return check


def _check_binomial(counts: np.ndarray, probabilities: np.ndarray) -> tuple | None:
    if not np.all((counts >= 0) & (counts == np.floor(counts))):
        return "counts", "whole numbers that are not negative"
    return None if np.all((probabilities >= 0) & (probabilities <= 1)) else ("probabilities", "in [0, 1]")


random_gamma_op = _define_sampled(
    "random_gamma", "alpha", _positive("alpha"), lambda generator, alpha, size: generator.standard_gamma(alpha, size)
)
random_beta_op = _define_sampled(
    "random_beta", "alpha beta", _positive("alpha beta"), lambda generator, a, b, size: generator.beta(a, b, size)
)
random_binomial_op = _define_sampled(
    "random_binomial",
    "counts probabilities",
    _check_binomial,
    lambda generator, n, p, size: generator.binomial(n.astype("int64"), p, size),
)


def gamma(shape: Any, alpha: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Draws from the gamma distribution with shape parameter alpha and scale 1.

    Args:
        shape: shape of the result.
        alpha: positive; broadcasts to `shape`.
        dtype: a floating-point type; by default `floatx`.
        seed: integer (the same values at each call), `SeedGenerator`, or None for the global generator.

    Raises:
        ValueError: where alpha is not positive or does not broadcast.

    >>> import kerasish as keras
    >>> x = keras.random.gamma((10000,), 4.0, seed=1).numpy()
    >>> bool(abs(x.mean() - 4) < 0.1)
    True
    """
    dtype, shape = _float_dtype("gamma", dtype), standardize_shape(shape, "gamma", unknown=False)
    return random_gamma_op(as_input(alpha), draw_seed(seed), shape=shape, dtype=dtype)


def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Draws from the beta distribution.

    Args:
        shape: shape of the result.
        alpha, beta: positive; broadcast to `shape`.
        dtype: a floating-point type; by default `floatx`.
        seed: integer (the same values at each call), `SeedGenerator`, or None for the global generator.

    Raises:
        ValueError: where alpha or beta is not positive or does not broadcast.

    >>> import kerasish as keras
    >>> x = keras.random.beta((10000,), 2.0, 6.0, seed=1).numpy()
    >>> bool(abs(x.mean() - 0.25) < 0.01)
    True
    """
    dtype, shape = _float_dtype("beta", dtype), standardize_shape(shape, "beta", unknown=False)
    return random_beta_op(as_input(alpha), as_input(beta), draw_seed(seed), shape=shape, dtype=dtype)


def binomial(shape: Any, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Draws how many of `counts` independent trials succeed, each with the given probability.

    Args:
        shape: shape of the result.
        counts: whole numbers; broadcast to `shape`.
        probabilities: in [0, 1]; broadcast to `shape`.
        dtype: a floating-point type; by default `floatx`.
        seed: integer (the same values at each call), `SeedGenerator`, or None for the global generator.

    Raises:
        ValueError: where counts or probabilities are out of range or do not broadcast.

    >>> import kerasish as keras
    >>> keras.random.binomial((3,), 10, [0.0, 1.0, 1.0], seed=1).numpy()
    array([ 0., 10., 10.], dtype=float32)
    """
    dtype, shape = _float_dtype("binomial", dtype), standardize_shape(shape, "binomial", unknown=False)
    return random_binomial_op(as_input(counts), as_input(probabilities), draw_seed(seed), shape=shape, dtype=dtype)
