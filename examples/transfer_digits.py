"""Transfer learning: a convnet that knows the digits 0-4 learns 5-9 from ten samples of each.

Usage: python examples/transfer_digits.py [--data mnist.npz] [--samples 10]

A network is trained on the digits 0-4 and saved. A second one, with another head, takes the layers of the same names
from the file; they are frozen, and the head learns from the few samples of 5-9. Then everything is tuned for a few
epochs with a small learning rate. A network that starts from nothing has as many epochs, and shows what that was worth.
Without --data and a connection, scikit-learn's small digits take MNIST's place; there it is worth little.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import kerasish as keras
from kerasish import layers


def load(path: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 28, 28, 1) in [0, 1] and their digits."""
    try:
        (x, y), _ = keras.datasets.mnist.load_data(path) if path else keras.datasets.mnist.load_data()
        x, y = x[:20000] / 255.0, y[:20000]
    except Exception as error:
        if path:
            raise
        print(f"MNIST cannot be read ({error}); small digits take its place.")
        from sklearn.datasets import load_digits

        digits = load_digits()
        large = np.kron(digits.images / 16.0, np.ones((1, 3, 3)))
        x, y = np.pad(large, ((0, 0), (2, 2), (2, 2))), digits.target
    return x.astype("float32")[..., None], y.astype("int32")


def network(head: str) -> keras.Model:
    """A convnet for five classes; the layers of the body keep their names, the head has its own."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, activation="relu", name="lines"),
            layers.MaxPooling2D(2),
            layers.Conv2D(32, 3, activation="relu", name="shapes"),
            layers.MaxPooling2D(2),
            layers.Conv2D(32, 3, activation="relu", name="parts"),
            layers.Flatten(),
            layers.Dense(5, activation="softmax", name=head),
        ]
    )


def train(model: keras.Model, x: np.ndarray, y: np.ndarray, epochs: int, rate: float) -> None:
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0)


def accuracy(model: keras.Model, x: np.ndarray, y: np.ndarray) -> float:
    return model.evaluate(x, y, batch_size=256, verbose=0, return_dict=True)["accuracy"]


def main() -> tuple[float, float]:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="path of mnist.npz")
    parser.add_argument("--samples", type=int, default=10, help="of each of the digits 5-9")
    args = parser.parse_args()

    keras.utils.set_random_seed(0)
    x, y = load(args.data)
    low = y < 5
    first = network("zero_to_four")
    train(first, x[low][:6000], y[low][:6000], 2, 1e-3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "zero_to_four.weights.h5"
        first.save_weights(path)
        second = network("five_to_nine")
        report = second.load_weights(path, by_name=True)
    print(report)

    x, y = x[~low], y[~low] - 5
    few = np.concatenate([np.flatnonzero(y == digit)[: args.samples] for digit in range(5)])
    rest = np.setdiff1d(np.arange(len(y)), few)[:3000]
    for name in report.taken:
        second.get_layer(name).trainable = False
    train(second, x[few], y[few], 30, 3e-3)
    frozen = accuracy(second, x[rest], y[rest])
    second.trainable = True
    train(second, x[few], y[few], 10, 3e-4)
    tuned = accuracy(second, x[rest], y[rest])

    scratch = network("from_nothing")
    train(scratch, x[few], y[few], 40, 2e-3)
    alone = accuracy(scratch, x[rest], y[rest])
    print(f"digits 5-9 from {args.samples} samples each, accuracy on {len(rest)} others:")
    print(f"  body frozen {frozen:.2%}, fine-tuned {tuned:.2%}, from nothing {alone:.2%}")
    return tuned, alone


if __name__ == "__main__":
    main()
