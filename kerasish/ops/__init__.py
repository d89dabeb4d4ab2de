"""Operations on tensors, with Keras's names and signatures."""

# cast
from .cast import cast, convert_to_numpy, convert_to_tensor, custom_gradient, dtype, is_tensor, stop_gradient

# shape
from .join import (
    append, array_split, concatenate, dsplit, dstack, hsplit, hstack, meshgrid, split, stack, unstack, vsplit, vstack,
)  # fmt: skip
from .shape import (
    broadcast_to, expand_dims, moveaxis, ndim, ravel, reshape, shape, size, squeeze, swapaxes, transpose, view,
)  # fmt: skip

# updates (steps of the optimizers; not part of Keras's namespace)
from . import updates

# matmul
from .matmul import dot, inner, matmul, outer, tensordot, vdot
# reduce
from .reduce import (
    all, amax, amin, any, argmax, argmin, average, count_nonzero, max, mean, min, prod, ptp, std, sum, var,
)  # fmt: skip
from .scan import cumprod, cumsum
