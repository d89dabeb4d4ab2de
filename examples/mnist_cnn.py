"""Trains the standard convnet on MNIST, reports test accuracy, and draws the training curves and some mistakes.

Usage: python examples/mnist_cnn.py [--epochs 5] [--data mnist.npz] [--output examples/output]

Without a copy of MNIST and without a network it goes on with scikit-learn's 1,797 handwritten digits.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

import kerasish as keras
from kerasish import layers


def mnist(path: str | None) -> tuple:
    """The digits as (train images, train labels), (test images, test labels), and how they are called."""
    try:
        train, test = keras.datasets.mnist.load_data(path) if path else keras.datasets.mnist.load_data()
        return train, test, "MNIST"
    except (OSError, ValueError) as e:
        if path:
            sys.exit(f"{path}: {e}")
        print(f"MNIST is not at hand and cannot be fetched ({type(e).__name__}): using scikit-learn's digits instead.")
        return *small_digits(), "scikit-learn's digits"


def small_digits() -> tuple:
    """1,797 real 8x8 digits, enlarged to 28x28 by repeating pixels; the last 360 are for testing."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.kron(digits.images * (255 / 16), np.ones((1, 3, 3)))
    images = np.pad(images, ((0, 0), (2, 2), (2, 2))).astype("uint8")
    return (images[:-360], digits.target[:-360]), (images[-360:], digits.target[-360:])


def prepare(images: np.ndarray) -> np.ndarray:
    return (images / 255.0).astype("float32")[..., None]


def convnet() -> keras.Sequential:
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ],
        name="mnist_convnet",
    )


def draw(history: dict, images: np.ndarray, labels: np.ndarray, guesses: np.ndarray, file: Path) -> None:
    """Loss and accuracy by epoch, and up to 12 digits that the model got wrong."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure = plt.figure(figsize=(11, 6), layout="constrained")
    curves, mistakes = figure.subfigures(2, 1, height_ratios=(3, 2))
    for axis, name in zip(curves.subplots(1, 2), ("loss", "accuracy")):
        epochs = range(1, len(history[name]) + 1)
        axis.plot(epochs, history[name], "o-", label="training")
        axis.plot(epochs, history[f"val_{name}"], "o-", label="validation")
        axis.set(xlabel="epoch", ylabel=name, xticks=list(epochs))
        axis.legend()
    wrong = np.flatnonzero(labels != guesses)[:12]
    mistakes.suptitle("misclassified test digits: label, and what the model saw in it")
    for axis, k in zip(mistakes.subplots(1, max(len(wrong), 1), squeeze=False)[0], wrong):
        axis.imshow(images[k], cmap="gray_r")
        axis.set_title(f"{labels[k]} → {guesses[k]}")
        axis.set_axis_off()
    figure.savefig(file, dpi=110)


def main() -> float:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--data", help="path of mnist.npz")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    args = parser.parse_args()

    keras.utils.set_random_seed(1)
    (x_train, y_train), (x_test, y_test), name = mnist(args.data)
    print(f"{name}: {len(x_train)} training and {len(x_test)} test digits")

    model = convnet()
    model.summary()
    steps = args.epochs * int(0.9 * len(x_train)) // args.batch_size
    rate = keras.optimizers.schedules.CosineDecay(2e-3, decay_steps=steps)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        prepare(x_train),
        y_train,
        batch_size=args.batch_size,
        epochs=args.epochs,
        validation_split=0.1,
        callbacks=[keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)],
    )
    loss, accuracy = model.evaluate(prepare(x_test), y_test, batch_size=500, verbose=0)
    print(f"test loss {loss:.4f}, test accuracy {accuracy:.2%}")

    guesses = model.predict(prepare(x_test), batch_size=500, verbose=0).argmax(axis=-1)
    args.output.mkdir(parents=True, exist_ok=True)
    picture = args.output / "mnist_cnn.png"
    draw(history.history, x_test, y_test, guesses, picture)
    print(f"curves and mistakes: {picture}")
    return accuracy


if __name__ == "__main__":
    main()
