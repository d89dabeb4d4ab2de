"""NumPy references of the recurrent kernels: forwards step by step, and backwards by the chain rule of one step."""

from __future__ import annotations

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


ACTIVATIONS = {
    "tanh": (np.tanh, lambda y: 1 - y * y),
    "relu": (lambda x: np.maximum(x, 0), lambda y: (y > 0).astype(y.dtype)),
    "linear": (lambda x: x, np.ones_like),
}


def simple_rnn_step(x, u, h, activation="tanh"):
    """The state after a step, and what maps its gradient to those of (x's columns, u, h)."""
    f, slope = ACTIVATIONS[activation]
    y = f(x + h @ u)

    def back(g):
        z = g * slope(y)
        return z, h.T @ z, z @ u.T

    return y, back


def lstm_step(x, u, h, c):
    i, f, g, o = np.split(x + h @ u, 4, axis=1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c2 = f * c + i * g
    tc = np.tanh(c2)

    def back(dh, dc):
        dc = dc + dh * o * (1 - tc * tc)
        z = np.concatenate(
            [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g), dh * tc * o * (1 - o)], axis=1
        )
        return z, h.T @ z, z @ u.T, dc * f

    return (o * tc, c2), back


def gru_step(x, u, bias, h, reset_after):
    n = h.shape[1]
    q = h @ u[:, : 2 * n] + bias[: 2 * n]
    z, r = sigmoid(x[:, :n] + q[:, :n]), sigmoid(x[:, n : 2 * n] + q[:, n:])
    un, bn = u[:, 2 * n :], bias[2 * n :]
    p = h @ un + bn if reset_after else (r * h) @ un + bn
    a = np.tanh(x[:, 2 * n :] + (r * p if reset_after else p))

    def back(g):
        dz, da = g * (h - a) * z * (1 - z), g * (1 - z) * (1 - a * a)
        dh, dun = g * z, None
        if reset_after:
            dp, dr = da * r, da * p * r * (1 - r)
            dun, dh = h.T @ dp, dh + dp @ un.T
        else:
            dp, to = da, da @ un.T
            dr = to * h * r * (1 - r)
            dun, dh = (r * h).T @ da, dh + to * r
        zr = np.concatenate([dz, dr], axis=1)
        du = np.concatenate([h.T @ zr, dun], axis=1)
        return np.concatenate([zr, da], axis=1), du, np.concatenate([zr, dp], axis=1).sum(0), dh + zr @ u[:, : 2 * n].T

    return z * h + (1 - z) * a, back


def times(x, reverse):
    return range(x.shape[1])[:: -1 if reverse else 1]


def keep(mask, t, new, old):
    return new if mask is None else np.where(mask[:, t, None], new, old)


def simple_rnn(x, u, h0, mask=None, sequences=True, reverse=False, activation="tanh"):
    h, ys = h0, []
    for t in times(x, reverse):
        h = keep(mask, t, simple_rnn_step(x[:, t], u, h, activation)[0], h)
        ys.append(h)
    return np.stack(ys, 1) if sequences else h


def lstm(x, u, h0, c0, mask=None, sequences=True, reverse=False):
    h, c, ys = h0, c0, []
    for t in times(x, reverse):
        (h2, c2), _ = lstm_step(x[:, t], u, h, c)
        h, c = keep(mask, t, h2, h), keep(mask, t, c2, c)
        ys.append(h)
    return (np.stack(ys, 1) if sequences else h), c


def gru(x, u, bias, h0, mask=None, sequences=True, reverse=False, reset_after=True):
    h, ys = h0, []
    for t in times(x, reverse):
        h = keep(mask, t, gru_step(x[:, t], u, bias, h, reset_after)[0], h)
        ys.append(h)
    return np.stack(ys, 1) if sequences else h


def backwards(x, params, states, step, grads, mask, sequences, reverse):
    """Gradients to x, the parameters and the first states; `grads`: to y, and to further last states.

    `step(x_t, *params, *states)` gives (new states, back).
    """
    many = len(states) > 1
    saved = []
    for t in times(x, reverse):
        new, back = step(x[:, t], *params, *states)
        saved.append((t, back))
        states = [keep(mask, t, a, b) for a, b in zip(new if many else [new], states)]
    g, *rest = grads
    d = [np.zeros_like(states[0]) if sequences else g, *rest]
    dx, dparams = np.zeros_like(x), [np.zeros_like(p) for p in params]
    for k, (t, back) in reversed(list(enumerate(saved))):
        if sequences:
            d[0] = d[0] + g[:, k]
        on = [keep(mask, t, v, np.zeros_like(v)) for v in d]
        dx[:, t], *out = back(*on)
        for total, part in zip(dparams, out):
            total += part
        d = [keep(mask, t, a, b) for a, b in zip(out[len(params) :], d)]
    return (dx, *dparams, *d)


def simple_rnn_grad(x, u, h0, g, mask=None, sequences=True, reverse=False, activation="tanh"):
    def step(*args):
        return simple_rnn_step(*args, activation)

    return backwards(x, [u], [h0], step, [g], mask, sequences, reverse)


def lstm_grad(x, u, h0, c0, g, gc, mask=None, sequences=True, reverse=False):
    return backwards(x, [u], [h0, c0], lstm_step, [g, gc], mask, sequences, reverse)


def gru_grad(x, u, bias, h0, g, mask=None, sequences=True, reverse=False, reset_after=True):
    def step(*args):
        return gru_step(*args, reset_after)

    return backwards(x, [u, bias], [h0], step, [g], mask, sequences, reverse)
