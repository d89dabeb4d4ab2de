"""A training loop written by hand, with a gradient of a gradient.

A critic learns to tell two clouds of points apart while the norm of its gradient is kept near 1 (the gradient penalty
of Gulrajani et al., 2017): the penalty contains a gradient, and training differentiates it once more.

Usage: python examples/gradient_penalty.py [--steps 300]
"""

from __future__ import annotations

import argparse

import numpy as np

import kerasish as keras
from kerasish import layers, ops


def clouds(n: int, rng: np.random.Generator) -> tuple:
    """Points around (2, 0) and around (-2, 0)."""
    right = rng.standard_normal((n, 2)) * 0.5 + (2.0, 0.0)
    left = rng.standard_normal((n, 2)) * 0.5 - (2.0, 0.0)
    return right.astype("float32"), left.astype("float32")


def main() -> float:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=300)
    args = parser.parse_args()

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    critic = keras.Sequential(
        [keras.Input((2,)), layers.Dense(64, activation="tanh"), layers.Dense(64, activation="tanh"), layers.Dense(1)]
    )
    optimizer = keras.optimizers.Adam(1e-3)
    norm = None
    for step in range(args.steps):
        real, fake = clouds(128, rng)
        mix = rng.uniform(size=(128, 1)).astype("float32")
        between = ops.convert_to_tensor(mix * real + (1 - mix) * fake)
        with keras.GradientTape() as tape:
            difference = ops.mean(critic(fake)) - ops.mean(critic(real))
            with keras.GradientTape() as inner:
                inner.watch(between)
                score = ops.sum(critic(between))
            slope = inner.gradient(score, between)
            norm = ops.sqrt(ops.sum(ops.square(slope), axis=-1) + 1e-12)
            penalty = ops.mean(ops.square(norm - 1.0))
            loss = difference + 10.0 * penalty
        gradients = tape.gradient(loss, critic.trainable_variables)
        optimizer.apply(gradients, critic.trainable_variables)
        if step % 100 == 0 or step == args.steps - 1:
            print(f"step {step:4d}: distance {-float(difference):.3f}, gradient norm {float(ops.mean(norm)):.3f}")
    return float(ops.mean(norm))


if __name__ == "__main__":
    main()
