"""unfold and fold: symbols, and every error they give."""

from __future__ import annotations

import numpy as np
import pytest

from kerasish import ops
from kerasish.engine.symbol import Symbol


def test_symbols_with_unknown_sizes():
    assert ops.unfold(Symbol((None, 2, 4, 6)), 2, stride=2).shape == (None, 8, 6)
    assert ops.unfold(Symbol((None, None, None, 6)), 2).shape == (None, None, None)
    assert ops.fold(Symbol((None, 8, 6)), (4, 6), 2, stride=2).shape == (None, 2, 4, 6)
    assert ops.fold(Symbol((None, None, None)), 4, 2, stride=2).shape == (None, None, 4, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.unfold(np.ones((2, 4, 4)), 2),
            r"unfold: `x` must have rank 4: \(batch, channels, height, width\)\. Received: x\.shape=\(2, 4, 4\)",
        ),
        (
            lambda: ops.unfold(np.ones((1, 2, 4, 4)), 5),
            r"unfold: the window does not fit the input .*sizes=\(4, 4\), kernel_size=\(5, 5\)",
        ),
        (
            lambda: ops.unfold(np.ones((1, 2, 4, 4)), 2, padding=-1),
            r"unfold: `padding` must be at least 0\. Received: padding=-1",
        ),
        (lambda: ops.unfold(np.ones((1, 2, 4, 4)), 2, stride=0), r"unfold: `stride` must be at least 1"),
        (
            lambda: ops.unfold(np.ones((1, 2, 4, 4)), (1, 2, 3)),
            r"unfold: `kernel_size` must be an integer or 2 integers",
        ),
        (
            lambda: ops.fold(np.ones((8, 4)), 4, 2),
            r"fold: `x` must have rank 3: .* Received: x\.shape=\(8, 4\)",
        ),
        (
            lambda: ops.fold(np.ones((1, 7, 4)), 4, 2, stride=2),
            r"fold: the second dimension of `x` must be a multiple of the 4 cells of the kernel\. .*\(1, 7, 4\)",
        ),
        (
            lambda: ops.fold(np.ones((1, 8, 5)), 4, 2, stride=2),
            r"fold: `x` must have one column for each of the 4 blocks of the output\. .*\(1, 8, 5\)",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
