"""Reductions and normalizations that run in the block of what makes or reads their arrays."""

import pytest

import kerasish as keras
from kerasish import layers, ops
from kerasish.engine.op import get_op
from kerasish.engine.spec import Spec
from kerasish.executor import capture, run_passes
from kerasish.executor.program import _temporaries
from tests.executor.compare import check_step, f32, specs


def names(fn, *args):
    """Names of the ops, those of a block in a list."""
    graph, _ = capture(fn, specs(args))
    run_passes(graph)
    return [[c.op.name for c in call.body] if call.parts is not None else call.op.name for call in graph.calls]


REDUCTIONS = [
    (lambda x: ops.sum(ops.square(x) + 1), "sum"),
    (lambda x: ops.mean(ops.tanh(x)), "sum"),
    (lambda x: ops.max(ops.tanh(x), axis=0), "max"),
    (lambda x: ops.min(x * 2, axis=0, keepdims=True), "min"),
    (lambda x: ops.mean(ops.relu(x), axis=(0, 1), keepdims=True), "sum"),
    (lambda x: ops.prod(ops.abs(x) * 1e-6 + 1, axis=(0, 1)), "prod"),
    (lambda x: get_op("sum_square")(ops.tanh(x), axis=(0, 1), keepdims=False), "sum_square"),
    (lambda x: ops.any(x * 2 > 7), "any"),
    (lambda x: ops.all(x * 2 > -7, axis=(0, 1)), "all"),
    (lambda x: ops.count_nonzero(ops.relu(x)), "count_nonzero"),
]


@pytest.mark.parametrize("shape", [(401, 9, 20), (2000, 3, 11), (130, 1, 512)], ids=str)
@pytest.mark.parametrize("fn, name", REDUCTIONS)
def test_a_reduction_runs_in_the_block_that_makes_its_array_to_the_same_bits(fn, name, shape):
    x = f32(*shape)
    assert names(fn, x)[0][-1] == f"{name}_chunks"
    check_step(fn, (x,))


def test_nothing_of_full_size_goes_through_memory():
    program = check_step(lambda x: ops.sum(ops.tanh(x) * 2), (f32(500, 1000),))
    assert program.executable.plan.arena < 4096


def test_what_is_read_elsewhere_too_is_written_once_and_reduced_in_cache():
    def step(x, g, w):
        r = get_op("relu_grad")(g, x)
        return ops.matmul(r, w), ops.sum(r, axis=0)

    args = f32(4000, 64), f32(4000, 64, seed=1), f32(64, 8)
    assert names(step, *args)[0] == ["relu_grad", "sum_chunks"]
    check_step(step, args)


def test_sums_of_different_chunks_do_not_share_a_block():
    def step(x):
        y = ops.tanh(x)
        return ops.sum(y, axis=0), ops.sum(ops.square(y))

    x = f32(4000, 30)  # chunks of 1096 rows, and of 32768 elements
    assert [n for n in names(step, x) if isinstance(n, list)] == [["tanh", "sum_chunks", "square"]]
    check_step(step, (x,))


def test_short_reductions_and_those_of_trailing_axes_stay_whole():
    assert names(lambda x: ops.sum(ops.tanh(x), axis=0), f32(100, 8)) == ["tanh", "sum"]
    assert names(lambda x: ops.sum(ops.tanh(x), axis=1), f32(100, 8)) == [["tanh", "sum"]]
    check_step(lambda x: x - ops.max(ops.tanh(x), axis=1, keepdims=True), (f32(300, 700),))


def test_a_chunk_that_is_no_whole_number_of_rows_stays_outside():
    # The softmax works on rows of 70000, a sum over everything on chunks of 32768.
    assert names(lambda x: ops.sum(ops.softmax(x)), f32(4, 70000)) == ["softmax", "sum"]
    check_step(lambda x: ops.sum(ops.softmax(x)), (f32(4, 70000),))


def test_a_chunk_has_whole_samples_where_it_can():
    # On 32768 elements or more, 328 rows of 100.
    assert names(lambda x: ops.sum(ops.softmax(x)), f32(1000, 100))[0] == ["softmax", "sum_chunks"]
    check_step(lambda x: ops.sum(ops.softmax(x)), (f32(1000, 100),))


