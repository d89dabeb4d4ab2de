"""Samples of the recurrent ops. The values are checked in tests/kernels/test_rnn.py and tests/ops/test_rnn.py."""

import itertools

from kerasish.ops.rnn import gru_op, lstm_op, simple_rnn_op

from ..sample import Sample, rand

GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3}
VARIANTS = {
    "simple_rnn": [{"activation": "tanh"}, {"activation": "relu"}, {"activation": "linear"}],
    "lstm": [{}],
    "gru": [{"reset_after": True}, {"reset_after": False}],
}
OPS = {"simple_rnn": simple_rnn_op, "lstm": lstm_op, "gru": gru_op}
NOTE = "the layout of what is kept is the kernel's own; values and first gradients are compared in test_rnn.py"


def arrays(name, batch, time, n, mask):
    """x, the weights and the states; the mask."""
    gates = GATES[name]
    given = [rand(batch, time, gates * n), rand(n, gates * n, seed=1)]
    if name == "gru":
        given.append(rand(gates * n, seed=2))
    given += [rand(batch, n, seed=3 + k) for k in range(1 + (name == "lstm"))]
    return given, [rand(batch, time, seed=9) < 0.4] if mask else []


def samples():
    for name in GATES:
        for sequences, reverse, mask in itertools.product((True, False), (False, True), (False, True)):
            for variant in VARIANTS[name]:
                attrs = {"sequences": sequences, "reverse": reverse, **variant}
                batch, time, n = 3, 4, 5
                given, masks = arrays(name, batch, time, n, mask)
                yield Sample(name, (*given, *masks), attrs, note=NOTE)
                y, *kept = (t.numpy() for t in OPS[name](*given, *masks, **attrs))  # as float64 calls have it
                if name == "lstm":
                    del kept[0]  # c
                gs = [rand(*y.shape, seed=6)] + ([rand(batch, n, seed=7)] if name == "lstm" else [])
                yield Sample(
                    f"{name}_grad", (*given, y, *kept, *gs, *masks), attrs,
                    grad=tuple(len(given) + 1 + len(kept) + k for k in range(len(gs))), second=False, note=NOTE,
                )  # fmt: skip


SAMPLES = list(samples())
