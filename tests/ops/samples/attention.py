"""Samples of attention and its gradients."""

import numpy as np

from ..sample import Sample, rand

SEED = np.array([7, 11], "uint32")
MASKED = -0.7 * np.finfo("float64").max


def heads_first(x, heads):
    x = np.swapaxes(x, 1, 2)
    return np.repeat(x, heads // x.shape[1], axis=1)


def kept(shape, rate, seed):
    """What dropout multiplies the weights with, from the same stream."""
    from kerasish.ops.random import dropout_op

    rows = np.ones((*shape[:-1], -(-shape[-1] // 64) * 64))
    return dropout_op(rows, seed, rate=rate, noise_shape=None).numpy()[..., : shape[-1]]


def parts(query, key, value, extras, scale, causal, bias, mask, rate):
    """q, k, v by heads, logits, where they are masked, the factors of dropout, the scale."""
    n, extras = query.shape[2], list(extras)
    q, k, v = (heads_first(x, n) for x in (query, key, value))
    scale = 1 / np.sqrt(query.shape[3]) if scale is None else scale
    logits = q @ np.swapaxes(k, -1, -2) * scale
    if bias:
        logits = logits + extras.pop(0)
    allowed = np.ones(logits.shape, bool)
    if mask:
        allowed = allowed & extras.pop(0)
    if causal:
        allowed = allowed & np.tril(np.ones(logits.shape[-2:], bool))
    f = kept(logits.shape, rate, extras.pop(0)) if rate else np.ones(())
    return q, k, v, np.where(allowed, logits, MASKED), allowed, f, scale


def attention(query, key, value, *extras, **attrs):
    _, _, v, logits, allowed, f, _ = parts(query, key, value, extras, **attrs)
    top = logits.max(-1, keepdims=True, initial=MASKED)
    e = np.exp(logits - top)
    total = e.sum(-1, keepdims=True)
    y = (e / np.where(total == 0, 1, total) * f) @ v
    lse = np.where(allowed.any(-1), (top + np.log(np.maximum(total, 1)))[..., 0], -np.inf)
    return np.swapaxes(y, 1, 2), lse


def attention_grad(query, key, value, y, lse, g, glse, *extras, **attrs):
    return attention_bias_grad(query, key, value, y, lse, g, glse, *extras, **attrs)[:3]


def attention_bias_grad(query, key, value, y, lse, g, glse, *extras, **attrs):
    q, k, v, logits, allowed, f, scale = parts(query, key, value, extras, **attrs)
    g, y, alive = heads_first(g, g.shape[2]), heads_first(y, y.shape[2]), np.isfinite(lse)[..., None]
    p = np.where(alive, np.exp(logits - np.where(alive, lse[..., None], 0)), 1 / max(key.shape[1], 1))
    dp = f * (g @ np.swapaxes(v, -1, -2)) - (g * y).sum(-1, keepdims=True) + glse[..., None]
    dl = np.where(allowed & alive, p * dp, 0)
    dk, dv = scale * np.swapaxes(dl, -1, -2) @ q, np.swapaxes(p * f, -1, -2) @ g

    def back(x, like):
        b, s, groups, width = like.shape
        return np.swapaxes(x.reshape(b, groups, x.shape[1] // groups, s, width).sum(2), 1, 2)

    return np.swapaxes(scale * dl @ k, 1, 2), back(dk, key), back(dv, value), dl


def mask_of(*shape, seed=0):
    return rand(*shape, seed=seed, low=0) > 0.4


def sample(shape, *, bias=None, mask=None, rate=0.0, causal=False, scale=None):
    """Samples of the three ops at (batch, queries, keys, heads, groups, width, value width)."""
    b, t, s, n, groups, h, d = shape
    q, k, v = (
        rand(b, t, n, h, low=-2, high=2),
        rand(b, s, groups, h, low=-2, high=2, seed=1),
        rand(b, s, groups, d, seed=2),
    )
    extras = []
    if bias is not None:
        extras.append(rand(*bias, seed=3))
    if mask is not None:
        extras.append(mask)
    if rate:
        extras.append(SEED)
    attrs = {"scale": scale, "causal": causal, "bias": bias is not None, "mask": mask is not None, "rate": rate}
    y, lse = attention(q, k, v, *extras, **attrs)
    grads = (q, k, v, y, lse, rand(b, t, n, d, seed=4), rand(b, n, t, seed=5), *extras)
    dead = not np.isfinite(lse).all()
    floats = (0, 1, 2, 3, 5, 6) if dead else tuple(range(7))  # lse = -inf is a mark, not a value
    floats = (*floats, 7) if bias is not None else floats
    out = [Sample("attention_grad", grads, attrs, attention_grad, grad=floats)]
    out.append(Sample("attention_bias_grad", grads, attrs, attention_bias_grad, grad=floats))
    if not dead:  # where the second output is -inf, a sum of the outputs has no differences to compare with
        out.append(Sample("attention", (q, k, v, *extras), attrs, attention))
    else:
        out.append(Sample("attention", (q, k, v, *extras), attrs, attention, grad=()))
    return out


some_dead = mask_of(2, 1, 5, 7, seed=1)
some_dead[0, :, 2] = False
padding = np.arange(7)[None, None, None, :] < np.array([4, 7])[:, None, None, None]
left = np.arange(6)[None, None, None, :] >= np.array([3, 0])[:, None, None, None]

SAMPLES = [
    *sample((2, 5, 7, 2, 2, 4, 6)),
    *sample((1, 1, 1, 1, 1, 1, 1), scale=0.3),
    *sample((2, 5, 7, 4, 2, 3, 5), causal=True),
    *sample((2, 7, 5, 4, 1, 3, 2), causal=True, bias=(2, 4, 7, 5)),
    *sample((2, 5, 7, 2, 2, 4, 6), bias=(1, 2, 1, 7), mask=padding),
    *sample((2, 5, 7, 2, 2, 4, 6), bias=(2, 1, 5, 1), mask=mask_of(1, 2, 5, 7) | (np.arange(7) == 3)),
    *sample((2, 5, 7, 2, 2, 4, 6), mask=some_dead),
    *sample((2, 6, 6, 2, 1, 4, 3), mask=left, causal=True),
    *sample((2, 5, 7, 2, 2, 4, 6), rate=0.4),
    *sample((1, 3, 70, 2, 1, 4, 3), rate=0.3, causal=True, bias=(1, 1, 3, 70)),
    *sample((1, 40, 150, 2, 1, 5, 3), causal=True),
    *sample((0, 3, 4, 2, 2, 4, 3)),
    *sample((2, 3, 0, 2, 2, 4, 3)),
    *sample((2, 0, 3, 2, 2, 4, 3)),
]
