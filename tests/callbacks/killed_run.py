"""A training run that may be killed at any moment; prints a digest of everything it has learnt when it gets to the end.

python killed_run.py backup_folder      # with checkpoints every 3 batches; "-" for none
"""

import hashlib
import sys
import time

import numpy as np

import kerasish as keras


class Slowly(keras.callbacks.Callback):
    """Gives a signal the time to arrive between, and within, steps and checkpoints."""

    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.004)


def main(folder):
    keras.utils.set_random_seed(7)
    L = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6,)),
            L.Dense(16, activation="relu"),
            L.Dropout(0.3),
            L.BatchNormalization(),
            L.GaussianNoise(0.1),
            L.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-2), "mse", metrics=["mae"])
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 6)).astype("float32")
    y = np.sin(x[:, :1])
    callbacks = [
        keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1),
        keras.callbacks.EarlyStopping("val_loss", patience=50, restore_best_weights=True),
        Slowly(),
    ]
    if folder != "-":
        callbacks.append(keras.callbacks.BackupAndRestore(folder, save_freq=3, double_checkpoint=True))
    history = model.fit(
        x, y, batch_size=8, epochs=8, verbose=0, callbacks=callbacks, validation_split=0.2, shuffle=True
    )  # fmt: skip
    parts = [v.numpy().tobytes() for v in (*model.variables, *model.optimizer.variables)]
    parts.append(repr(sorted(history.history.items())).encode())
    print("done", hashlib.sha256(b"".join(parts)).hexdigest())


if __name__ == "__main__":
    main(sys.argv[1])
