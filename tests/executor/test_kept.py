"""What programs keep from one run to the next: it follows the Variables, whoever changes them, and is shared."""

import threading

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.executor.passes.packing import kept_values
from tests.executor.compare import executable, f32


def dense(seed=0):
    model = keras.Sequential([keras.Input((96,)), keras.layers.Dense(160, "relu"), keras.layers.Dense(130)])
    for k, w in enumerate(model.weights):
        w.assign(f32(*w.shape, seed=seed + k))
    return model


def one_by_one(model, x):
    out = ops.convert_to_tensor(x)
    for layer in model.layers:
        out = layer(out)
    return out.numpy()


def kept_of(fn, *args):
    return [x.call.op.name for x in kept_values(executable(fn, *args).graph)]


def test_prediction_keeps_packed_weights():
    model = dense()
    x = f32(64, 96)
    assert kept_of(lambda x: model(x), x) == ["matmul_pack", "matmul_pack"]
    assert (model.predict(x, verbose=0) == one_by_one(model, x)).all()
    assert (model.predict(x, verbose=0) == one_by_one(model, x)).all()


def test_convolutions_keep_theirs():
    model = keras.Sequential(
        [keras.Input((16, 16, 16)), keras.layers.Conv2D(32, 3, activation="relu"), keras.layers.Conv2D(24, 3, 2)]
    )
    x = f32(2, 16, 16, 16)
    assert kept_of(lambda x: model(x), x) == ["conv_pack", "conv_pack"]
    for _ in range(3):
        assert (model.predict(x, verbose=0) == one_by_one(model, x)).all()
        model.layers[0].kernel.assign_add(0.5)


def test_a_call_with_many_rows_for_each_weight_packs_for_itself():
    model = keras.Sequential([keras.Input((56, 56, 16)), keras.layers.Conv2D(16, 3, padding="same")])
    assert kept_of(lambda x: model(x), f32(32, 56, 56, 16)) == []


def test_a_training_step_keeps_the_packed_weights_of_frozen_layers_only():
    model = dense()
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    x, y = f32(32, 96), f32(32, 130)
    for _ in range(3):
        model.train_on_batch(x, y)
    twin = dense()
    twin.layers[0].trainable = False
    twin.compile("sgd", "mse", run_eagerly=True)
    for _ in range(3):
        twin.train_on_batch(x, y)
    for a, b in zip(model.get_weights(), twin.get_weights()):
        assert (a == b).all()


@pytest.mark.parametrize("how", ["assign", "set_weights", "fit", "train_on_batch", "function", "eager step"])
def test_it_follows_the_variables(how):
    model = dense()
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse", run_eagerly=how == "eager step")
    x, y = f32(64, 96), f32(64, 130)

    @keras.function
    def step():
        for v in model.trainable_variables:
            v.assign(v * 0.5)

    predict = keras.function(lambda x: model(x))
    for _ in range(4):
        assert (predict(x).numpy() == one_by_one(model, x)).all()
        assert (model.predict(x, verbose=0) == one_by_one(model, x)).all()
        if how == "assign":
            model.layers[0].kernel.assign_sub(0.25)
        elif how == "set_weights":
            model.set_weights([w * 0.75 for w in model.get_weights()])
        elif how == "fit":
            model.fit(x, y, batch_size=16, epochs=1, verbose=0)
        elif how == "function":
            step()
        else:
            model.train_on_batch(x, y)


def test_loading_weights_is_seen(tmp_path):
    model, other = dense(), dense(seed=7)
    x = f32(64, 96)
    model.predict(x, verbose=0)
    other.save_weights(tmp_path / "w.weights.h5")
    model.load_weights(tmp_path / "w.weights.h5")
    assert (model.predict(x, verbose=0) == other.predict(x, verbose=0)).all()


def test_programs_for_other_batch_sizes_share_it():
    model = dense()
    runs = [executable(lambda x: model(x), f32(n, 96)) for n in (64, 100, 300)]
    arrays = []
    for one, n in zip(runs, (64, 100, 300)):
        assert (one.run([f32(n, 96)])[0] == one_by_one(model, f32(n, 96))).all()
        arrays.append(one._kept._forms.arrays)
    for other in arrays[1:]:
        assert all(a is b for a, b in zip(arrays[0], other))


