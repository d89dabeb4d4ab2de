"""Models for the exchange of files, written and read by one package in a process of its own.

    PEER=keras python peer.py write FOLDER [NAME ...]      # files, and what each model computes and loses next
    PEER=keras python peer.py read FOLDER                  # compares; one line of JSON for each file

PEER is the package: keras (1 to 3, on any backend), tensorflow.keras, tf_keras or kerasish. The file runs on Python 3.7
and with every Keras since 1.0, so it uses nothing that is younger and imports nothing of kerasish's tests. All three
kinds of Keras build the same models from `cases`; those of Keras 1 are spelled in its own words.
"""

import importlib
import importlib.util
import json
import os
import sys
import traceback

import numpy as np

OUTPUTS, LOSSES, STEPS = 2e-5, 1e-4, 3


def package():
    name = os.environ.get("PEER", "keras")
    if name == "tensorflow.keras":  # an attribute that is made on first use, and no module with a version
        return importlib.import_module("tensorflow").keras
    if os.environ.get("KERAS_BACKEND") == "theano":
        importlib.import_module("theano.ifelse")  # Keras 1 forgets to
    return importlib.import_module(name)


def version_of(K):
    """(major, minor) of the Keras that a package is; kerasish and tensorflow.keras say theirs elsewhere."""
    if K.__name__ == "kerasish":
        return (3, 15)
    text = getattr(K, "__version__", None) or importlib.import_module("keras").__version__
    return tuple(int(n) for n in text.split(".")[:2])


def numbers(*shape, **more):
    rng = np.random.RandomState(more.get("seed", 0) + sum(shape))
    return rng.uniform(-1, 1, shape).astype("float32")


def positive(*shape):
    return np.abs(numbers(*shape)) + 0.1


def classes(n, k):
    return (np.arange(n) * 7 % k).astype("int32")


def rows(*shape):
    """Rows that are probabilities."""
    x = positive(*shape)
    return x / x.sum(-1, keepdims=True)


class Case:
    """A model, built and compiled; its inputs and targets for training steps; the extensions it is saved with."""

    def __init__(self, model, inputs, targets, optimizer, loss="mse", extensions=None, **more):
        self.model, self.inputs, self.targets, self.extensions = model, inputs, targets, extensions
        model.compile(optimizer=optimizer, loss=loss, **more)


# -- Keras 1 ----------------------------------------------------------------------------------------------------------


def cases_1(K):
    L, S = K.layers, K.models.Sequential
    order = K.backend.image_dim_ordering()
    shape = (2, 8, 8) if order == "th" else (8, 8, 2)

    def mlp():
        model = S([
            L.Dense(4, input_dim=3, activation="relu", init="uniform", W_regularizer=K.regularizers.l2(0.01)),
            L.BatchNormalization(), L.Dropout(0.0),
            L.Dense(2, W_constraint=K.constraints.maxnorm(2)),
        ])  # fmt: skip
        return Case(model, numbers(6, 3), numbers(6, 2), K.optimizers.Adam(0.01))

    def image():
        x = L.Input(shape=shape, name="image")
        y = L.Convolution2D(3, 3, 1, border_mode="same", activation="relu", name="first")(x)
        z = L.Convolution2D(3, 3, 3, border_mode="same", subsample=(1, 1), name="second")(y)
        y = L.merge([y, z], mode="sum")
        y = L.MaxPooling2D((2, 2))(L.ZeroPadding2D((1, 1))(y))
        y = L.UpSampling2D((2, 2))(L.AveragePooling2D((2, 2))(y))
        y = L.Dense(3, activation="softmax", name="out")(L.Flatten()(y))
        model = K.models.Model(input=x, output=y)
        return Case(model, numbers(4, *shape), rows(4, 3), K.optimizers.SGD(0.05, momentum=0.9, decay=0.1),
                    "categorical_crossentropy", metrics=["accuracy"])  # fmt: skip

    def sequence():
        model = S([
            L.Embedding(9, 3, input_length=5),
            L.LSTM(4, return_sequences=True, forget_bias_init="one"),
            L.GRU(3, return_sequences=True, inner_activation="sigmoid"),
            L.Bidirectional(L.LSTM(2, return_sequences=True)),
            L.Convolution1D(3, 2, border_mode="valid"), L.SimpleRNN(3, return_sequences=True),
            L.TimeDistributed(L.Dense(3)), L.GlobalAveragePooling1D(), L.Dense(2),
        ])  # fmt: skip
        return Case(model, classes(20, 9).reshape(4, 5), numbers(4, 2), K.optimizers.Adam(0.01))

    return {"mlp": mlp, "image": image, "sequence": sequence, **optimizers(K, plain_1)}


