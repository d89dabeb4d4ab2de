"""What a layer keeps: weights, sub-layers as attributes come and go, seeds, masks, the training flag, losses."""

import re

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers as L


def ones(*shape):
    return np.ones(shape, "float32")


class Bag(keras.Layer):
    """A layer that attributes are hung on."""

    def call(self, inputs):
        return inputs


# -- sub-layers and variables


def test_a_layer_is_listed_as_long_as_an_attribute_holds_it():
    bag, dense = Bag(), L.Dense(1)
    bag.a = bag.b = dense
    assert bag._layers == [dense]
    bag.a = None
    assert bag._layers == [dense]
    del bag.b
    assert bag._layers == []


def test_a_replaced_attribute_lets_the_old_layer_go():
    bag = Bag()
    bag.a = L.Dense(1)
    bag.a = second = L.Dense(2)
    assert bag._layers == [second]


def test_containers_are_followed():
    bag, layers = Bag(), [L.Dense(1) for _ in range(7)]
    bag.nested = [layers[0], [layers[1], {"x": layers[2]}], (layers[3],)]
    assert bag._layers == layers[:4]
    bag.nested[1].append(layers[4])
    bag.nested.insert(0, layers[5])
    bag.nested += [layers[6]]
    assert {id(x) for x in bag._layers} == {id(x) for x in layers}
    assert bag.nested.pop(0) is layers[5]
    bag.nested.remove(layers[6])
    del bag.nested[1][1]["x"]
    assert {id(x) for x in bag._layers} == {id(layers[k]) for k in (0, 1, 3, 4)}
    bag.nested = None
    assert bag._layers == []


def test_dicts_are_followed():
    bag, a, b, c = Bag(), L.Dense(1), L.Dense(1), L.Dense(1)
    bag.d = {"a": a}
    bag.d.update(b=b)
    bag.d.setdefault("c", c)
    assert bag._layers == [a, b, c]
    bag.d["a"] = b
    assert bag._layers == [b, c]
    assert bag.d.pop("b") is b and bag.d.pop("nope", None) is None
    assert bag._layers == [b, c]  # still under "a"
    bag.d.clear()
    assert bag._layers == []


def test_twice_in_a_list():
    bag, dense = Bag(), L.Dense(1)
    bag.layers = [dense, dense]
    bag.layers.pop()
    assert bag._layers == [dense]
    bag.layers[:] = []
    assert bag._layers == []


def test_a_list_of_another_layer_is_followed_too():
    one, other = Bag(), Bag()
    one.blocks = [L.Dense(1)]
    other.blocks = one.blocks
    assert other._layers == one._layers == list(one.blocks)


def test_variables_metrics_and_seeds():
    bag = Bag()
    bag.v = keras.Variable(ones(2))
    bag.v = second = keras.Variable(ones(3))
    bag.frozen = keras.Variable(ones(1), trainable=False)
    bag.m = keras.metrics.Mean()
    bag.seed = keras.random.SeedGenerator(1)
    assert bag.trainable_variables == [second]
    assert bag.non_trainable_variables == [bag.frozen, bag.seed.state]
    assert bag.weights == [second, bag.frozen]
    assert bag.metrics == [bag.m] and bag.metrics_variables == bag.m.variables


def test_a_variable_stays_in_its_list_when_it_is_frozen():
    layer = L.Dense(2, trainable=False)
    layer.build((None, 3))
    assert len(layer.variables) == len(layer._trainable_variables) + len(layer._non_trainable_variables) == 2
    layer.kernel = layer.kernel
    store = {}
    layer.save_own_variables(store)
    assert sorted(store) == ["0", "1"]


def test_shared_seeds_are_one_variable():
    seed = keras.random.SeedGenerator(1)
    model = keras.Sequential([keras.Input((50,)), L.Dropout(0.5, seed=seed), L.Dropout(0.5, seed=seed)])
    assert model.non_trainable_variables == [seed.state]
    before = seed.state.numpy()
    model(ones(2, 50), training=True)
    assert (seed.state.numpy() != before).any()


def test_nothing_can_be_added_to_a_built_layer():
    layer = L.Dense(2, name="it")
    layer.build((None, 3))
    message = re.escape("Dense 'it' is built: variables and sub-layers can no longer be added")
    for add in (lambda: layer.add_weight(shape=(1,)), lambda: setattr(layer, "more", L.Dense(1))):
        with pytest.raises(ValueError, match=message):
            add()
    assert len(layer.variables) == 2 and not layer._layers


