"""The parts of a model and an optimizer that callbacks touch."""

import numpy as np


class FakeVariable:
    def __init__(self, value):
        self.value = np.array(value, "float32")

    def assign(self, value):
        self.value = np.array(value, "float32")

    def __array__(self, dtype=None, copy=None):
        return self.value

    def __float__(self):
        return float(self.value)


class FakeOptimizer:
    def __init__(self, learning_rate=1.0, name="sgd", use_ema=False):
        self._rate = FakeVariable(learning_rate)
        self.name = name
        self.use_ema = use_ema

    @property
    def learning_rate(self):
        return self._rate

    @learning_rate.setter
    def learning_rate(self, value):
        self._rate.assign(value)


class FakeMetric:
    def __init__(self, name, direction=None, metrics=()):
        self.name, self.metrics = name, metrics
        if direction:
            self._direction = direction


class FakeModel:
    def __init__(self, optimizer=None, metrics=()):
        self.stop_training = False
        self.optimizer = optimizer or FakeOptimizer()
        self.metrics = metrics
        self.weights = [0]

    def get_weights(self):
        return list(self.weights)

    def set_weights(self, weights):
        self.weights = list(weights)


def run(callback, model, logs, epochs=None):
    """Plays the epochs of a training run: `logs` has one dict per epoch. Returns the number of epochs run."""
    callback.set_params({"verbose": 0, "epochs": epochs or len(logs), "steps": 1})
    callback.set_model(model)
    model.stop_training = False
    callback.on_train_begin()
    done = 0
    for epoch, log in enumerate(logs):
        callback.on_epoch_begin(epoch)
        model.weights = [epoch]
        callback.on_epoch_end(epoch, dict(log))
        done += 1
        if model.stop_training:
            break
    callback.on_train_end()
    return done