def plain_1(K):
    L = K.layers
    return K.models.Sequential([L.Dense(3, input_dim=3, activation="tanh"), L.Dense(2)])


# -- Keras 2 and 3 ----------------------------------------------------------------------------------------------------


def sequential(K, shape, layers, **more):
    """A Sequential with its input."""
    if K.__name__ == "keras" and version_of(K)[0] < 3:
        # Keras 2.2 and 2.3 forget the shape of an InputLayer: they cannot open such files of their own either.
        layers[0].batch_input_shape = (None, *shape)
        return K.models.Sequential(layers)
    given = K.Input(shape, **more) if version_of(K)[0] > 2 else K.layers.InputLayer(shape, **more)
    return K.models.Sequential([given, *layers])


def plain(K):
    L = K.layers
    return sequential(K, (3,), [L.Dense(3, activation="tanh"), L.Dense(2)])


def rate_of(K):
    return "lr" if version_of(K) < (2, 4) else "learning_rate"


def optimizers(K, make):
    """A small model for each optimizer that the package has, and each way to set it that changes its slots."""
    O, rate, version = K.optimizers, rate_of(K), version_of(K)
    table = {
        "sgd": ("SGD", 0.05, {}),
        "momentum": ("SGD", 0.05, {"momentum": 0.9, "nesterov": True}),
        "rmsprop": ("RMSprop", 0.01, {"rho": 0.8}),
        "adam": ("Adam", 0.01, {"beta_1": 0.8}),
        "adagrad": ("Adagrad", 0.05, {}),
        "adadelta": ("Adadelta", 1.0, {"rho": 0.9}),
        "adamax": ("Adamax", 0.01, {}),
        "nadam": ("Nadam", 0.01, {}),
        "ftrl": ("Ftrl", 0.05, {"l1_regularization_strength": 0.01}),
        "adafactor": ("Adafactor", 0.01, {}),
        "lion": ("Lion", 0.001, {}),
        "lamb": ("Lamb", 0.01, {}),
        "muon": ("Muon", 0.01, {}),
        "adamw": ("AdamW", 0.01, {"weight_decay": 0.1}),
    }
    if version >= (2, 2):
        table["amsgrad"] = ("Adam", 0.01, {"amsgrad": True})
    if hasattr(O, "Ftrl"):
        table["centered"] = ("RMSprop", 0.01, {"momentum": 0.5, "centered": True})

    def case(name, size, more):
        return lambda: Case(make(K), numbers(5, 3), numbers(5, 2), getattr(O, name)(**{rate: size}, **more))

    out = {f"optimizer_{k}": case(*v) for k, v in table.items() if hasattr(O, v[0])}

    def other(name, make_optimizer):
        out[f"optimizer_{name}"] = lambda: Case(make(K), numbers(5, 3), numbers(5, 2), make_optimizer())

    if version < (2, 11):
        other("decay", lambda: O.Adam(**{rate: 0.01}, decay=0.1))
    if version >= (2, 2) and hasattr(O, "schedules"):
        other("schedule", lambda: O.SGD(O.schedules.ExponentialDecay(0.05, 2, 0.5), momentum=0.5))
    if version >= (3, 0):
        other("average", lambda: O.Adam(0.01, use_ema=True, ema_momentum=0.5, global_clipnorm=0.1))
        other("scaled", lambda: O.LossScaleOptimizer(O.SGD(0.05, momentum=0.9), initial_scale=4.0))
    return out


