"""Functional and Sequential models: structures, sharing, nesting, sub-models, configs, errors."""

from __future__ import annotations

import json

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers, ops


def mlp(name=None):
    x = keras.Input((4,))
    return keras.Model(x, layers.Dense(3, activation="relu")(layers.Dense(5)(x)), name=name)


def data(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


def round_trip(model):
    return keras.models.model_from_json(model.to_json())


def assert_same_after_round_trip(model, x):
    again = round_trip(model)
    again.set_weights(model.get_weights())
    want, got = model(x), again(x)
    for a, b in zip(keras.tree.flatten(want), keras.tree.flatten(got)):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert json.loads(again.to_json()) == json.loads(model.to_json())


def test_a_chain():
    model = mlp()
    x = data(6, 4)
    want = np.maximum((x @ model.layers[1].kernel.numpy()) @ model.layers[2].kernel.numpy(), 0)
    np.testing.assert_allclose(model(x).numpy(), want, rtol=1e-5, atol=1e-6)
    assert [type(x).__name__ for x in model.layers] == ["InputLayer", "Dense", "Dense"]
    assert model.input_shape == (None, 4)
    assert model.output_shape == (None, 3)
    assert model.count_params() == 4 * 5 + 5 + 5 * 3 + 3
    assert model.compute_output_shape((7, 4)) == (7, 3)
    assert_same_after_round_trip(model, x)


def test_nested_structures_of_inputs_and_outputs():
    a, b, c = keras.Input((2,), name="a"), keras.Input((3,), name="b"), keras.Input((4,), name="c")
    y = {"sum": layers.Dense(2, name="s")(layers.Concatenate()([a, b])), "both": (layers.Dense(1)(c), a * 2.0)}
    model = keras.Model([a, (b, c)], y)
    x = [data(5, 2), (data(5, 3), data(5, 4))]
    out = model(x)
    assert set(out) == {"sum", "both"}
    assert isinstance(out["both"], tuple)
    np.testing.assert_array_equal(out["both"][1].numpy(), x[0] * 2)
    predicted = model.predict(x, batch_size=2, verbose=0)
    np.testing.assert_allclose(predicted["sum"], out["sum"].numpy(), rtol=1e-5, atol=1e-6)
    assert_same_after_round_trip(model, x)


def test_inputs_by_name():
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    model = keras.Model({"a": a, "b": b}, a - b)
    x = {"b": data(3, 2) * 0 + 1, "a": data(3, 2) * 0 + 5}
    np.testing.assert_array_equal(model(x).numpy(), np.full((3, 2), 4))
    np.testing.assert_array_equal(model({**x, "unused": 1.0 * data(3, 2)}).numpy(), np.full((3, 2), 4))
    with pytest.raises(ValueError, match=r"the inputs lack \['b'\]"):
        model({"a": x["a"]})
    listed = keras.Model([a, b], a - b)
    np.testing.assert_array_equal(listed(x).numpy(), np.full((3, 2), 4))
    assert_same_after_round_trip(model, x)


def test_shared_layers_have_one_set_of_weights_and_a_node_per_call():
    a, b = keras.Input((4,)), keras.Input((4,))
    shared = layers.Dense(3)
    model = keras.Model([a, b], layers.Add()([shared(a), shared(b)]))
    assert len(model.weights) == 2
    assert len(shared._inbound_nodes) == 2
    x = [data(2, 4), data(2, 4)]
    np.testing.assert_allclose(model(x).numpy(), 2 * (x[0] @ shared.kernel.numpy()), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="was called 2 times: which output is meant is not defined"):
        _ = shared.output
    assert_same_after_round_trip(model, x)


def test_a_model_as_a_layer_and_residual_branches():
    inner = mlp("inner")
    x = keras.Input((4,))
    h = inner(x)
    y = layers.Dense(3)(layers.Add()([h, layers.Dense(3)(x)]))
    outer = keras.Model(x, [y, inner(x * 2.0)])
    value = data(5, 4)
    got = outer(value)
    np.testing.assert_allclose(got[1].numpy(), inner(value * 2).numpy(), rtol=1e-5, atol=1e-6)
    assert inner in outer.layers
    assert len(outer.weights) == 8
    assert_same_after_round_trip(outer, value)


def test_intermediate_outputs_and_inputs_make_new_models():
    x = keras.Input((4,))
    h = layers.Dense(5, activation="tanh", name="h")(x)
    y = layers.Dense(2, name="y")(h)
    whole, front, back = keras.Model(x, y), keras.Model(x, h), keras.Model(h, y)
    value = data(3, 4)
    np.testing.assert_allclose(back(front(value)).numpy(), whole(value).numpy(), rtol=1e-6, atol=1e-6)
    assert back.get_layer("y").kernel is whole.get_layer("y").kernel
    assert back.input_shape == (None, 5)
    features = keras.Model(whole.input, whole.get_layer("h").output)
    np.testing.assert_array_equal(features(value).numpy(), front(value).numpy())


def test_ops_on_symbols_are_part_of_the_graph_and_its_config():
    x = keras.Input((4, 3))
    y = ops.mean(ops.relu(x[:, 1:] * 2.0 - 1.0), axis=1) + ops.sum(x, axis=(1, 2), keepdims=True)[:, :, 0]
    model = keras.Model(x, ops.reshape(y, (-1, 3, 1)))
    value = data(5, 4, 3)
    want = np.maximum(value[:, 1:] * 2 - 1, 0).mean(1) + value.sum((1, 2), keepdims=True)[:, :, 0]
    np.testing.assert_allclose(model(value).numpy()[..., 0], want, rtol=1e-5, atol=1e-6)
    assert_same_after_round_trip(model, value)


def test_an_input_that_is_an_output():
    x = keras.Input((2,))
    model = keras.Model(x, [x, layers.Dense(1)(x)])
    value = data(3, 2)
    np.testing.assert_array_equal(model(value)[0].numpy(), value)
    assert_same_after_round_trip(model, value)


def test_an_unused_input_still_belongs_to_the_model():
    a, b = keras.Input((2,)), keras.Input((3,))
    model = keras.Model([a, b], layers.Dense(1)(a))
    assert len(model.layers) == 3
    assert model([data(2, 2), data(2, 3)]).shape == (2, 1)


def test_disconnected_graphs_are_named():
    a, b = keras.Input((2,), name="here"), keras.Input((2,), name="elsewhere")
    y = layers.Add()([layers.Dense(2)(a), layers.Dense(2)(b)])
    with pytest.raises(ValueError, match=r"the graph is disconnected: 'elsewhere' is needed for the outputs"):
        keras.Model(a, y)
    with pytest.raises(ValueError, match="disconnected: a symbol comes from no input"):
        keras.Model(a, layers.Add()([a, keras.KerasTensor((None, 2))]))
    with pytest.raises(ValueError, match="outputs are symbolic tensors"):
        keras.Model(a, np.ones(2))
    with pytest.raises(ValueError, match="inputs are symbolic tensors"):
        keras.Model(np.ones(2), a)
    with pytest.raises(ValueError, match="each input is given once"):
        keras.Model([a, a], a)


def test_wrong_inputs_are_named():
    model = mlp("m")
    with pytest.raises(ValueError, match=r"Functional 'm'.*expected shape=\(None, 4\). Received: x.shape=\(3, 5\)"):
        model(data(3, 5))
    with pytest.raises(ValueError, match=r"Functional 'm'.*expected ndim=2, found ndim=4"):
        model(data(3, 4, 2, 2))
    with pytest.raises(ValueError, match="1 inputs are expected, 2 were given"):
        model([data(3, 4), data(3, 4)])
    np.testing.assert_array_equal(model(data(3, 4)[..., None]).numpy(), model(data(3, 4)).numpy())
    x = keras.Input((1,), name="a")
    with pytest.raises(ValueError, match=r"an input is a tensor|is not optional"):
        keras.Model(x, x * 2.0)(None)


def test_get_layer():
    model = mlp()
    assert model.get_layer(index=1) is model.layers[1]
    assert model.get_layer(model.layers[2].name) is model.layers[2]
    with pytest.raises(ValueError, match="no layer has this name; there are"):
        model.get_layer("nothing")
    with pytest.raises(ValueError, match="the model has 3 layers"):
        model.get_layer(index=7)
    with pytest.raises(ValueError, match="give a name or an index"):
        model.get_layer()


def test_freezing():
    model = mlp()
    model.layers[1].trainable = False
    assert [v.path for v in model.trainable_weights] == [v.path for v in model.layers[2].weights]
    model.trainable = False
    assert model.trainable_weights == []
    model.trainable = True
    assert len(model.trainable_weights) == 4


def test_subclass_of_model_given_a_graph():
    class Mine(keras.Model):
        def extra(self):
            return "extra"

    x = keras.Input((2,))
    model = Mine(x, layers.Dense(1)(x), name="mine")
    assert model.extra() == "extra"
    assert model(data(3, 2)).shape == (3, 1)
    assert [type(v).__name__ for v in model.layers] == ["InputLayer", "Dense"]


def test_a_cast_that_changes_nothing_stays_in_a_graph():
    """It counts in the order of layers, by which files name them: `b` is one call further from the output than `a`."""
    x = keras.Input((3,))
    a, b = layers.Dense(2, name="a"), layers.Dense(2, name="b")
    model = keras.Model(x, layers.Add()([a(x), keras.ops.cast(b(x), "float32")]))
    assert [v.name for v in model.layers][1:3] == ["b", "a"]
    again = keras.Model.from_config(model.get_config())
    assert [v.name for v in again.layers][1:3] == ["b", "a"]
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(data(4, 3)).numpy(), model(data(4, 3)).numpy())
    assert keras.ops.cast(model(data(4, 3)), "float32").dtype == "float32"


