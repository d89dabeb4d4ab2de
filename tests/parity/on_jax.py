"""Which comparisons need Keras on JAX. All others hold with Keras on NumPy too, which compiles nothing and is ten times
faster: the CI runs them there (`KERAS_BACKEND=numpy pytest -m "not jax"`), and these apart (`pytest -m jax`)."""

from __future__ import annotations

import re

TRAINING = "Keras on NumPy has no gradients"
REFUSED = "Keras on NumPy wants arrays, raises or warns where its other backends compute"
SLOW = "Keras on NumPy has XLA compile each convolution and pooling by itself, on JAX they are one program"
OTHERWISE = "Keras on NumPy gives another value, dtype or order than its other backends"

REASONS = {
    "test_zoo.py::test_(models_go_on_training|classes_of_a_users_own)": TRAINING,
    "test_training.py::": TRAINING,
    "test_rnn.py::test_training": TRAINING,
    "test_attention_layers.py::test_a_transformer_trains": TRAINING,
    "test_(conv|linalg|math).py::test_gradients": TRAINING,
    "parity/test_conv.py::": SLOW,
    "test_functional.py::test_keras_reads_our_configs": REFUSED,
    "test_legacy.py::test_h5_files_of_keras_3": TRAINING,
    "test_paths.py::test_what_is_stored_and_where": TRAINING,
    # XLA's convolutions, which Keras on NumPy calls, refuse the NumPy operands of some layers.
    r"test_layer_contract.py::test_parity_with_keras\[.*(Conv[123]D|TimeDistributed images)": REFUSED,
    r"test_zoo.py::test_every_layer\[layer_Softmax_axes": REFUSED,
    "test_losses.py::test_masks": REFUSED,
    r"test_losses.py::test_values\[SparseCategoricalCrossentropy.*ignore_class": OTHERWISE,
    r"test_metrics.py::test_values\[(AUC|Precision|Recall)": OTHERWISE,
    r"test_attention.py::test_values\[.*is_causal": REFUSED,
    r"test_einsum.py::test_products\[cross": OTHERWISE,
    "test_initializers.py::test_regularizers_and_constraints": REFUSED,
    "test_nn.py::test_(softmax|logsumexp|cross_entropies|batch|layer_and|moments)": REFUSED,
    r"test_op_graphs.py::test_keras_opens_the_graph\[(segment|one_hot|multi_hot|unravel_index|cholesky)": OTHERWISE,
    r"test_index.py::test_values\[(slice|scatter|one_hot|segment|top_k|in_top_k|unique"
    r"|istft|image.map|image.sobel)": OTHERWISE,
    r"test_reduce.py::test_(bins_and|nan_reductions)": REFUSED,
    r"test_reduce.py::test_(reductions|dtypes_of_reductions)\[.*(logsumexp|ptp)": REFUSED,
    "test_serialization.py::test_values": OTHERWISE,
    r"test_shape.py::test_values\[linspace.*retstep=True": OTHERWISE,
    "test_utils.py::test_to_categorical": REFUSED,
    # Its activations keep float16 and integers in another dtype.
    r"test_math.py::test_unary_dtypes_and_values\[(cbrt|deg2rad|rad2deg|erf|glu|log_sigmoid|leaky_relu|reciprocal"
    r"|rsqrt|sigmoid|silu|swish|threshold|[a-z]*elu6?|hard_\w+|soft\w+|sparse_\w+|squareplus|tanh_shrink)\]": OTHERWISE,
    r"test_math.py::test_binary_dtypes_and_values\[(bitwise_\w+|floor_divide|fmod|gcd|lcm|heaviside|hypot|left_shift"
    r"|right_shift|logaddexp2|mod|nextafter|power)\]": OTHERWISE,
}  # fmt: skip
_PATTERNS = {re.compile(pattern): reason for pattern, reason in REASONS.items()}


def reason_for_jax(nodeid: str) -> str | None:
    """Why a test needs Keras on JAX, or None."""
    return next((reason for pattern, reason in _PATTERNS.items() if pattern.search(nodeid)), None)
