"""What holds for every layer: config and weights round trips, shapes, graphs, training, dtypes, masks, parity."""

from __future__ import annotations

import json

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers, ops
from kerasish.engine import tree

from .layer_cases import CASES, IN_KERAS, Case

# Layers that no case makes on its own; cells are called with states, in tests/layers/test_rnn_cells.py.
ABSTRACT = {"Layer", "InputLayer", "Lambda", "Wrapper", "SimpleRNNCell", "GRUCell", "LSTMCell", "StackedRNNCells"}


def ids(case: Case) -> str:
    return case.name


def symbols(inputs):
    return tree.map_structure(
        lambda x: keras.Input(x.shape[1:], dtype="string" if x.dtype.kind == "U" else str(x.dtype)), inputs
    )


def with_dtype(config, dtype):
    """The config with another dtype, also of the layers inside."""
    if isinstance(config, (list, tuple)):
        return [with_dtype(c, dtype) for c in config]
    if not isinstance(config, dict):
        return config
    return {k: dtype if k == "dtype" else with_dtype(v, dtype) for k, v in config.items()}


def first_line(x):
    return tree.flatten(x)[0]


def test_every_layer_has_a_case():
    public = {
        n for n, c in vars(layers).items() if isinstance(c, type) and issubclass(c, layers.Layer) and c.__name__ == n
    }
    missing = sorted(public - {type(c.make(layers)).__name__ for c in CASES} - ABSTRACT)
    assert not missing, f"layers without a case in layer_cases.py: {missing}"


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_config_round_trip(case):
    layer = case.make(layers)
    config = json.loads(json.dumps(layers.serialize(layer)))
    again = layers.deserialize(config)
    assert type(again) is type(layer)
    assert json.loads(json.dumps(layers.serialize(again))) == config
    assert again.name == layer.name
    case.call(layer, case.inputs())
    built = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    assert [v.shape for v in built.weights] == [v.shape for v in layer.weights]


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_symbolic_shape_is_the_real_shape_and_the_graph_gives_the_same_values(case):
    layer, inputs = case.make(layers), case.inputs()
    real = case.call(layer, inputs)
    x = symbols(inputs)
    y = case.call(layer, x)
    assert y.dtype == real.dtype
    assert len(y.shape) == len(real.shape)
    assert all(a is None or a == b for a, b in zip(y.shape, real.shape))
    assert all(a is not None for a in y.shape[1:])
    model = keras.Model(x, y)
    np.testing.assert_array_equal(model(inputs).numpy(), real.numpy())
    np.testing.assert_array_equal(model.predict(inputs, verbose=0), real.numpy())
    shape = tree.map_structure(lambda a: (None, *a.shape[1:]), inputs)
    fresh = case.make(layers)
    if case.spread:
        assert fresh.compute_output_shape(*shape) == y.shape
    else:
        given = shape if isinstance(inputs, list) else tuple(shape)
        assert fresh.compute_output_shape(given) == y.shape
        assert fresh.compute_output_shape(input_shape=given) == y.shape
    assert not fresh.built or not fresh.weights


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_weights_round_trip(case):
    layer, other = case.make(layers), case.make(layers)
    x = case.inputs()
    case.call(layer, x), case.call(other, x)
    rng = np.random.default_rng(0)
    values = [rng.uniform(0.1, 1, w.shape).astype("float32") for w in layer.weights]
    layer.set_weights(values)
    other.set_weights(layer.get_weights())
    np.testing.assert_array_equal(case.call(layer, x).numpy(), case.call(other, x).numpy())
    third = case.make(layers)
    case.call(third, x)
    for part, same in zip(layer._flatten_layers(), third._flatten_layers(), strict=True):  # cells, wrapped layers
        store = {}
        part.save_own_variables(store)
        same.load_own_variables({k: np.asarray(v) for k, v in store.items()})
    np.testing.assert_array_equal(case.call(third, x).numpy(), case.call(layer, x).numpy())
    assert layer.count_params() == sum(v.size for v in values)
    if values:
        with pytest.raises(ValueError, match="set_weights"):
            layer.set_weights(values[:-1])


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_float64(case):
    if case.integers or case.words:
        return  # the output's dtype is float32's by policy; the table is checked by the values above
    layer = case.make(layers)
    layer = type(layer).from_config(with_dtype(layer.get_config(), "float64"))
    out = case.call(layer, tree.map_structure(lambda a: a.astype("float64"), case.inputs()))
    assert out.dtype == "float64"
    assert all(v.dtype == "float64" for v in layer.weights if v.name != "count")


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_gradients_reach_every_trainable_weight(case):
    layer, x = case.make(layers), case.inputs()
    case.call(layer, x)
    with keras.GradientTape() as tape:
        out = case.call(layer, x, **({"training": True} if "training" in layer._signature.takes else {}))
        loss = ops.sum(ops.square(out) * 0.5 + out)
    grads = tape.gradient(loss, layer.trainable_weights)
    assert all(g is not None for g in grads)
    assert all(g.shape == w.shape for g, w in zip(grads, layer.trainable_weights))
    layer.trainable = False
    assert layer.trainable_weights == []
    assert len(layer.non_trainable_weights) == len(layer.weights)


