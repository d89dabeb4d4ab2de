"""A functional model with two inputs of different kinds and two outputs with losses of their own.

Sensor readings (numbers) and the machine's model (a category) go through branches of their own; one head says whether
the machine will fail, the other in how many hours. The data are simulated, which the names in the code say.

Usage: python examples/multi_head.py [--epochs 20]
"""

from __future__ import annotations

import argparse

import numpy as np

import kerasish as keras
from kerasish import layers


def simulated_machines(n: int, seed: int = 0) -> tuple[dict, dict]:
    """n machines: 8 readings, one of 5 models; failure and hours follow from both by a rule with noise."""
    rng = np.random.default_rng(seed)
    readings = rng.standard_normal((n, 8)).astype("float32")
    kind = rng.integers(0, 5, n).astype("int32")
    stress = readings[:, 0] * readings[:, 1] + np.array([-1.0, -0.5, 0.0, 0.5, 1.0])[kind]
    stress = stress + 0.1 * rng.standard_normal(n)
    inputs = {"readings": readings, "kind": kind}
    targets = {"fails": (stress > 0).astype("float32"), "hours": np.exp(-stress).clip(0, 10).astype("float32")}
    return inputs, targets


def two_heads() -> keras.Model:
    readings = keras.Input((8,), name="readings")
    kind = keras.Input((), dtype="int32", name="kind")
    numbers = layers.Dense(64, activation="relu")(readings)
    category = layers.Embedding(5, 8)(kind)
    joined = layers.Concatenate()([numbers, category])
    joined = layers.Dense(64, activation="relu")(joined)
    joined = layers.Add()([joined, layers.Dense(64, activation="relu")(joined)])
    fails = layers.Dense(1, activation="sigmoid", name="fails")(joined)
    hours = layers.Dense(1, name="hours")(joined)
    return keras.Model({"readings": readings, "kind": kind}, {"fails": fails, "hours": hours}, name="two_heads")


def main() -> dict:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()

    keras.utils.set_random_seed(0)
    model = two_heads()
    model.summary(show_trainable=True, show_cost=True)
    model.compile(
        optimizer=keras.optimizers.Adam(3e-3),
        loss={"fails": "binary_crossentropy", "hours": "huber"},
        loss_weights={"fails": 1.0, "hours": 0.5},
        metrics={"fails": ["accuracy", keras.metrics.AUC(name="auc")], "hours": ["mae"]},
    )
    x, y = simulated_machines(4000)
    model.fit(x, y, batch_size=64, epochs=args.epochs, validation_split=0.2, verbose=2)
    results = model.evaluate(*simulated_machines(1000, seed=1), verbose=0, return_dict=True)
    print({name: round(value, 4) for name, value in results.items()})
    return results


if __name__ == "__main__":
    main()