def test_what_depends_on_weights_alone_is_computed_once():
    v = keras.Variable(f32(40, 50))
    x = f32(8, 50)

    def fn(x):
        return ops.tanh(x) * ops.sum(ops.square(ops.exp(v)))

    run = executable(fn, x)
    times = np.zeros(run.program.n_steps + 1, "int64")
    for k in range(3):
        assert (run.run([x], times=times)[0] == fn(ops.convert_to_tensor(x)).numpy()).all()
        if k == 2:
            v.assign_add(1.0)
    assert run.program.n_kept > 0
    assert (run.run([x])[0] == fn(ops.convert_to_tensor(x)).numpy()).all()


def test_nobody_writes_to_a_value_of_which_something_is_kept():
    model = dense()
    x = f32(64, 96)
    model.predict(x, verbose=0)
    with pytest.raises(ValueError, match="read-only"):
        model.layers[0].kernel.value.numpy()[...] = 0
    model.layers[0].kernel.numpy()[...] = 0  # a copy
    model.get_weights()[0][...] = 0
    assert (model.predict(x, verbose=0) == one_by_one(model, x)).all()


def test_the_users_array_stays_writable():
    model = dense()
    a = f32(96, 160)
    model.layers[0].kernel.assign(ops.convert_to_tensor(a))
    model.predict(f32(64, 96), verbose=0)
    a[0, 0] = 1


def test_a_step_still_overwrites_where_the_value_lies():
    """A step need not copy a value of which something is kept, and what is kept of the old one is not used again."""
    model = dense()
    model.compile("sgd", "mse")
    x, y = f32(64, 96), f32(64, 130)
    model.train_on_batch(x, y)
    model.predict(x, verbose=0)
    kernel = model.layers[0].kernel
    where = kernel._held.data.__array_interface__["data"][0]
    before = kernel._held.uid
    model.train_on_batch(x, y)
    assert kernel._held.data.__array_interface__["data"][0] == where
    assert kernel._held.uid != before
    assert (model.predict(x, verbose=0) == one_by_one(model, x)).all()


def test_threads_that_predict_while_one_trains_see_the_weights_of_one_step():
    """All weights are the same number at every step, so a prediction from a mixture or from an old form shows."""
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64, use_bias=False)])
    (v,) = model.weights
    v.assign(np.zeros((64, 64), "float32"))
    x = np.ones((40, 64), "float32")

    @keras.function
    def step():
        v.assign(v + 1.0)

    predict = keras.function(lambda x: model(x))
    step()
    predict(x)
    wrong, stop = [], threading.Event()

    def watch():
        last = 0.0
        while not stop.is_set():
            out = predict(x).numpy()
            if not (out == out[0, 0]).all() or out[0, 0] % 64 or out[0, 0] < last:
                wrong.append(out)
            last = out[0, 0]

    threads = [threading.Thread(target=watch) for _ in range(2)]
    for t in threads:
        t.start()
    for _ in range(300):
        step()
    stop.set()
    for t in threads:
        t.join()
    assert not wrong
    assert (predict(x).numpy() == 64 * 301).all()


def test_dlpack_of_a_kept_value():
    v = keras.Variable(f32(96, 160))
    keras.function(lambda x: ops.matmul(x, v))(f32(64, 96))
    assert (np.from_dlpack(v.value) == v.numpy()).all()
    assert v.value.__dlpack__() is not None  # of the first version, which gets a copy


def test_a_summary_says_what_is_kept():
    lines, model = [], dense()
    model.summary(memory=64, print_fn=lines.append)
    text = "\n".join(map(str, lines))
    kept = executable(lambda x: model(x), f32(64, 96)).plan.kept_bytes
    assert kept >= 4 * (96 * 160 + 160 * 130)
    assert f"{kept / 2**20:.2f} MB kept between runs" in text


def test_transposed_convolutions_keep_theirs():
    model = keras.Sequential([keras.Input((6, 6, 12)), keras.layers.Conv2DTranspose(20, 3, 2, activation="relu")])
    x = f32(2, 6, 6, 12)
    assert kept_of(lambda x: model(x), x) == ["conv_grad_input_pack"]
    for _ in range(3):
        assert (model.predict(x, verbose=0) == one_by_one(model, x)).all()
        model.layers[0].kernel.assign_add(0.5)


def test_recurrent_layers_keep_theirs():
    model = keras.Sequential([keras.Input((7, 12)), keras.layers.LSTM(24, return_sequences=True), keras.layers.GRU(20)])
    x = f32(3, 7, 12)
    assert {"lstm_pack", "gru_pack"} <= set(kept_of(lambda x: model(x), x))
    for _ in range(3):
        assert (model.predict(x, verbose=0) == one_by_one(model, x)).all()
        model.layers[0].cell.recurrent_kernel.assign_add(0.5)
        model.layers[1].cell.recurrent_kernel.assign_sub(0.25)
