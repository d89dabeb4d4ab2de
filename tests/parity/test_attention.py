"""dot_product_attention against Keras."""

import numpy as np
import pytest

from .compare import Case, check, check_symbolic, numbers

pytestmark = pytest.mark.parity

Q, K, V = numbers(2, 5, 4, 8), numbers(2, 7, 4, 8, seed=1), numbers(2, 7, 4, 8, seed=2)
FEW_K, FEW_V = K[:, :, :2].copy(), V[:, :, :2].copy()
BIAS, MASK = numbers(2, 4, 5, 7), numbers(2, 4, 5, 7, seed=3) > -0.3
DEAD = MASK & (np.arange(5) != 2)[:, None]  # the third query may attend to nothing
LONG = numbers(1, 300, 2, 8)

CASES = [
    Case("dot_product_attention", Q, K, V),
    Case("dot_product_attention", Q, K, V, scale=0.3),
    Case("dot_product_attention", Q, K, V, BIAS),
    Case("dot_product_attention", Q, K, V, mask=MASK),
    Case("dot_product_attention", Q, K, V, BIAS[:1, :1], MASK[:, :1]),
    Case("dot_product_attention", Q, K, V, is_causal=True),
    Case("dot_product_attention", Q, K, V, mask=MASK, is_causal=True),
    Case("dot_product_attention", Q, FEW_K, FEW_V, is_causal=True),
    Case("dot_product_attention", Q, K[:, :, :1].copy(), V[:, :, :1].copy()),
    Case("dot_product_attention", Q, K, V, mask=DEAD),
    Case("dot_product_attention", Q, K, V, mask=DEAD, is_causal=True),
    Case("dot_product_attention", Q, K, V, mask=np.arange(7)[None, None, None, :] < 4),
    Case("dot_product_attention", Q, K, V, mask=np.arange(7)[None, None, None, :] > 3, is_causal=True),
    Case("dot_product_attention", LONG, LONG, LONG, is_causal=True),
    Case("dot_product_attention", LONG, LONG, LONG, mask=np.arange(300)[None, None, None, :] > 200, is_causal=True),
]


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_values(case):
    check(case)


@pytest.mark.parametrize("case", [c for c in CASES if not c.kwargs], ids=repr)
def test_symbolic_shapes(case):
    check_symbolic(case)