def test_super_is_called_first():
    class NoSuper(keras.Layer):
        def __init__(self, weight):
            self.inner = L.Dense(3)
            if weight:
                self.add_weight(shape=(3,))

        def call(self, x):
            return self.inner(x)

    for use in (lambda: NoSuper(True), lambda: NoSuper(False)(ones(2, 3))):
        with pytest.raises(RuntimeError, match=re.escape("NoSuper: call super().__init__() first in __init__().")):
            use()


# -- add_weight


def test_add_weight_options():
    layer = Bag()
    w = layer.add_weight(shape=(2, 3), initializer="ones", regularizer="l2", constraint="non_neg", name="w")
    keras.backend.clear_session(free_memory=False)  # names are counted
    n = layer.add_weight(initializer="zeros", dtype="int32", trainable=False)
    assert w.shape == (2, 3) and w.dtype == "float32" and w.trainable and (w.numpy() == 1).all()
    assert (n.shape, n.dtype, n.trainable, n.name) == ((), "int32", False, "variable")
    assert w.constraint.__class__.__name__ == "NonNeg"
    np.testing.assert_allclose(float(sum(layer.losses)), 0.01 * 6, rtol=1e-6)


BAD_WEIGHTS = [
    ({"shape": (None, 3)}, "add_weight: every dimension must be known. Received: (None, 3)"),
    ({"shape": (-1, 3)}, "add_weight: a dimension is at least 0. Received: (-1, 3)"),
    ({"shape": 3}, "add_weight: a shape is a tuple of integers. Received: 3"),
    ({"shape": (1,), "initializer": "nope"}, "unknown initializer: 'nope'"),
    ({"shape": (1,), "dtype": "nope"}, "Invalid dtype: nope"),
    ({"shape": (1,), "name": "a/b"}, "the name is a string without '/'. Received: name='a/b'"),
]


@pytest.mark.parametrize("given, message", BAD_WEIGHTS, ids=[str(given) for given, _ in BAD_WEIGHTS])
def test_bad_weights(given, message):
    layer = Bag()
    with pytest.raises(ValueError, match=re.escape(message)):
        layer.add_weight(**given)
    assert not layer.variables


# -- nothing is left behind by a failure


def test_a_build_that_fails_leaves_no_weights():
    tries = []

    def flaky(shape, dtype=None):
        tries.append(shape)
        if len(tries) == 1:
            raise OSError("no values today")
        return keras.ops.zeros(shape, dtype)

    layer = L.Dense(2, bias_initializer=flaky)
    with pytest.raises(OSError, match="no values today"):
        layer(ones(2, 3))
    assert not layer.built and not layer.variables
    layer(ones(2, 5))
    assert [v.shape for v in layer.variables] == [(5, 2), (2,)]


def test_a_failed_first_call_fixes_no_shapes_in_a_model():
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.blocks = [L.Dense(3), L.Conv1D(2, 3)]

        def call(self, x):
            for block in self.blocks:
                x = block(x)
            return x

    for model in (Two(), keras.Sequential([L.Dense(3), L.Conv1D(2, 3)])):
        with pytest.raises(ValueError, match=r"the window does not fit.*\(in Conv1D '.*'\)$"):
            model(ones(2, 2, 4))
        assert not model.built and not model.weights
        assert model(ones(2, 8, 6)).shape == (2, 6, 2)


def test_a_layer_that_does_not_fit_is_not_added():
    model = keras.Sequential([keras.Input((4,)), L.Dense(3)])
    before = model.get_weights()
    with pytest.raises(ValueError, match="expected ndim=3, found ndim=2"):
        model.add(L.Conv1D(3, 3))
    assert len(model.layers) == 1 and model(ones(2, 4)).shape == (2, 3)
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_set_weights_is_all_or_nothing():
    layer = L.Dense(3, name="it")
    layer.build((None, 2))
    before = layer.get_weights()
    with pytest.raises(
        ValueError, match=re.escape("Dense 'it': set_weights: 2 arrays are expected. Received: given=1")
    ):
        layer.set_weights([ones(2, 3)])
    with pytest.raises(ValueError, match=re.escape("it/bias has shape (3,). Received: given=(4,)")):
        layer.set_weights([ones(2, 3), ones(4)])
    np.testing.assert_array_equal(layer.get_weights()[0], before[0])


