"""Samples of the optimizer steps; the references are Keras's formulas in NumPy."""

import numpy as np

from ..sample import Sample, rand


def decayed(w, lr, weight_decay):
    return w - w * weight_decay * lr


def sgd(w, g, lr, weight_decay):
    return decayed(w, lr, weight_decay) - lr * g


def sgd_momentum(w, g, lr, m, weight_decay, momentum, nesterov):
    w = decayed(w, lr, weight_decay)
    m = m * momentum - g * lr
    return (w + m * momentum - g * lr if nesterov else w + m), m


def rmsprop(w, g, lr, *slots, centered, has_momentum, weight_decay, rho, momentum, epsilon):
    w = decayed(w, lr, weight_decay)
    v = rho * slots[0] + (1 - rho) * g**2
    new, denominator = [v], v + epsilon
    if centered:
        a = rho * slots[1] + (1 - rho) * g
        new, denominator = [v, a], v - a**2 + epsilon
    step = lr * g / np.sqrt(denominator)
    if has_momentum:
        step = momentum * slots[-1] + step
        new.append(step)
    return (w - step, *new)


def adam(w, g, lr, iterations, *slots, amsgrad, weight_decay, beta_1, beta_2, epsilon):
    w = decayed(w, lr, weight_decay)
    t = float(iterations) + 1
    alpha = lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    m = slots[0] + (g - slots[0]) * (1 - beta_1)
    v = slots[1] + (g**2 - slots[1]) * (1 - beta_2)
    u = np.maximum(slots[2], v) if amsgrad else v
    new = (m, v, u) if amsgrad else (m, v)
    return (w - alpha * m / (np.sqrt(u) + epsilon), *new)


def adagrad(w, g, lr, a, weight_decay, epsilon):
    w = decayed(w, lr, weight_decay)
    a = a + g**2
    return w - lr * g / np.sqrt(a + epsilon), a


LR = np.array(0.013)
SHAPES = ((), (1,), (3, 5), (31,), (33,), (0, 4), (40000,))


def arrays(shape, positive):
    """Variable, gradient, learning rate and slots; "+" marks a slot that holds squares."""
    w, g = rand(*shape, seed=1), rand(*shape, seed=2)
    slots = [np.asarray(rand(*shape, seed=3 + k)) for k in range(len(positive))]
    slots = [s**2 + 1.2 if p == "+" else s for s, p in zip(slots, positive)]
    return np.asarray(w), np.asarray(g), LR, slots


def make(op, shape, reference, positive="", scalars=(), **attrs):
    w, g, lr, slots = arrays(shape, positive)
    return Sample(op, (w, g, lr, *scalars, *slots), attrs, reference, rtol=2e-6)


def rms(op, shape, positive, centered, has_momentum, **attrs):
    def reference(*inputs, **a):
        return rmsprop(*inputs, centered=centered, has_momentum=has_momentum, **a)

    return make(op, shape, reference, positive, rho=0.9, momentum=0.8, epsilon=1e-7, **attrs)


def adams(op, shape, positive, amsgrad, iterations, **attrs):
    def reference(*inputs, **a):
        return adam(*inputs, amsgrad=amsgrad, **a)

    scalars = (np.array(iterations, "int64"),)
    return make(op, shape, reference, positive, scalars, beta_1=0.9, beta_2=0.999, epsilon=1e-7, **attrs)


SAMPLES = []
for shape in SHAPES:
    for decay in (0.0, 0.004):
        a = {"weight_decay": decay}
        SAMPLES += [
            make("sgd_update", shape, sgd, **a),
            make("sgd_momentum_update", shape, sgd_momentum, "-", momentum=0.9, nesterov=False, **a),
            make("sgd_momentum_update", shape, sgd_momentum, "-", momentum=0.9, nesterov=True, **a),
            rms("rmsprop_update", shape, "+", False, False, **a),
            rms("rmsprop_momentum_update", shape, "+-", False, True, **a),
            rms("rmsprop_centered_update", shape, "+-", True, False, **a),
            rms("rmsprop_centered_momentum_update", shape, "+--", True, True, **a),
            adams("adam_update", shape, "-+", False, 0, **a),
            adams("adam_update", shape, "-+", False, 1000, **a),
            adams("adam_amsgrad_update", shape, "-++", True, 7, **a),
            make("adagrad_update", shape, adagrad, "+", epsilon=1e-7, **a),
        ]
