"""Models and weights go to files and come back: values, optimizer, own hooks, assets, shards, names, failures."""

import errno
import io
import json
import os
import subprocess
import sys
import textwrap
import zipfile

import numpy as np
import pytest

import kerasish as keras
from kerasish.saving import BadFileError
from kerasish.saving import hdf5 as hdf5_module

L = keras.layers


def net(classes=3, seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((4,)),
            L.Dense(5, activation="relu", name="body"),
            L.BatchNormalization(name="norm"),
            L.Dense(classes, name="head"),
        ]
    )


def trained(steps=3):
    model = net()
    model.compile(keras.optimizers.Adam(1e-2), "mse", metrics=["mae"])
    for k in range(steps):
        model.train_on_batch(*batch(k))
    return model


def batch(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(8, 4)).astype("float32"), rng.normal(size=(8, 3)).astype("float32")


def values(model):
    optimizer = model.optimizer.variables if model.optimizer is not None else []
    return [v.numpy() for v in (*model.variables, *optimizer)]


def same(a, b):
    assert len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b))


# -- models ------------------------------------------------------------------------------------------------------------


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


# -- weights -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["w.weights.h5", "w.safetensors", "w.keras"])
def test_weights_go_and_come_back(tmp_path, name):
    model = trained()
    path = tmp_path / name
    model.save(path) if name.endswith(".keras") else model.save_weights(path)
    other = net(seed=5)
    other.load_weights(path)
    same(model.get_weights(), other.get_weights())


def test_safetensors_is_what_its_own_package_reads(tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    model = net()
    model.save_weights(tmp_path / "w.safetensors")
    arrays = package.load_file(tmp_path / "w.safetensors")
    assert np.array_equal(arrays["layers/dense/vars/0"], model.layers[0].kernel.numpy())
    package.save_file({k: v + 1 for k, v in arrays.items()}, tmp_path / "more.safetensors")
    before = model.get_weights()
    model.load_weights(tmp_path / "more.safetensors")
    same([w + 1 for w in before], model.get_weights())


def test_shards(tmp_path):
    model = trained()
    cap = 64 / 1024**3
    with pytest.raises(ValueError, match=r"larger than a shard may be; raise max_shard_size"):
        model.save_weights(tmp_path / "small.weights.json", max_shard_size=cap)
    assert not os.listdir(tmp_path)
    cap = 130 / 1024**3
    model.save_weights(tmp_path / "m.weights.json", max_shard_size=cap)
    files = sorted(os.listdir(tmp_path))
    assert files[-1] == "m_00005.weights.h5" or len(files) > 4, files
    index = json.loads((tmp_path / "m.weights.json").read_text())
    assert index["weight_map"]["/layers/dense/vars"] == "m_00000.weights.h5"
    assert index["metadata"]["total_size"] == sum(v.nbytes for v in values(model))
    other = trained(0)
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "m.weights.json")
    same(values(model), values(other))


def test_skip_mismatch_keeps_what_does_not_fit(tmp_path):
    model = net(3)
    model.save_weights(tmp_path / "w.weights.h5")
    other = net(2, seed=4)
    before = other.get_weights()
    with pytest.raises(BadFileError, match=r"w.weights.h5: layers/dense_1/vars/0: Dense 'head' expects shape \(5, 2\)"):
        other.load_weights(tmp_path / "w.weights.h5")
    same(before, other.get_weights())
    with pytest.warns(UserWarning, match=r"1 objects were not loaded and keep their values. The first: .*'head'"):
        other.load_weights(tmp_path / "w.weights.h5", skip_mismatch=True)
    same(model.get_weights()[:6], other.get_weights()[:6])
    same(before[6:], other.get_weights()[6:])


