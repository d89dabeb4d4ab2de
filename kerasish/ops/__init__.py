"""Operations on tensors, with Keras's names and signatures."""

# By subject rather than by module name.
# ruff: noqa: I001

# cast
from .graph_cast import cast
from .cast import convert_to_numpy, convert_to_tensor, custom_gradient, dtype, is_tensor, stop_gradient

# checks of data, for metrics
from . import categories, checks, hashing

# elementwise
from .activation import (
    celu, elu, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_swish, hard_tanh, leaky_relu, log_sigmoid,
    relu, relu6, selu, sigmoid, silu, soft_shrink, softplus, softsign, sparse_plus, sparse_sigmoid, squareplus,
    swish, tanh_shrink, threshold,
)  # fmt: skip
from .bitwise import (
    bitwise_and, bitwise_invert, bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor,
    left_shift, right_shift,
)  # fmt: skip
from .compare import (
    allclose, equal, greater, greater_equal, heaviside, isclose, isfinite, isinf, isnan, isneginf, isposinf, less,
    less_equal, logical_and, logical_not, logical_or, logical_xor, nan_to_num, not_equal, select, signbit, where,
)  # fmt: skip
from .complex import angle, conj, conjugate, imag, isreal, polar, real, view_as_complex, view_as_real
from .elementary import (
    arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh, cbrt, cos, cosh, deg2rad, erf, erfc, erfinv, exp,
    exp2, expm1, i0, log, log10, log1p, log2, logaddexp, logaddexp2, rad2deg, sin, sinc, sinh, tan, tanh,
)  # fmt: skip
from .math import (
    abs, absolute, add, clip, divide, divide_no_nan, fabs, floor_divide, fmax, fmin, fmod, gcd, hypot, lcm, ldexp,
    maximum, minimum, mod, multiply, negative, nextafter, power, reciprocal, rsqrt, sign, sqrt, square, subtract,
    true_divide,
)  # fmt: skip
from .rounding import ceil, floor, round, trunc

# shape
from .creation import (
    arange, array, bartlett, blackman, copy, empty, empty_like, eye, full, full_like, geomspace, hamming, hanning,
    identity, kaiser, linspace, logspace, ones, ones_like, tri, vander, zeros, zeros_like,
)  # fmt: skip
from .diagonal import diag, diagflat, diagonal, tril, triu
from .gather import multi_hot, one_hot, take, take_along_axis
from .indexing import get_item
from .join import (
    append, array_split, concatenate, dsplit, dstack, hsplit, hstack, meshgrid, split, stack, unstack, vsplit, vstack,
)  # fmt: skip
from .pad import pad
from .repeat import flip, fliplr, flipud, repeat, roll, rot90, tile
from .scatter import scatter, scatter_update
from .segment import segment_max, segment_min, segment_prod, segment_sum
from .shape import (
    broadcast_to, expand_dims, moveaxis, ndim, ravel, reshape, shape, size, squeeze, swapaxes, transpose, view,
)  # fmt: skip
from .slices import diff, slice, slice_update
from .sort import (
    argpartition, argsort, in_top_k, isin, nonzero, searchsorted, sort, top_k, unique, unravel_index,
)  # fmt: skip

# declarations behind keras.random and keras.optimizers
from . import random, updates

# matmul
from .einsum import einsum
from .linalg import (
    cholesky, cholesky_inverse, det, eig, eigh, inv, jvp, logdet, lstsq, lu_factor, matrix_rank, norm, pinv, qr,
    slogdet, solve, solve_triangular, svd,
)  # fmt: skip
from .matmul import cross, dot, inner, kron, matmul, outer, tensordot, trace, vdot

# reduce
from .reduce import (
    all, amax, amin, any, argmax, argmin, average, count_nonzero, max, mean, min, prod, ptp, std, sum, var,
)  # fmt: skip
from .nanreduce import (
    nanargmax, nanargmin, nancumprod, nancumsum, nanmax, nanmean, nanmin, nanprod, nanstd, nansum, nanvar,
)  # fmt: skip
from .quantile import median, nanmedian, nanpercentile, nanquantile, percentile, quantile
from .scan import cumprod, cumsum
from .statistics import bincount, cdist, corrcoef, correlate, digitize, histogram, psnr, trapezoid

# softmax and cross-entropies
from .crossentropy import binary_crossentropy, categorical_crossentropy, sparse_categorical_crossentropy
from .softmax import log_softmax, logsumexp, softmax, sparsemax

# sequences
from .attention import dot_product_attention
from .ctc import ctc_loss

# normalization (batch_norm_training is not part of Keras's namespace)
from .batch_norm import batch_norm_training, batch_normalization
from .normalization import layer_normalization, moments, normalize, rms_normalization

# conv
from .conv import conv, conv_transpose, depthwise_conv, separable_conv
from .pool import adaptive_average_pool, adaptive_max_pool, average_pool, max_pool
from .unfold import fold, unfold

# control (after scan: the name `scan` is this function, not the module of cumulative sums)
from .control import cond, fori_loop, switch, while_loop
from .fft import extract_sequences, fft, fft2, ifft2, irfft, istft, rfft, stft
from .maps import associative_scan, map, scan, vectorize, vectorized_map
from .rearrange import depth_to_space, rearrange, space_to_depth
from .saturate import saturate_cast

# namespaces: some of the functions again under Keras's other names for them, and ops.image
from . import image, nn, numpy
