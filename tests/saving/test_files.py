"""Models go to files and come back: values, optimizer, own hooks, assets; and what a config says and leaves out."""

import io
import json
import os
import zipfile

import numpy as np
import pytest

import kerasish as keras

from .nets import batch, net, same, trained, values

L = keras.layers


def test_a_compiled_model_goes_on_bit_for_bit(tmp_path):
    model = trained()
    model.save(tmp_path / "m.keras")
    other = keras.models.load_model(tmp_path / "m.keras")
    same(values(model), values(other))
    model.reset_metrics()  # which a file does not hold, as in Keras
    assert model.train_on_batch(*batch(9)) == other.train_on_batch(*batch(9))
    same(values(model), values(other))


def test_compile_false_leaves_the_optimizer_out(tmp_path):
    trained().save(tmp_path / "m.keras")
    assert keras.saving.load_model(tmp_path / "m.keras", compile=False).optimizer is None


def test_members_and_metadata(tmp_path):
    trained().save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as z:
        assert z.namelist() == ["metadata.json", "config.json", "model.weights.h5"]
        assert json.loads(z.read("metadata.json"))["keras_version"] == "3.15.0"


def test_a_folder_and_a_file_object(tmp_path):
    model = trained()
    model.save(tmp_path / "folder", zipped=False)
    assert sorted(os.listdir(tmp_path / "folder")) == ["config.json", "metadata.json", "model.weights.h5"]
    same(values(model), values(keras.saving.load_model(tmp_path / "folder")))
    buffer = io.BytesIO()
    keras.saving.save_model(model, buffer)
    buffer.seek(0)
    same(values(model), values(keras.saving.load_model(buffer)))