def cases_2(K):
    L, version, rate = K.layers, version_of(K), rate_of(K)
    Model = K.models.Model
    given = L.Input

    def mlp():
        r = K.regularizers
        model = sequential(K, (3,), [
            L.Dense(4, activation="relu", kernel_initializer="he_normal", kernel_regularizer=r.l2(0.01)),
            L.BatchNormalization(momentum=0.9), L.Dropout(0.0),
            L.Dense(2, kernel_constraint=K.constraints.max_norm(2), bias_initializer=K.initializers.Constant(0.1)),
        ])  # fmt: skip
        return Case(model, numbers(6, 3), numbers(6, 2), K.optimizers.Adam(**{rate: 0.01}), metrics=["mae"])

    def image():
        x = given(shape=(8, 8, 2), name="image")
        y = L.Conv2D(3, (3, 1), padding="same", activation="relu", name="first")(x)
        z = L.Conv2D(3, 3, padding="same", use_bias=False, name="second")(y)
        y = L.Add()([y, z])
        y = L.MaxPooling2D(2)(L.ZeroPadding2D(1)(y))
        y = L.Activation("tanh")(L.BatchNormalization()(y))
        y = L.Dense(3, activation="softmax", name="out")(L.Flatten()(y))
        return Case(Model(x, y), numbers(4, 8, 8, 2), classes(4, 3), K.optimizers.SGD(**{rate: 0.05}, momentum=0.9),
                    "sparse_categorical_crossentropy", metrics=["accuracy"])  # fmt: skip

    def images():
        """Every layer for images that has been there for long."""
        x = given(shape=(12, 12, 3))
        y = L.SeparableConv2D(4, 3, padding="same")(x)
        y = L.LeakyReLU()(L.DepthwiseConv2D(3, strides=2, padding="same")(y))
        y = L.Conv2DTranspose(3, 3, strides=2, padding="same")(y)
        y = L.PReLU(shared_axes=[1, 2])(L.Cropping2D(1)(L.UpSampling2D(2)(y)))
        y = L.AveragePooling2D(2)(L.SpatialDropout2D(0.0)(y))
        a = L.GlobalMaxPooling2D()(y)
        b = L.GlobalAveragePooling2D()(L.ELU()(L.Conv2D(3, 3, dilation_rate=2)(y)))
        merged = [L.Multiply()([a, b]), L.Maximum()([a, b]), L.Average()([a, b]), L.Subtract()([a, b])]
        merged += [L.Dot(axes=-1)([a, b]), L.Minimum()([a, b]) if hasattr(L, "Minimum") else a]
        return Case(Model(x, L.Dense(2)(L.Concatenate()(merged))), numbers(3, 12, 12, 3), numbers(3, 2),
                    K.optimizers.SGD(**{rate: 0.01}))  # fmt: skip

    def sequence():
        old = {"reset_after": True} if (2, 1) < version < (3, 0) and K.__name__ == "keras" else {}
        model = sequential(K, (5,), [
            L.Embedding(9, 3),
            L.LSTM(4, return_sequences=True),
            L.GRU(3, return_sequences=True, **old),
            L.Bidirectional(L.LSTM(2, return_sequences=True, unit_forget_bias=False), merge_mode="sum"),
            L.Conv1D(3, 2, padding="causal"), L.SimpleRNN(3, return_sequences=True),
            L.TimeDistributed(L.Dense(3)), L.MaxPooling1D(2), L.GlobalAveragePooling1D(), L.Dense(2),
        ], dtype="int32")  # fmt: skip
        optimizer = K.optimizers.Adam(**{rate: 0.01})
        if version >= (3, 0):
            # On TensorFlow, its Adam squares the parts of an embedding's gradient before it adds them up. It is another
            # Adam there, also beside that of its own other backends.
            optimizer = K.optimizers.SGD(0.05, momentum=0.9)
        return Case(model, classes(20, 9).reshape(4, 5), numbers(4, 2), optimizer)

    def gru():
        model = sequential(K, (5, 3), [L.GRU(3, reset_after=False, recurrent_activation="sigmoid"), L.Dense(2)])
        return Case(model, numbers(4, 5, 3), numbers(4, 2), K.optimizers.SGD(**{rate: 0.05}))

    def nested():
        inner = sequential(K, (4,), [L.Dense(6, activation="relu"), L.Dense(4)])
        x = given(shape=(4,), name="given")
        middle = Model(x, L.Add()([x, inner(x)]), name="middle")
        a, b = given(shape=(4,), name="a"), given(shape=(4,), name="b")
        shared = L.Dense(3, activation="sigmoid", name="shared")
        y = L.Concatenate()([shared(middle(middle(a))), shared(middle(b))])
        model = Model([a, b], [L.Dense(2, name="p")(y), L.Dense(1, activation="sigmoid", name="q")(y)])
        return Case(model, [numbers(5, 4), numbers(5, 4, seed=1)], [numbers(5, 2), rows(5, 1)],
                    K.optimizers.Adam(**{rate: 0.01}), {"p": "mse", "q": "binary_crossentropy"},
                    loss_weights={"p": 0.5, "q": 2.0}, metrics={"p": ["mae"]})  # fmt: skip

    def frozen():
        model = sequential(K, (4,), [L.Dense(4, activation="elu"), L.BatchNormalization(), L.Dense(2)])
        model.layers[-3].trainable = model.layers[-2].trainable = False
        return Case(model, numbers(6, 4), numbers(6, 2), K.optimizers.Adam(**{rate: 0.01}))

    out = {"mlp": mlp, "image": image, "images": images, "sequence": sequence, "nested": nested, "frozen": frozen}
    if version >= (2, 2):
        out["gru"] = gru
    return {**out, **optimizers(K, plain)}


