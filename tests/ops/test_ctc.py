"""CTC loss: against all alignments counted one by one, errors, symbols."""

import itertools

import numpy as np
import pytest

import kerasish
from kerasish import ops

RNG = np.random.default_rng(0)


def by_enumeration(labels, logits, blank):
    """Minus the logarithm of the summed probability of all alignments."""
    p = np.exp(logits - logits.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    total = 0.0
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        collapsed = [c for k, c in enumerate(path) if (k == 0 or c != path[k - 1]) and c != blank]
        if collapsed == list(labels):
            total += np.prod([p[t, c] for t, c in enumerate(path)])
    return -np.log(total)


@pytest.mark.parametrize("labels", [[1], [1, 2], [1, 1], [2, 2, 1], []])
@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("steps", [3, 5])
def test_sum_over_alignments(labels, blank, steps):
    if blank == 2:
        labels = [0 if c == 2 else c for c in labels]
    if labels in ([2, 2, 1], [0, 0, 1]) and steps == 3:
        return  # too short: no alignment
    logits = RNG.normal(size=(1, 6, 3))
    target = np.array([labels + [blank] * (3 - len(labels))])
    got = ops.ctc_loss(target, logits, [len(labels)], [steps], mask_index=blank)
    np.testing.assert_allclose(np.asarray(got), [by_enumeration(labels, logits[0, :steps], blank)], rtol=1e-6)


def test_too_few_steps_give_a_large_finite_loss():
    loss = ops.ctc_loss([[1, 1, 1]], RNG.normal(size=(1, 3, 3)), [3], [3]).numpy()
    assert np.isfinite(loss).all() and loss[0] > 1e4


def test_gradient():
    target, lengths, steps = np.array([[1, 2, 2], [3, 0, 0]]), [3, 1], [6, 4]
    x = RNG.normal(size=(2, 6, 4))
    with kerasish.GradientTape() as tape:
        t = ops.convert_to_tensor(x)
        tape.watch(t)
        loss = ops.sum(ops.ctc_loss(target, t, lengths, steps))
    gradient = tape.gradient(loss, t).numpy()
    direction, h = RNG.normal(size=x.shape), 1e-6
    high, low = (float(ops.sum(ops.ctc_loss(target, x + s * h * direction, lengths, steps))) for s in (1, -1))
    np.testing.assert_allclose((gradient * direction).sum(), (high - low) / (2 * h), rtol=1e-6)
    assert (gradient[1, 4:] == 0).all()


def test_symbols():
    target, output = kerasish.KerasTensor((None, 3), dtype="int32"), kerasish.KerasTensor((None, 6, 4))
    length = kerasish.KerasTensor((None,), dtype="int32")
    assert ops.ctc_loss(target, output, length, length).shape == (None,)


@pytest.mark.parametrize(
    "shapes, message",
    [
        (
            ((2,), (2, 6, 4), (2,), (2,)),
            r"ctc_loss: the target has shape \(batch, labels\), the output .*target.shape=\(2,\)",
        ),
        (((2, 3), (2, 6, 4), (3,), (2,)), r"ctc_loss: there is one target_length for each sequence. Received"),
        (((2, 3), (4, 6, 4), (2,), (2,)), r"ctc_loss: there is one target_length for each sequence. Received"),
        (((2, 3), (2, 6, 4), (2,), ()), r"ctc_loss: there is one output_length for each sequence. Received"),
    ],
)
def test_errors(shapes, message):
    with pytest.raises(ValueError, match=message):
        ops.ctc_loss(*(np.ones(s) for s in shapes))


@pytest.mark.parity
def test_parity():
    import keras

    target = RNG.integers(1, 5, (4, 3))
    target[1, 1] = target[1, 0]
    logits = RNG.normal(size=(4, 9, 5)).astype("float32")
    lengths, steps = np.array([3, 3, 1, 0]), np.array([9, 7, 5, 9])
    theirs = np.asarray(keras.ops.ctc_loss(target, logits, lengths, steps))
    np.testing.assert_allclose(ops.ctc_loss(target, logits, lengths, steps).numpy(), theirs, rtol=1e-5)