@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("cells, channels", [(26, 32), (11, 64), (11, 5)])
def test_the_gradient_of_pooling_is_summed_where_it_is_made(kind, cells, channels):
    """As the gradient to the bias of a convolution before it is."""
    pool = getattr(ops, f"{kind}_pool")

    def step(x, g):
        with keras.GradientTape() as tape:
            tape.watch(x)
            y = pool(x, 2, 2)
        dx = tape.gradient(y, x, g)
        return dx, ops.sum(dx, axis=(0, 1, 2))

    x, g = f32(700 // cells, cells, cells, channels), f32(700 // cells, cells // 2, cells // 2, channels, seed=1)
    chunked = channels > 5  # fewer elements are one chunk
    assert (names(step, x, g)[0][-2:] == [f"{kind}_pool_grad", "sum_chunks"]) is chunked
    check_step(step, (x, g))


def test_a_chunk_too_large_for_the_cache_stays_outside():
    assert names(lambda x: ops.sum(ops.tanh(x), axis=0), f32(200, 4000)) == ["tanh", "sum"]


def test_chunks_need_leading_dimensions():
    with pytest.raises(ValueError, match="sum_chunks: the reduced dimensions are the leading ones, and long"):
        get_op("sum_chunks")(f32(3, 100000), axis=(1,))


def test_what_a_block_makes_row_by_row_is_not_read_whole_in_it():
    def step(x, b):  # 64 is the number of rows, and the length of what is added to each
        return x + ops.tanh(b * 2)

    args = f32(64, 30, 64), f32(64)
    assert names(step, *args) == [["multiply", "tanh"], "add"]
    check_step(step, args)


def residual(x, training):
    norm = layers.BatchNormalization()
    norm.build(x.shape)

    def step(x):
        with keras.GradientTape() as tape:
            y = ops.relu(x + norm(x, training=training))
            loss = ops.mean(y * y)
        return loss, tape.gradient(loss, norm.trainable_variables)

    return step, norm.variables


@pytest.mark.parametrize("training", [False, True])
def test_a_normalization_runs_in_the_block_of_the_residual_sum_behind_it(training):
    x = f32(64, 6, 6, 64)
    step, variables = residual(x, training)
    blocks = [n for n in names(step, x) if isinstance(n, list)]
    assert any(b[:3] == ["batch_norm_inference", "add", "relu"] for b in blocks)
    assert "batch_norm" not in names(step, x)
    check_step(step, (x,), variables)


def test_a_normalization_with_another_reader_stays_one_call():
    norm = layers.BatchNormalization()
    norm.build((32, 4, 4, 8))

    def step(x, w):
        y = norm(x, training=True)
        return ops.relu(x + y), ops.conv(y, w)

    args = f32(32, 4, 4, 8), f32(3, 3, 8, 8)
    assert "batch_norm" in names(step, *args)
    check_step(step, args, norm.variables)


def test_a_layer_normalization_joins_the_sum_before_it():
    norm = layers.LayerNormalization()
    norm.build((32, 100, 64))
    args = f32(32, 100, 64), f32(32, 100, 64, seed=1)
    assert any(n[-2:] == ["add", "layer_norm"] for n in names(lambda x, y: norm(x + y), *args) if isinstance(n, list))
    check_step(lambda x, y: norm(x + y), args)


@pytest.mark.parametrize("activation", ["gelu", "tanh", "sigmoid", "silu", "elu", "leaky_relu"])
def test_an_activation_runs_behind_a_convolution_while_its_output_is_in_cache(activation):
    def step(x, w, b):
        return getattr(ops, activation)(ops.conv(x, w, padding="same") + b)

    args = f32(64, 32, 32, 2), f32(3, 3, 2, 16), f32(16)
    (block,) = names(step, *args)
    assert block[0] == "conv" and len(block) > 1
    check_step(step, args)


def test_inference_of_a_residual_block_is_a_convolution_and_what_follows():
    norm = layers.BatchNormalization()
    norm.build((64, 32, 32, 16))

    def step(x, w):
        return ops.relu(x + norm(ops.conv(x, w, padding="same"), training=False))

    args = f32(64, 32, 32, 16), f32(3, 3, 16, 16)
    assert ["conv", "batch_norm_inference", "add", "relu"] in names(step, *args)
    check_step(step, args, norm.variables)


def test_few_samples_leave_the_convolution_a_step_of_its_own():
    assert names(lambda x, w: ops.tanh(ops.conv(x, w)), f32(4, 8, 8, 4), f32(3, 3, 4, 16)) == ["conv", "tanh"]


def test_chunks_of_unknown_shape():
    assert get_op("sum_chunks").infer(Spec((None, 3), "float32"), axis=(0,)) == Spec((None, 3), "float32")


def test_temporaries_of_a_block_take_the_place_of_what_they_overwrite():
    program = check_step(lambda x: ops.tanh(ops.exp(ops.relu(x + 1) * 2) + 1), (f32(64, 100),))
    (block,) = program.executable.steps
    offsets, size = _temporaries(block.body, {id(x): k for k, x in enumerate((*block.inputs, *block.outputs))}, 64, 8)
    assert size == 3200 and set(offsets.values()) == {0}


def test_what_is_read_again_is_not_overwritten_in_a_block():
    check_step(lambda x: ops.tanh(x) + ops.exp(ops.tanh(x)) * ops.relu(ops.tanh(x)), (f32(64, 100),))
    check_step(lambda x: ops.square(ops.sin(x)) - ops.sin(x), (f32(64, 100),))
