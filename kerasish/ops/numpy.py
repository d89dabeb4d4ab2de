"""The functions that NumPy has, too, under Keras's second name for them, `ops.numpy`."""

# Names passed on, several to a line.
# ruff: noqa: F401, I001

from .bitwise import (
    bitwise_and, bitwise_invert, bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor,
    left_shift, right_shift,
)  # fmt: skip
from .compare import (
    allclose, equal, greater, greater_equal, heaviside, isclose, isfinite, isinf, isnan, isneginf, isposinf, less,
    less_equal, logical_and, logical_not, logical_or, logical_xor, nan_to_num, not_equal, select, signbit, where,
)  # fmt: skip
from .complex import angle, conj, conjugate, imag, isreal, real
from .creation import (
    arange, array, bartlett, blackman, copy, empty, empty_like, eye, full, full_like, geomspace, hamming, hanning,
    identity, kaiser, linspace, logspace, ones, ones_like, tri, vander, zeros, zeros_like,
)  # fmt: skip
from .diagonal import diag, diagflat, diagonal, tril, triu
from .einsum import einsum
from .elementary import (
    arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh, cbrt, cos, cosh, deg2rad, exp, exp2, expm1, i0, log,
    log10, log1p, log2, logaddexp, logaddexp2, rad2deg, sin, sinc, sinh, tan, tanh,
)  # fmt: skip
from .gather import take, take_along_axis
from .indexing import get_item
from .inverses import slogdet
from .join import (
    append, array_split, concatenate, dsplit, dstack, hsplit, hstack, meshgrid, split, stack, vsplit, vstack,
)  # fmt: skip
from .maps import vectorize
from .math import (
    abs, absolute, add, clip, divide, divide_no_nan, fabs, floor_divide, fmax, fmin, fmod, gcd, hypot, lcm, ldexp,
    maximum, minimum, mod, multiply, negative, nextafter, power, reciprocal, sign, sqrt, square, subtract,
    true_divide,
)  # fmt: skip
from .rounding import ceil, floor, round, trunc
from .matmul import cross, dot, inner, kron, matmul, outer, tensordot, trace, vdot
from .nanreduce import (
    nanargmax, nanargmin, nancumprod, nancumsum, nanmax, nanmean, nanmin, nanprod, nanstd, nansum, nanvar,
)  # fmt: skip
from .pad import pad
from .quantile import median, nanmedian, nanpercentile, nanquantile, percentile, quantile
from .reduce import (
    all, amax, amin, any, argmax, argmin, average, count_nonzero, max, mean, min, prod, ptp, std, sum, var,
)  # fmt: skip
from .repeat import flip, fliplr, flipud, repeat, roll, rot90, tile
from .scan import cumprod, cumsum
from .shape import broadcast_to, expand_dims, moveaxis, ndim, ravel, reshape, size, squeeze, swapaxes, transpose, view
from .slices import diff
from .sort import argpartition, argsort, isin, nonzero, searchsorted, sort, unique, unravel_index
from .statistics import bincount, corrcoef, correlate, digitize, histogram, trapezoid
