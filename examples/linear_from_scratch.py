"""A linear classifier from scratch: variables, the tape and plain gradient descent; no layers, no optimizer.

Usage: python examples/linear_from_scratch.py [--steps 200]
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.datasets import load_digits

import kerasish as keras
from kerasish import ops


def main() -> float:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=200)
    args = parser.parse_args()

    digits = load_digits()
    x, y = (digits.data / 16.0).astype("float32"), digits.target
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    train, test = slice(0, 1437), slice(1437, None)

    weights = keras.Variable(ops.zeros((64, 10)), name="weights")
    bias = keras.Variable(ops.zeros((10,)), name="bias")

    def logits(batch):
        return ops.matmul(batch, weights) + bias

    rate = 0.5
    for step in range(args.steps):
        with keras.GradientTape() as tape:
            losses = ops.sparse_categorical_crossentropy(y[train], logits(x[train]), from_logits=True)
            loss = ops.mean(losses)
        for variable, gradient in zip((weights, bias), tape.gradient(loss, [weights, bias])):
            variable.assign_sub(rate * gradient)
        if step % 50 == 0 or step == args.steps - 1:
            print(f"step {step:4d}: loss {float(loss):.4f}")
    accuracy = float(ops.mean(ops.cast(ops.argmax(logits(x[test]), axis=-1) == y[test], "float32")))
    print(f"test accuracy {accuracy:.2%}")
    return accuracy


if __name__ == "__main__":
    main()
