"""Ops that have no lowering, and why. What is in neither table is refused without a reason."""

from __future__ import annotations

from .table import no_lowering

no_lowering(
    "it draws random numbers, and ONNX cannot repeat them; export a model whose inference is not random",
    "next_seed random_uniform random_normal random_truncated_normal random_integers dropout categorical shuffle "
    "random_gamma random_beta random_binomial",
)
no_lowering(
    "it is computed by NumPy's linear algebra, which ONNX does not have",
    "cofactor det slogdet inv pinv matrix_rank solve solve_triangular cholesky eig eigh lu_factor qr svd "
    "singular_values",
)
no_lowering(
    "ONNX runtimes have no complex numbers",
    "real imag angle conjugate polar modulus view_as_complex view_as_real fft rfft irfft",
)
no_lowering(
    "it belongs to a gradient, and files hold inference alone",
    "scatter_kept scatter_shares scatter_others segment_shares segment_others quantile_spread quantile_pick "
    "max_pool_pick adaptive_max_pool_pick saturate_mask",
)
no_lowering(
    "the shape of its result depends on the data",
    "nonzero unique bincount",
)
no_lowering("ONNX has no operator for these hash functions", "hash_buckets hash_cross")
