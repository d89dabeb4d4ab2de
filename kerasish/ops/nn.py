"""The functions of neural networks under Keras's second name for them, `ops.nn`."""

# Names passed on, several to a line.
# ruff: noqa: F401, I001

from .activation import (
    celu, elu, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_swish, hard_tanh, leaky_relu, log_sigmoid,
    relu, relu6, selu, sigmoid, silu, soft_shrink, softplus, softsign, sparse_plus, sparse_sigmoid, squareplus,
    swish, tanh_shrink, threshold,
)  # fmt: skip
from .attention import dot_product_attention
from .batch_norm import batch_normalization
from .complex import polar
from .conv import conv, conv_transpose, depthwise_conv, separable_conv
from .crossentropy import binary_crossentropy, categorical_crossentropy, sparse_categorical_crossentropy
from .ctc import ctc_loss
from .gather import multi_hot, one_hot
from .normalization import layer_normalization, moments, normalize, rms_normalization
from .pool import adaptive_average_pool, adaptive_max_pool, average_pool, max_pool
from .rearrange import depth_to_space, space_to_depth
from .softmax import log_softmax, softmax, sparsemax
from .statistics import psnr
from .unfold import fold, unfold
