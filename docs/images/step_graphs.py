"""Draws the graphs of docs/compiled_step.md: the training step of a small model, as captured and as it runs.

python docs/images/step_graphs.py      # needs Graphviz' `dot`
"""

import subprocess
from pathlib import Path

import kerasish as keras
from kerasish.engine.spec import Spec
from kerasish.executor import show_passes

HERE = Path(__file__).resolve().parent


def main():
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    data = (Spec((32, 8), "float32"), Spec((32,), "int32"))
    model._build_from_batch(data, training=True)
    shown = show_passes(model.train_step, data, form="dot", print_fn=None)
    for name, (_, dot) in (("step_captured", shown[0]), ("step_compiled", shown[-1])):
        subprocess.run(["dot", "-Tsvg", "-o", str(HERE / f"{name}.svg")], input=dot, text=True, check=True)


if __name__ == "__main__":
    main()