@pytest.mark.filterwarnings("ignore:.*does not support masking")
@pytest.mark.parametrize("case", CASES, ids=ids)
def test_a_model_with_the_layer_trains(case):
    layer, inputs = case.make(layers), case.inputs()
    x = symbols(inputs)
    y = case.call(layer, x)
    if len(y.shape) > 2:
        y = layers.Flatten()(y)
    elif len(y.shape) == 1:
        y = layers.Reshape((1,))(y)
    model = keras.Model(x, layers.Dense(1)(y))
    model.compile("sgd", "mse")
    n = first_line(inputs).shape[0]
    history = model.fit(inputs, np.ones((n, 1), "float32"), epochs=2, batch_size=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.parametrize("case", [c for c in CASES if c.random], ids=ids)
def test_random_layers_obey_the_training_flag(case):
    layer, x = case.make(layers), case.inputs()
    still = layer(x).numpy()
    np.testing.assert_array_equal(still, x)
    np.testing.assert_array_equal(layer(x, training=False).numpy(), x)
    a, b = layer(x, training=True).numpy(), layer(x, training=True).numpy()
    assert (a != x).any()
    assert (a != b).any()
    model = keras.Sequential([layer])
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)
    assert (model(x, training=True).numpy() != x).any()


# Softmax's mask has the input's own shape.
STEPWISE = [c for c in CASES if len(c.shapes) == 1 and len(c.shapes[0]) == 3 and not c.name.startswith("Softmax")]


@pytest.mark.parametrize("case", STEPWISE, ids=ids)
def test_masks_are_handed_on_or_dropped_with_a_warning(case):
    layer = case.make(layers)
    x = ops.convert_to_tensor(case.inputs())
    x._keras_mask = ops.convert_to_tensor(np.arange(x.shape[1])[None, :] < np.ones((x.shape[0], 1)) * 2)
    if not layer.supports_masking:
        with pytest.warns(UserWarning, match="does not support masking"):
            y = layer(x)
        assert getattr(y, "_keras_mask", None) is None
    else:
        layer(x)


@pytest.mark.parity
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("case", IN_KERAS, ids=ids)
def test_parity_with_keras(case, training):
    import keras as reference

    ours, theirs = case.make(layers), case.make(reference.layers)
    x = case.inputs()
    case.call(ours, x)
    case.call(theirs, x)
    assert [tuple(w.shape) for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    rng = np.random.default_rng(1)
    values = [rng.uniform(0.1, 1, w.shape).astype("float32") for w in ours.weights]
    ours.set_weights(values)
    theirs.set_weights(values)
    if hasattr(theirs, "finalize_state"):  # Keras's layer computes with what its variables were then
        theirs.finalize_state()
    if training and (case.random or not case.training or "training" not in ours._signature.takes):
        training = False
    extra = {"training": True} if training else {}
    got, want = case.call(ours, x, **extra).numpy(), np.asarray(case.call(theirs, x, **extra))
    assert got.dtype == want.dtype
    scale = max(float(np.abs(want).max(initial=0)), 1e-6)
    np.testing.assert_allclose(got, want, rtol=case.rtol, atol=case.rtol * scale)
    for a, b in zip(ours.weights, theirs.weights):  # moving statistics
        np.testing.assert_allclose(a.numpy(), np.asarray(b), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose([float(v) for v in ours.losses], [float(v) for v in theirs.losses], rtol=1e-5)


@pytest.mark.parity
@pytest.mark.parametrize("case", IN_KERAS, ids=ids)
def test_configs_are_those_of_keras(case):
    """Each reads the other's config, and the keys are the same (but for options of Keras that are not supported)."""
    import keras as reference

    ours, theirs = case.make(layers), case.make(reference.layers)
    mine, yours = ours.get_config(), theirs.get_config()
    unsupported = {"quantization_config", "lora_rank", "lora_alpha", "gptq_unpacked_column_size"}
    assert set(yours) - set(mine) <= unsupported
    assert set(mine) - set(yours) <= {"quantization_config"}
    layers.deserialize(json.loads(json.dumps(reference.layers.serialize(theirs))))
    reference.layers.deserialize(json.loads(json.dumps(layers.serialize(ours))))