def test_a_sequential_without_input_gets_its_graph_from_the_data_that_it_is_fitted_on():
    for inner in (layers.Dense(3), keras.Sequential([layers.Dense(3)])):
        model = keras.Sequential([inner, layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(np.ones((10, 2)), np.ones((10, 1)), batch_size=4, verbose=0)
        assert model.predict(np.ones((7, 2)), verbose=0).shape == (7, 1)
        assert model.inputs[0].shape[1:] == (2,)


def test_sequential_with_and_without_input():
    eager = keras.Sequential([layers.Dense(3, activation="relu"), layers.Dense(2)])
    assert not eager.built
    with pytest.raises(AttributeError, match="it has no output_shape yet"):
        _ = eager.output_shape
    assert eager(data(4, 5)).shape == (4, 2)
    assert eager.output_shape == (None, 2) or eager.output_shape == (4, 2)
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3), layers.Dropout(0.5)])
    assert model.built
    model.add(layers.Dense(2))
    assert model.output_shape == (None, 2)
    assert len(model.weights) == 4
    popped = model.pop()
    assert model.output_shape == (None, 3)
    assert popped not in model.layers
    assert_same_after_round_trip(model, data(4, 5))


def test_sequential_first_called_on_another_batch_size():
    model = keras.Sequential([layers.Dense(3)])
    assert model(data(4, 5)).shape == (4, 3)
    assert model(data(7, 5)).shape == (7, 3)
    assert model.predict(data(9, 5), batch_size=4, verbose=0).shape == (9, 3)