def test_what_is_not_built_says_so():
    class Sub(keras.Model):
        def __init__(self):
            super().__init__(name="it")
            self.inner = L.Dense(3)

        def call(self, x):
            return self.inner(x) if float(keras.ops.sum(x)) > 0 else x

    cases = [
        (lambda: Sub().count_params(), "count_params: Sub 'it' is not built"),
        (lambda: Sub().summary(), "summary: Sub 'it' is not built"),
        (lambda: Sub().build((None, 3)), "Sub 'it': the layer has sub-layers that are not built, and tracing its call"),
        (lambda: keras.Sequential(name="it")(ones(2, 3)), "Sequential 'it': a model without layers cannot be built"),
        (lambda: L.Dense(3, name="it").count_params(), "count_params: Dense 'it' is not built"),
    ]
    for use, message in cases:
        with pytest.raises(ValueError, match=re.escape(message)):
            use()
    with pytest.raises(AttributeError, match="Sequential 'it' is not built: it has no output yet"):
        keras.Sequential([L.Dense(3)], name="it").output  # noqa: B018
    with pytest.raises(NotImplementedError, match="Layer does not define `call`"):
        L.Layer()(ones(2, 3))


# -- the training flag


class Probe(keras.Layer):
    """Notes the training flag of each call."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def call(self, inputs, training=None):
        self.seen.append(training)
        return inputs


class Outer(keras.Model):
    def __init__(self, inner, says=None):
        super().__init__()
        self.inner, self.says = inner, says

    def call(self, inputs):
        return self.inner(inputs) if self.says is None else self.inner(inputs, training=self.says)


def test_the_training_flag_reaches_inner_layers():
    probe = Probe()
    x = keras.Input((3,))
    functional = keras.Model(x, keras.Sequential([probe])(x))
    model = Outer(Outer(functional))
    data = ones(2, 3)
    probe.seen.clear()
    model(data)
    model(data, training=True)
    model(data, training=False)
    assert probe.seen == [None, True, False]
    probe.seen.clear()
    functional.compile("sgd", "mse")
    functional.predict(data, verbose=0)
    functional.evaluate(data, data, verbose=0)
    assert set(probe.seen) == {False}
    probe.seen.clear()
    Outer(Outer(probe), says=True)(data, training=False)
    assert probe.seen == [True]  # what a layer is given goes before what is around it


def test_the_training_flag_ends_with_the_call():
    probe, fails = Probe(), L.Lambda(lambda x: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        keras.Sequential([fails])(ones(2, 3), training=True)
    probe(ones(2, 3))
    assert probe.seen == [None]


# -- masks


class SeesMask(keras.Layer):
    def __init__(self):
        super().__init__()
        self.supports_masking = True
        self.masks = []

    def call(self, inputs, mask=None):
        self.masks.append(mask)
        return inputs


def masked_mean(values, mask):
    return np.stack([v[m].mean(axis=0) for v, m in zip(values, mask)])


@pytest.mark.parametrize("kind", ["sequential", "functional", "nested"])
def test_masks_travel_through_models(kind):
    probe = SeesMask()
    stack = [L.Embedding(5, 4, mask_zero=True), L.Dense(3), L.Dropout(0.5), probe, L.GlobalAveragePooling1D()]
    if kind == "nested":
        stack = [keras.Sequential(stack[:2]), *stack[2:]]
    if kind == "functional":
        x = y = keras.Input((4,), dtype="int32")
        for layer in stack:
            y = layer(y)
        model = keras.Model(x, y)
    else:
        model = keras.Sequential(stack)
    ids = np.array([[1, 2, 0, 0], [3, 0, 4, 1]], "int32")
    got = model(ids).numpy()
    np.testing.assert_array_equal(probe.masks[-1], ids != 0)
    inner = stack[0](ids) if kind == "nested" else stack[1](stack[0](ids))
    np.testing.assert_allclose(got, masked_mean(inner.numpy(), ids != 0), rtol=1e-5)


def test_masking_layer():
    probe = SeesMask()
    model = keras.Sequential([L.Masking(9.0), probe])
    model(np.array([[[1.0, 9.0], [9.0, 9.0]]], "float32"))
    np.testing.assert_array_equal(probe.masks[-1], [[True, False]])


def test_a_mask_that_is_given_goes_before_one_that_is_carried():
    probe = SeesMask()
    x = L.Embedding(5, 2, mask_zero=True)(np.array([[0, 1]]))
    probe(x, mask=np.array([[True, True]]))
    np.testing.assert_array_equal(probe.masks[-1], [[True, True]])


def test_a_dropped_mask_is_warned_of():
    class Unaware(keras.Layer):
        def compute_mask(self, inputs, mask=None):
            return mask

        def call(self, inputs):
            return inputs

    layer = Unaware(name="it")
    layer.supports_masking = False
    with pytest.warns(UserWarning, match="Unaware 'it' was passed an input with a mask, does not support masking"):
        layer(L.Embedding(5, 2, mask_zero=True)(np.array([[0, 1]])))


# -- losses


def test_activity_regularizers():
    x = np.array([[1.0, -2.0], [3.0, 4.0]], "float32")
    layer = L.Dense(2, use_bias=False, kernel_initializer="identity", activity_regularizer=keras.regularizers.L1(0.1))
    model = keras.Sequential([layer, L.ActivityRegularization(l2=0.5)])
    for _ in range(2):  # each call starts anew
        model(x)
        np.testing.assert_allclose(
            sorted(float(v) for v in model.losses), sorted([0.1 * 10 / 2, 0.5 * 30 / 2]), rtol=1e-6
        )


def test_add_loss_takes_scalars():
    with pytest.raises(ValueError, match=re.escape("Bag.add_loss: a loss is a scalar. Received: loss.shape=(2,)")):
        Bag().add_loss(keras.ops.ones((2,)))


# -- names and paths


def build_sequential(K):
    L = K.layers
    return K.Sequential(
        [K.Input((4,)), L.Dense(3), L.BatchNormalization(), L.Dropout(0.5), L.Dense(3), L.Dense(2, name="head")]
    )


def build_late(K):
    model = K.Sequential([K.layers.Dense(3), K.layers.Dense(2)], name="mine")
    model(ones(2, 4))
    return model


def build_functional(K):
    L = K.layers
    x = K.Input((8, 8, 3))
    y = L.Flatten()(L.SeparableConv2D(2, 3)(L.Conv2D(3, 3)(x)))
    return K.Model(x, K.Sequential([K.Input((32,)), L.Dense(3)])(y), name="outer")


def build_subclassed(K):
    L = K.layers

    class Block(L.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.first = L.Dense(units)
            self.listed = [L.Dense(units), L.Dense(units)]
            self.named = {"a": L.Dense(units, name="last")}
            self.early = self.add_weight(shape=(1,), name="early")

        def build(self, input_shape):
            self.w = self.add_weight(shape=(2,), name="w")
            self.unnamed = self.add_weight(shape=(2,))
            super().build(input_shape)

        def call(self, x):
            x = self.first(x)
            for layer in self.listed:
                x = layer(x)
            return self.named["a"](x)

    class Net(K.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.out = Block(3), Block(3, name="second"), L.Dense(1)

        def call(self, x):
            return self.out(self.two(self.one(x)))

    model = Net()
    model(ones(2, 3))
    return model


def names(build, K):
    K.backend.clear_session(free_memory=False)
    model = build(K)
    layers = model._flatten_layers()
    return [(v.path, v.name) for v in model.variables], [(x.name, x.path) for x in layers if x.weights]


def test_paths():
    variables, _ = names(build_sequential, keras)
    assert [path for path, _ in variables][:3] == [
        "sequential/dense/kernel", "sequential/dense/bias", "sequential/batch_normalization/gamma",
    ]  # fmt: skip
    assert variables[-1] == ("sequential/head/bias", "bias")


def test_a_subclassed_model_has_the_same_paths_built_as_called():
    class Net(keras.Model):
        def __init__(self):
            super().__init__(name="net")
            self.inner = L.Dense(1, name="inner")

        def call(self, x):
            return self.inner(x)

    built, called = Net(), Net()
    built.build((None, 3))
    called(ones(2, 3))
    assert (
        [v.path for v in built.variables]
        == [v.path for v in called.variables]
        == ["net/inner/kernel", "net/inner/bias"]
    )


@pytest.mark.parity
@pytest.mark.parametrize("build", [build_sequential, build_late, build_functional, build_subclassed])
def test_names_and_paths_are_those_of_keras(build):
    reference = pytest.importorskip("keras")
    assert names(build, keras)[0] == names(build, reference)[0]