def cases_3(K):
    L, ops, version = K.layers, K.ops, version_of(K)

    def graph():
        x = K.Input((6, 4))
        y = ops.relu(x[:, 1:, ::2] * 2.0 + 1.0) - ops.mean(x[:, 1:, ::2], axis=-1, keepdims=True)
        z = ops.concatenate([y, ops.sigmoid(y)], axis=-1)
        scores = ops.softmax(ops.matmul(z, ops.transpose(z, (0, 2, 1))) / 2.0, axis=-1)
        mixed = ops.einsum("bij,bjk->bik", scores, z)
        top = ops.max(ops.reshape(mixed, (-1, 20)), axis=-1, keepdims=True)
        y = ops.concatenate([ops.where(top > 0, top, ops.exp(top)), ops.max(mixed, axis=(1, 2))[:, None]], axis=-1)
        return Case(K.Model(x, L.Dense(2)(y)), numbers(3, 6, 4), numbers(3, 2), K.optimizers.SGD(0.05))

    def attention():
        x = K.Input((5, 8))
        y = L.LayerNormalization()(x + L.MultiHeadAttention(2, 4)(x, x))
        y = L.Dense(4, activation="gelu")(L.AdditiveAttention()([y, L.Attention(use_scale=True)([y, y])]))
        y = L.EinsumDense("abc,cd->abd", (None, 3))(L.UnitNormalization()(L.GroupNormalization(2)(y)))
        return Case(K.Model(x, L.Flatten()(y)), numbers(3, 5, 8), numbers(3, 15), K.optimizers.AdamW(0.01))

    def grouped():
        x = K.Input((5, 8))
        y = L.GroupQueryAttention(4, 4, 2)(x, x)
        return Case(K.Model(x, L.Flatten()(y)), numbers(3, 5, 8), numbers(3, 40), K.optimizers.SGD(0.05))

    def state():
        """Statistics that were adapted, random layers with their generators, metrics."""
        norm = L.Normalization()
        norm.adapt(numbers(30, 4, seed=3) * 5 + 2)
        model = K.Sequential([
            K.Input((4,)), norm, L.Dense(3), L.Dropout(0.0), L.GaussianNoise(0.0, seed=3), L.Dense(2),
        ])  # fmt: skip
        return Case(model, numbers(6, 4), numbers(6, 2), K.optimizers.Adam(0.01),
                    metrics=["mae", K.metrics.CosineSimilarity(name="cosine")])  # fmt: skip

    def lookup():
        x = K.Input((3,), dtype="int32")
        y = L.CategoryEncoding(5, output_mode="multi_hot")(L.IntegerLookup(vocabulary=[7, 11, 13], max_tokens=5)(x))
        bins = L.Discretization(bin_boundaries=[3.0, 8.0, 12.0])(x)
        y = L.Concatenate()([y, L.Flatten()(L.Embedding(4, 2)(bins))])
        return Case(K.Model(x, L.Dense(2)(y)), np.array([[7, 11, 5], [13, 0, 7]]), numbers(2, 2), K.optimizers.SGD(0.1))

    def adapted(mode):
        """What `adapt` learns: in the config, in assets, in weights. An .h5 file of Keras has no place for it."""
        data = np.array([[3, 7, 7], [9, 3, 7], [12, 7, 5000000000]])
        x = K.Input((3,), dtype="int64")
        some = L.IntegerLookup(output_mode=mode, max_tokens=9)
        hot = L.IntegerLookup(output_mode="multi_hot", num_oov_indices=2)
        index = L.IntegerLookup(mask_token=3, num_oov_indices=3, max_tokens=5)
        bins = L.Discretization(num_bins=3, epsilon=0.1, output_mode="count")
        for layer in (some, hot, index, bins):
            layer.adapt(data)
        y = L.Flatten()(L.Embedding(7, 2)(index(x)))
        hashed = L.Flatten()(L.Embedding(5, 2)(L.Hashing(5, salt=[7, 8])(x)))
        y = L.Dense(2)(L.Concatenate()([K.ops.cast(p, "float32") for p in (y, some(x), hot(x), bins(x), hashed)]))
        inputs = np.concatenate([data, [[1, 2, 3]]])
        return Case(K.Model(x, y), inputs, numbers(4, 2), K.optimizers.SGD(0.1), extensions=[".keras"])

    def words():
        """Strings as inputs of a model, which Keras has on TensorFlow only."""
        texts = np.array(["The cat sat.", "On the mat!", "a cat, a hat", "\u00c9lan vital"])
        colors = np.array([["red"], ["blue"], ["grey"], ["red"]])
        t, c = K.Input((), dtype="string", name="t"), K.Input((1,), dtype="string", name="c")
        text = L.TextVectorization(output_sequence_length=3, ngrams=2)
        bag = L.TextVectorization(output_mode="count")
        look = L.StringLookup(num_oov_indices=4, mask_token="grey")
        text.adapt(texts), bag.adapt(texts), look.adapt(colors[:2])
        pool = L.GlobalAveragePooling1D
        parts = [
            pool()(L.Embedding(40, 2)(text(t))), bag(t), pool()(L.Embedding(9, 2)(look(c))),
            pool()(L.Embedding(6, 2)(L.HashedCrossing(6)([c, look(c)]))),
            L.StringLookup(vocabulary=["red", "x"], output_mode="one_hot")(c),
        ]  # fmt: skip
        y = L.Dense(2)(L.Concatenate()([K.ops.cast(p, "float32") for p in parts]))
        return Case(K.Model([t, c], y), [texts, colors], numbers(4, 2), K.optimizers.SGD(0.1), extensions=[".keras"])

    def recurrent():
        x = K.Input((6, 4))
        cells = L.RNN([L.LSTMCell(3), L.GRUCell(3)], return_sequences=True)
        y = L.Bidirectional(L.GRU(3, return_sequences=True))(cells(L.Masking(0.0)(x)))
        y = L.TimeDistributed(L.Dense(2))(y)
        z = L.ConvLSTM1D(2, 2, padding="same")(L.Reshape((6, 2, 2))(L.Conv1D(4, 1)(x)))
        y = L.Concatenate()([L.Flatten()(y), L.Flatten()(z)])
        return Case(K.Model(x, L.Dense(2)(y)), numbers(3, 6, 4), numbers(3, 2), K.optimizers.Nadam(0.01))

    def functions():
        names = "elu selu softplus softsign silu hard_sigmoid leaky_relu exponential relu6 mish log_softmax gelu"
        layers = [L.Dense(4, activation=n, kernel_initializer="lecun_normal") for n in names.split()]
        layers += [L.Dense(3, kernel_regularizer=K.regularizers.L1L2(0.01, 0.02),
                           kernel_constraint=K.constraints.UnitNorm(), kernel_initializer="orthogonal")]  # fmt: skip
        return Case(K.Sequential([K.Input((4,)), *layers]), numbers(5, 4), numbers(5, 3), K.optimizers.SGD(0.01),
                    K.losses.LogCosh(), metrics=[K.metrics.RootMeanSquaredError()])  # fmt: skip

    out = {
        "graph": graph, "attention": attention, "state": state, "recurrent": recurrent, "functions": functions,
    }  # fmt: skip
    # Keras has lookups where there is TensorFlow, on any backend, and strings in models on its own alone.
    if K.__name__ == "kerasish" or importlib.util.find_spec("tensorflow"):
        out.update(lookup=lookup, adapted=lambda: adapted("count"))
        if version >= (3, 15):  # 3.12 does not open such a file of its own
            out["adapted_idf"] = lambda: adapted("tf_idf")
    if K.__name__ == "kerasish" or K.backend.backend() == "tensorflow":
        out["words"] = words
    if version < (3, 3):
        del out["functions"]  # mish came later
    if hasattr(L, "GroupQueryAttention"):
        out["grouped"] = grouped
    return {**cases_2(K), **out}