def test_by_name_reports(tmp_path):
    model = net(3)
    model.save_weights(tmp_path / "w.weights.h5")
    other = keras.Sequential(
        [keras.Input((4,)), L.Dense(5, name="body"), L.Dense(2, name="head"), L.Dense(1, name="new")]
    )
    report = other.load_weights(tmp_path / "w.weights.h5", by_name=True, skip_mismatch=True)
    assert report.taken == ["body"]
    assert report.skipped["new"] == "no layer of the file has this name"
    assert "expects shape (5, 2)" in report.skipped["head"]
    assert report.left_over == ["norm"]
    assert "skipped  new: no layer" in str(report)
    same(model.get_weights()[:2], other.get_weights()[:2])
    with pytest.raises(BadFileError, match=r"expects shape"):
        other.load_weights(tmp_path / "w.weights.h5", by_name=True)
    with pytest.warns(UserWarning, match=r"no layer of the model has a name that is in the file"):
        keras.Sequential([keras.Input((4,)), L.Dense(5)]).load_weights(tmp_path / "w.weights.h5", by_name=True)


def test_an_embedding_goes_into_another_model(tmp_path):
    words = keras.Sequential([keras.Input((3,), dtype="int32"), L.Embedding(9, 4, name="words"), L.Dense(2)])
    words.save(tmp_path / "words.keras")
    x = keras.Input((None,), dtype="int32")
    other = keras.Model(x, L.Dense(1)(L.GlobalAveragePooling1D()(L.Embedding(9, 4, name="words")(x))))
    assert other.load_weights(tmp_path / "words.keras", by_name=True).taken == ["words"]
    same([words.layers[0].embeddings.numpy()], [other.get_layer("words").embeddings.numpy()])


def test_objects_to_skip(tmp_path):
    model = net()
    keras.saving.save_weights(model, tmp_path / "w.weights.h5", objects_to_skip=[model.layers[0]])
    other = net(seed=3)
    before = other.get_weights()
    keras.saving.load_weights(other, tmp_path / "w.weights.h5", objects_to_skip=[other.layers[0]])
    same(before[:2], other.get_weights()[:2])
    same(model.get_weights()[2:], other.get_weights()[2:])


def test_float16_weights_go_into_a_float32_model(tmp_path):
    model = net()
    with hdf5_module.WeightsWriter(tmp_path / "w.weights.h5") as writer:
        from kerasish.saving.walk import walk

        for entry in walk(model):
            store = writer.object(entry.path, entry.obj.name)
            for i, v in enumerate([*entry.obj._trainable_variables, *entry.obj._non_trainable_variables]):
                store[str(i)] = v.numpy().astype("float16")
            assert len(store) == len(list(store)) and all(k in store for k in store)
    other = net(seed=4)
    other.load_weights(tmp_path / "w.weights.h5")
    same([w.astype("float16") for w in model.get_weights()], [w.astype("float16") for w in other.get_weights()])


# -- arguments and failures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m, p: m.save(p / "m.h5"), r"HDF5 files of models are read and not written; use the extension .keras"),
        (lambda m, p: m.save(p / "m.txt"), r"save_model: a file name ends in .keras"),
        (lambda m, p: m.save(p / "m.keras", zipped=False), "with zipped=False the path is a folder's"),
        (lambda m, p: m.save(p / "m.keras", nonsense=1), r"save_model: unknown arguments. Received: nonsense=1"),
        (lambda m, p: m.save_weights(p / "m.h5"), r"the file name ends in .weights.h5 or .safetensors"),
        (lambda m, p: m.save_weights(p / "m.h6", max_shard_size=1), r"ends in .weights.json where max_shard_size"),
        (
            lambda m, p: m.save_weights(p / "m.weights.json", max_shard_size=0),
            "max_shard_size is a positive number of GiB. Received: max_shard_size=0",
        ),
        (lambda m, p: m.load_weights(p / "x.weights.h5", nonsense=1), "load_weights: unknown arguments"),
        (lambda m, p: keras.saving.Limits(members=0), r"Limits: members is a positive integer. Received: members=0"),
    ],
)
def test_arguments(call, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        call(net(), tmp_path)
    assert not os.listdir(tmp_path)


def test_missing_and_unknown_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"load_model: there is no file"):
        keras.saving.load_model(tmp_path / "no.keras")
    with pytest.raises(FileNotFoundError, match=r"load_weights: there is no file"):
        net().load_weights(tmp_path / "no.weights.h5")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(ValueError, match=r"load_model: the file name ends in .keras"):
        keras.saving.load_model(tmp_path / "a.txt")
    with pytest.raises(ValueError, match=r"load_weights: the file name ends in one of .weights.h5"):
        net().load_weights(tmp_path / "a.txt")


