"""Samples of the activation functions."""

import math

import numpy as np

from ..sample import Sample, ints, rand
from .math import erfc


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.log1p(np.exp(x))


def elu(x, alpha):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


REFERENCES = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "selu": lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772),
    "gelu": lambda x: 0.5 * x * erfc(-x / math.sqrt(2)),
    # x (1 + tanh(v/2)) / 2, which cancels in the tail, written as x sigmoid(v)
    "gelu_tanh": lambda x: x * sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)),
    "sigmoid": sigmoid,
    "log_sigmoid": lambda x: -softplus(-x),
    "softplus": softplus,
    "silu": lambda x: x * sigmoid(x),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "hard_sigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
    "mish": lambda x: x * np.tanh(softplus(x)),
}

SAMPLES = [
    *(Sample(name, (rand(*shape, low=-7, high=7, seed=3),), reference=fn)
      for name, fn in REFERENCES.items() for shape in ((5, 17), (), (0, 2))),
    *(Sample("leaky_relu", (rand(5, 17, low=-3, high=3),), {"negative_slope": slope},
             reference=lambda x, negative_slope: np.where(x < 0, negative_slope * x, x)) for slope in (0.2, 0.0)),
    *(Sample("elu", (rand(5, 17, low=-3, high=3),), {"alpha": alpha}, reference=elu) for alpha in (1.0, 0.3)),
    Sample("relu", (ints(3, 4, low=-9, high=9),), reference=REFERENCES["relu"]),
    Sample("relu", (ints(3, 4, low=-9, high=9, dtype="int8"),), reference=REFERENCES["relu"]),
    Sample("gelu", (rand(3).astype("float16"),), reference=lambda x: REFERENCES["gelu"](x.astype(float)), rtol=1e-3),
    Sample("relu_grad", (rand(4, 5), rand(4, 5, seed=1)), grad=(0,), reference=lambda g, y: np.where(y > 0, g, 0)),
    Sample("sigmoid_grad", (rand(4, 5), rand(4, 5, seed=1)), reference=lambda g, y: g * y * (1 - y)),
]  # fmt: skip