def cases(K):
    return {1: cases_1, 2: cases_2, 3: cases_3}[version_of(K)[0]](K)


# -- writing and reading ----------------------------------------------------------------------------------------------


def listed(values):
    if isinstance(values, dict):
        values = [values[k] for k in sorted(values)]
    return list(values) if isinstance(values, (list, tuple)) else [values]


def fed(model, x):
    """Inputs as a model takes them: Keras takes strings as tensors only."""
    if type(model).__module__.startswith("kerasish") or all(v.dtype.kind != "U" for v in x):
        return x
    constant = importlib.import_module("tensorflow").constant
    return [constant(v) if v.dtype.kind == "U" else v for v in x]


def first_loss(model, x, y):
    x = fed(model, x)
    if hasattr(model, "reset_metrics"):
        model.reset_metrics()
    out = model.train_on_batch(x[0] if len(x) == 1 else x, y[0] if len(y) == 1 else y)
    return float(np.asarray(listed(out)[0]))


def predicted(model, x):
    x = fed(model, x)
    return [np.asarray(o) for o in listed(model.predict(x[0] if len(x) == 1 else x, verbose=0))]


def extensions(K):
    """What a package writes models as."""
    version = version_of(K)
    if K.__name__ == "kerasish":
        return [".keras"]
    return [".keras", ".h5"] if version >= (3, 0) else [".h5"]