def test_an_unbuilt_model(tmp_path):
    model = keras.Sequential([L.Dense(2)])
    with pytest.raises(ValueError, match=r"save_weights: Sequential '.*' is not built"):
        model.save_weights(tmp_path / "w.weights.h5")
    net().save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(ValueError, match=r"load_weights: Sequential '.*' is not built"):
        model.load_weights(tmp_path / "w.weights.h5")


def test_overwrite_asks(tmp_path, monkeypatch):
    model = net()
    model.save(tmp_path / "m.keras")
    before = (tmp_path / "m.keras").read_bytes()
    monkeypatch.setattr("builtins.input", lambda prompt: "n")
    trained().save(tmp_path / "m.keras", overwrite=False)
    assert (tmp_path / "m.keras").read_bytes() == before
    monkeypatch.setattr("builtins.input", lambda prompt: "y")
    trained().save(tmp_path / "m.keras", overwrite=False)
    assert (tmp_path / "m.keras").read_bytes() != before


@pytest.mark.parametrize("name", ["m.keras", "w.weights.h5", "w.safetensors", "w.weights.json"])
def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch, name):
    model = trained()
    path = tmp_path / name

    def save():
        if name == "m.keras":
            model.save(path)
        else:
            model.save_weights(path, max_shard_size=1 if name.endswith("json") else None)

    save()
    before = {f: (tmp_path / f).read_bytes() for f in os.listdir(tmp_path)}
    model.train_on_batch(*batch(5))

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device"):
        save()
    monkeypatch.undo()
    assert {f: (tmp_path / f).read_bytes() for f in os.listdir(tmp_path)} == before


@pytest.mark.parametrize("name", ["m.keras", "w.weights.h5", "w.safetensors", "w.weights.json"])
def test_a_write_that_fails_half_way_leaves_the_old_file_whole(tmp_path, name):
    """No patches here: the system lets the process write 9000 bytes to a file and no more."""
    program = """
        import os, resource, signal, sys, kerasish as keras
        keras.utils.set_random_seed(0)
        big = keras.Sequential([keras.Input((40,)), keras.layers.Dense(90, name="body")])
        small = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="body")])
        path = sys.argv[1]
        def save(model):
            if path.endswith(".keras"):
                model.save(path)
            else:
                model.save_weights(path, max_shard_size=1 if path.endswith("json") else None)
        save(small)
        folder = os.path.dirname(path)
        read = lambda: {f: open(os.path.join(folder, f), "rb").read() for f in os.listdir(folder)}
        before = read()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
        try:
            save(big)
        except OSError as error:
            print(error)
        else:
            raise SystemExit("the file was written")
        assert read() == before, os.listdir(folder)
        print("done")
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "File too large" in done.stdout, done.stdout + done.stderr
    assert done.stdout.endswith("done\n")


def test_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    model = net()
    model.save(tmp_path / "m.keras")
    before = (tmp_path / "m.keras").read_bytes()

    def refuse(**kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(OSError, match=r"save_model: Read-only file system; the file '.*m.keras' cannot be written"):
        model.save(tmp_path / "m.keras")
    monkeypatch.undo()
    assert (tmp_path / "m.keras").read_bytes() == before
    with pytest.raises(FileNotFoundError, match=r"save_model: No such file or directory; the file"):
        model.save(tmp_path / "nowhere" / "m.keras")
    (tmp_path / "d.keras").mkdir()
    with pytest.raises(IsADirectoryError, match=r"save_model: the path of a file is expected"):
        model.save(tmp_path / "d.keras")


def test_every_file_is_synced_before_and_its_folder_after_the_rename(tmp_path, monkeypatch):
    done = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda h: (done.append("folder" if os.path.isdir(f"/proc/self/fd/{h}") else "file"), sync(h))
    )
    monkeypatch.setattr(os, "replace", lambda a, b: (done.append("rename"), replace(a, b)))
    net().save(tmp_path / "m.keras")
    assert done == ["file", "rename", "folder"]