def test_sequential_inside_sequential_and_as_a_layer():
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(3)])
    outer = keras.Sequential([inner, layers.Dense(2)])
    assert outer(data(4, 5)).shape == (4, 2)
    x = keras.Input((5,))
    model = keras.Model(x, outer(x))
    np.testing.assert_array_equal(model(data(4, 5)).numpy(), outer(data(4, 5)).numpy())
    assert_same_after_round_trip(model, data(4, 5))


def test_bad_sequentials():
    with pytest.raises(ValueError, match="only layers can be added"):
        keras.Sequential([lambda x: x])
    dense = layers.Dense(2, name="same")
    with pytest.raises(ValueError, match="layers have different names"):
        keras.Sequential([dense, layers.Dense(2, name="same")])
    with pytest.raises(ValueError, match=r"the model has an input of shape \(None, 4\) already"):
        keras.Sequential([keras.Input((4,)), keras.Input((4,))])
    model = keras.Sequential([keras.Input((4,)), dense])
    with pytest.raises(ValueError, match=r"the model has an input of shape \(None, 4\)"):
        model.build((None, 5))
    with pytest.raises(ValueError, match="cannot be built; add"):
        keras.Sequential().build((None, 2))
    with pytest.raises(ValueError, match="there is no layer to pop"):
        keras.Sequential().pop()


def test_configs_that_make_no_graph():
    config = mlp().get_config()
    config["output_layers"] = ["nowhere", 0, 0]
    with pytest.raises(ValueError, match="refers to a layer that is not in it"):
        keras.Model.from_config(config)
    config = mlp().get_config()
    first, second = config["layers"][1], config["layers"][2]
    first["inbound_nodes"], second["inbound_nodes"] = second["inbound_nodes"], first["inbound_nodes"]
    first["inbound_nodes"] = json.loads(json.dumps(first["inbound_nodes"]).replace(first["name"], second["name"]))
    second["inbound_nodes"] = json.loads(
        json.dumps(first["inbound_nodes"]).replace(f'"{second["name"]}"', f'"{first["name"]}"')
    )
    with pytest.raises(ValueError, match="the graph has loops or disconnected nodes"):
        keras.Model.from_config(config)


@pytest.mark.parity
def test_keras_reads_our_configs_and_we_read_theirs():
    import keras as reference

    def build(K):
        L = K.layers
        x = K.Input((8, 8, 3), name="image")
        y = L.Conv2D(4, 3, activation="relu", name="c")(x)
        z = L.Conv2D(4, 3, padding="same", name="d")(y)
        y = L.Add(name="add")([y, z])
        y = L.GlobalAveragePooling2D(name="pool")(y)
        shared = L.Dense(4, name="shared")
        return K.Model(x, [shared(y), shared(shared(y))], name="m")

    ours, theirs = build(keras), build(reference)
    x = data(2, 8, 8, 3)
    theirs.set_weights(ours.get_weights())
    for model, other in (
        (reference.models.model_from_json(ours.to_json()), theirs),
        (keras.models.model_from_json(theirs.to_json()), ours),
    ):
        model.set_weights(ours.get_weights())
        for a, b in zip(model(x), other(x)):
            np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5, atol=1e-6)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    for a, b in zip(ours(x), theirs(x)):
        np.testing.assert_allclose(a.numpy(), np.asarray(b), rtol=1e-5, atol=1e-6)