def write(folder, names, only=()):
    """A file for each model, and beside it inputs, targets, outputs and the losses of the next steps."""
    K = package()
    made = cases(K)
    for name in names or made:
        if hasattr(K.backend, "clear_session"):
            K.backend.clear_session()
        try:
            case = made[name]()
            x, y = listed(case.inputs), listed(case.targets)
            for _ in range(STEPS):
                first_loss(case.model, x, y)
        except (AttributeError, ImportError, TypeError, ValueError) as error:  # no such class, or it does not train
            print(json.dumps({"file": name, "built": False, "error": f"{type(error).__name__}: {error}"[:500]}))
            continue
        written = []
        for extension in only or case.extensions or extensions(K):
            path = os.path.join(folder, name + extension)
            try:
                case.model.save(path)
            except Exception as error:  # Keras 3 has no .h5 form for some optimizers
                os.path.exists(path) and os.unlink(path)
                print(json.dumps({"file": name, "built": False, "error": f"{extension}: {error}"[:500]}))
                continue
            written.append(name + extension)
        values = {f"x{i}": v for i, v in enumerate(x)}
        values.update({f"y{i}": v for i, v in enumerate(y)})
        values.update({f"o{i}": v for i, v in enumerate(predicted(case.model, x))})
        values["steps"] = np.array(int(os.environ.get("LOSSES", STEPS)))
        values["version"] = np.array(version_of(K))
        values["losses"] = np.array([first_loss(case.model, x, y) for _ in range(STEPS)])
        np.savez_compressed(os.path.join(folder, name + ".npz"), **values)
        print(json.dumps({"file": name, "built": True, "written": written}))