def test_a_subclassed_model_with_custom_parts(tmp_path):
    @keras.saving.register_keras_serializable("files")
    class Block(L.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.parts = [L.Dense(units), {"inner": [L.Dense(units)]}]
            self.more = {"a": L.Dense(units)}

        def build(self, input_shape):
            self.scale = self.add_weight(shape=(self.units,), initializer="ones")

        def call(self, x):
            return self.more["a"](self.parts[1]["inner"][0](self.parts[0](x))) * self.scale

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    @keras.saving.register_keras_serializable("files")
    class Net(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.block, self.out = Block(4), L.Dense(3)

        def call(self, x, training=None):
            return self.out(self.block(x))

    model = Net()
    model(batch()[0])
    model.compile("sgd", "mse")
    model.save(tmp_path / "m.keras")
    other = keras.saving.load_model(tmp_path / "m.keras")
    same([np.asarray(model(batch()[0]))], [np.asarray(other(batch()[0]))])


def test_own_variables_and_assets(tmp_path):
    class Words(L.Layer):
        def __init__(self, words=(), **kwargs):
            super().__init__(**kwargs)
            self.words = list(words)

        def call(self, x):
            return x

        def save_own_variables(self, store):
            store["count"] = np.array(len(self.words))

        def load_own_variables(self, store):
            self.count = int(store["count"])

        def save_assets(self, folder):
            with open(os.path.join(folder, "words.txt"), "w") as f:
                f.write("\n".join(self.words))

        def load_assets(self, folder):
            with open(os.path.join(folder, "words.txt")) as f:
                self.words = f.read().split("\n")

    keras.Sequential([keras.Input((2,)), Words(["a", "b"])]).save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as z:
        assert "assets/layers/words/words.txt" in z.namelist()
    other = keras.saving.load_model(tmp_path / "m.keras", custom_objects={"Words": Words})
    assert other.layers[0].words == ["a", "b"] and other.layers[0].count == 2
    other.save(tmp_path / "folder", zipped=False)
    again = keras.saving.load_model(tmp_path / "folder", custom_objects={"Words": Words})
    assert again.layers[0].words == ["a", "b"]


def test_build_and_compile_hooks(tmp_path):
    seen = []

    @keras.saving.register_keras_serializable("hooks")
    class Hooked(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = L.Dense(2)

        def call(self, x):
            return self.dense(x)

        def get_build_config(self):
            return {"width": 4}

        def build_from_config(self, config):
            seen.append(("build", config))
            self(np.ones((1, config["width"]), "float32"))

        def compile(self, optimizer, extra, **kwargs):
            super().compile(optimizer, "mse", **kwargs)
            self.extra = extra

        def get_compile_config(self):
            return {"extra": self.extra}

        def compile_from_config(self, config):
            seen.append(("compile", config))
            self.compile("sgd", **config)

    model = Hooked()
    model(np.ones((1, 4), "float32"))
    model.compile("sgd", extra=7)
    model.save(tmp_path / "m.keras")
    other = keras.saving.load_model(tmp_path / "m.keras")
    assert seen == [("build", {"width": 4}), ("compile", {"extra": 7})]
    assert other.extra == 7
    same([model.dense.kernel.numpy()], [other.dense.kernel.numpy()])


def test_clone_model_makes_new_weights():
    model = net()
    clone = keras.models.clone_model(model)
    assert [x.name for x in clone.layers] == [x.name for x in model.layers]
    assert not np.array_equal(clone.layers[0].kernel.numpy(), model.layers[0].kernel.numpy())

    def relu_instead(layer):
        config = layer.get_config()
        if isinstance(layer, L.Dense):
            config["activation"] = "tanh"
        return type(layer).from_config(config)

    x = keras.Input((4,))
    functional = keras.Model(x, L.Dense(2, activation="relu")(L.Dense(3)(x)))
    changed = keras.models.clone_model(functional, clone_function=relu_instead)
    assert changed.layers[-1].activation is keras.activations.tanh
    y = keras.Input((4,), name="mine")
    assert keras.models.clone_model(functional, input_tensors=y).inputs[0] is y


def test_clone_model_of_nested_models():
    inner = keras.Sequential([keras.Input((3,)), L.Dense(3, name="deep")], name="inner")
    outer = keras.Sequential([keras.Input((3,)), inner])
    names = []

    def clone(layer):
        names.append(layer.name)
        return type(layer).from_config(layer.get_config())

    keras.models.clone_model(outer, clone_function=clone, recursive=True)
    assert "deep" in names
    with pytest.raises(ValueError, match=r"clone_model: .*subclass"):

        class Own(keras.Model):
            pass

        keras.models.clone_model(Own(), input_tensors=[1])


def test_ops_that_keras_has_no_form_for(tmp_path):
    x = keras.Input((6, 4))
    model = keras.Model(x, keras.ops.quantile(x, 0.5, axis=1))
    with pytest.warns(
        UserWarning, match=r"calls ops that Keras has no form for: quantile. The file opens in kerasish only"
    ):
        model.save(tmp_path / "m.keras")
    other = keras.saving.load_model(tmp_path / "m.keras")
    data = np.random.default_rng(0).normal(size=(2, 6, 4)).astype("float32")
    same([model(data).numpy()], [other(data).numpy()])


def test_the_config_of_a_file_leaves_out_what_older_versions_lack(tmp_path):
    keras.Sequential([keras.Input((4,)), L.Dense(2), L.BatchNormalization()]).save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as z:
        text = z.read("config.json").decode()
    assert "quantization_config" not in text and "input_axes" not in text and "renorm" not in text
    assert '"dtype": "float32"' in text and "DTypePolicy" not in text
    x = keras.Input((4, 4))
    y = L.ZeroPadding1D(1)(L.MultiHeadAttention(2, 2)(x, L.Dense(4, kernel_initializer="orthogonal")(x)))
    model = keras.Model(x, y)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy())
    model.save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as z:
        text = z.read("config.json").decode()
    assert not any(word in text for word in ("use_gate", "sliding_window", '"seed"', "ignore_class"))
    assert '"class_name": "OrthogonalInitializer"' in text and '"axis": -1' not in text
    other = keras.saving.load_model(tmp_path / "a.keras")
    assert isinstance(other.layers[1].kernel_initializer, keras.initializers.Orthogonal)
    mixed = keras.Sequential([keras.Input((4,)), L.Dense(2, dtype="mixed_float16")])
    mixed.save(tmp_path / "x.keras")
    assert keras.saving.load_model(tmp_path / "x.keras").layers[0].dtype_policy.name == "mixed_float16"


def test_second_names_and_second_modules_of_a_class_resolve():
    from kerasish import layers, models
    from kerasish.engine.registry import find_symbol

    assert find_symbol("keras.layers", "Convolution2D") is layers.Conv2D
    assert find_symbol("keras.models", "Sequential") is models.Sequential
    assert find_symbol("keras.layers", "Layer") is layers.Layer
