"""Samples of the normalisation ops."""

import numpy as np

from ..sample import Sample, rand

EPS = 1e-2


def along(v, x, axis):
    return v.reshape([-1 if k == axis else 1 for k in range(x.ndim)])


def rest(x, axis):
    return tuple(k for k in range(x.ndim) if k != axis)


def inference(x, mean, var, gamma, beta, axis, epsilon):
    scale = gamma / np.sqrt(var + epsilon)
    return (x - along(mean, x, axis)) * along(scale, x, axis) + along(beta, x, axis)


def batch_norm(x, gamma, beta, axis, epsilon):
    mean, var = x.mean(rest(x, axis)), x.var(rest(x, axis))
    return inference(x, mean, var, gamma, beta, axis, epsilon), mean, var


def batch_norm_grad(x, gamma, mean, var, g, g_mean, g_var, axis, epsilon):
    n = x.size // x.shape[axis]
    d, r = x - along(mean, x, axis), 1 / np.sqrt(var + epsilon)
    dbeta, dgamma = g.sum(rest(x, axis)), (g * d).sum(rest(x, axis)) * r
    dx = along(gamma * r, x, axis) * (g - along(dbeta, x, axis) / n - d * along(r * dgamma, x, axis) / n)
    return dx + along(g_mean, x, axis) / n + 2 * d * along(g_var, x, axis) / n, dgamma, dbeta


def batch_norm_relu_grad(x, gamma, beta, mean, var, g, g_mean, g_var, axis, epsilon):
    open_ = inference(x, mean, var, gamma, beta, axis, epsilon) > 0
    return batch_norm_grad(x, gamma, mean, var, g * open_, g_mean, g_var, axis, epsilon)


def lines(x, start, epsilon, centred):
    axes = tuple(range(start, x.ndim))
    d = x - x.mean(axes, keepdims=True) * centred
    r = 1 / np.sqrt((d * d).mean(axes, keepdims=True) + epsilon)
    return axes, r, d * r


def layer_norm(x, gamma, beta, start, epsilon):
    return lines(x, start, epsilon, 1)[2] * gamma + beta


def rms_norm(x, gamma, start, epsilon):
    return lines(x, start, epsilon, 0)[2] * gamma


def grad_of(centred):
    def reference(x, gamma, g, start, epsilon):
        axes, r, xhat = lines(x, start, epsilon, centred)
        samples = tuple(range(start))
        u = g * gamma
        dx = r * (u - centred * u.mean(axes, keepdims=True) - xhat * (u * xhat).mean(axes, keepdims=True))
        out = dx, (g * xhat).sum(samples), g.sum(samples)
        return out if centred else out[:2]

    return reference


SAMPLES = []
BATCH = [((5, 3), 1), ((2, 3, 4, 2), 3), ((2, 3, 5), 1), ((3, 1), 1), ((4, 2), 0), ((1, 17), 1), ((9, 33), 1)]
for shape, axis in BATCH:
    c = shape[axis]
    at = {"axis": axis, "epsilon": EPS}
    x, g = rand(*shape), rand(*shape, seed=1)
    mean, gamma, beta, g_mean, g_var = (rand(c, seed=s) for s in range(2, 7))
    var = rand(c, seed=7, low=0.5, high=2)
    SAMPLES += [
        Sample("batch_norm", (x, gamma, beta), at, batch_norm),
        Sample("batch_norm_grad", (x, gamma, mean, var, g, g_mean, g_var), at, batch_norm_grad),
        Sample("batch_norm_relu_grad", (x, gamma, beta, mean, var, g, g_mean, g_var), at, batch_norm_relu_grad),
        Sample("batch_norm_inference", (x, mean, var, gamma, beta), at, inference),
    ]
for shape, start in [((4, 5), 1), ((5,), 0), ((2, 3, 4), 1), ((2, 3, 4), 2), ((0, 3), 1), ((3, 17), 1), ((2, 40), 1)]:
    at = {"start": start, "epsilon": EPS}
    x, g, gamma, beta = rand(*shape), rand(*shape, seed=1), rand(*shape[start:], seed=2), rand(*shape[start:], seed=3)
    SAMPLES += [
        Sample("layer_norm", (x, gamma, beta), at, layer_norm, unknown=start > 0),
        Sample("layer_norm_grad", (x, gamma, g), at, grad_of(1)),
        Sample("rms_norm", (x, gamma), at, rms_norm, unknown=start > 0),
        Sample("rms_norm_grad", (x, gamma, g), at, grad_of(0)),
    ]