def numbered(values, letter):
    return [values[f"{letter}{i}"] for i in range(sum(k[0] == letter and k[1:].isdigit() for k in values))]


def steps_of(values, name, reader):
    """How many of the stored losses can be compared, where `reader` is the version that goes on."""
    steps = int(values["steps"])
    # Formulas that have changed, so that the state is the same and the next steps are not: Nadam's schedule of momenta
    # (whose product Keras 2.11 to 2.15 took once for each variable), epsilon outside of the root, Muon's scale.
    since = {"nadam": (3, 0), "rmsprop": (2, 11), "adagrad": (2, 11), "muon": (3, 15)}
    older = min(tuple(values["version"]), reader) < since.get(name[len("optimizer_") :], (0, 0))
    return min(steps, 1) if older and name.startswith("optimizer_") else steps


def compare(model, values, name, reader=(3, 15)):
    """Raises unless a model computes and goes on training as the one that was saved."""
    values, steps = dict(values), steps_of(values, name, reader)
    x, y = numbered(values, "x"), numbered(values, "y")
    got, want = predicted(model, x), numbered(values, "o")
    assert len(got) == len(want) > 0
    for g, w in zip(got, want):
        np.testing.assert_allclose(g, w, rtol=OUTPUTS, atol=OUTPUTS * max(1.0, float(np.abs(w).max())))
    losses = [first_loss(model, x, y) for _ in range(steps)]
    np.testing.assert_allclose(losses, values["losses"][:steps], rtol=LOSSES)


def read(folder):
    """Compares each file of a folder; prints and returns what came of it."""
    K = package()
    known = cases(K)
    out = {}
    for file in sorted(os.listdir(folder)):
        name, extension = os.path.splitext(file)
        if extension not in (".keras", ".h5") or (name not in known and K.__name__ != "kerasish"):
            continue  # what this version has no class for
        try:
            values = np.load(os.path.join(folder, name + ".npz"))
            compare(K.models.load_model(os.path.join(folder, file)), values, name, version_of(K))
            out[file] = None
        except Exception as error:
            out[file] = f"{type(error).__name__}: {error}"[:3000] + traceback.format_exc()[-1500:]
        print(json.dumps({"file": file, "error": out[file]}))
    return out


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if sys.argv[1] == "write":
        write(sys.argv[2], sys.argv[3:])
    else:
        read(sys.argv[2])
