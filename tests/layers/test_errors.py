"""Bad arguments and bad inputs to every kind of layer: the error names the layer, the rule and what came."""

import inspect
import re

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers as L

SAMPLE = {1: (2, 9, 4), 2: (2, 7, 8, 4), 3: (2, 5, 6, 5, 3)}
RANKS = (1, 2, 3)


def ones(*shape):
    return np.ones(shape, "float32")


def fails(message, make, kind=ValueError):
    """The call raises exactly this kind of error, with this text in it."""
    with pytest.raises(kind, match=re.escape(message)) as caught:
        make()
    assert caught.type is kind
    return caught.value


def parametrized(cases):
    return pytest.mark.parametrize("name, rank, args", cases, ids=[c[0] for c in cases])


CONVS = [
    *((f"Conv{r}D", r, (4, 3)) for r in RANKS),
    *((f"Conv{r}DTranspose", r, (4, 3)) for r in RANKS),
    *((f"SeparableConv{r}D", r, (4, 3)) for r in (1, 2)),
    *((f"DepthwiseConv{r}D", r, (3,)) for r in (1, 2)),
]
POOLS = [(f"{kind}Pooling{r}D", r, (2,)) for kind in ("Max", "Average") for r in RANKS]
GLOBAL = [(f"Global{kind}Pooling{r}D", r, ()) for kind in ("Max", "Average") for r in RANKS]
ADAPTIVE = [(f"Adaptive{kind}Pooling{r}D", r, (2,)) for kind in ("Max", "Average") for r in RANKS]
BORDERS = [(f"{kind}{r}D", r, (1,)) for kind in ("ZeroPadding", "Cropping", "UpSampling") for r in RANKS]
SPATIAL = [(f"SpatialDropout{r}D", r, (0.5,)) for r in RANKS]
SPATIAL_LAYERS = [*CONVS, *POOLS, *GLOBAL, *ADAPTIVE, *BORDERS, *SPATIAL]


# -- spatial layers


@parametrized(SPATIAL_LAYERS)
def test_wrong_rank(name, rank, args):
    layer = getattr(L, name)(*args, name="it")
    for shape in ((2, 3), (2,) * 6):
        found = f"{name} 'it': expected ndim={rank + 2}, found ndim={len(shape)}. Received: x.shape={shape}"
        fails(found, lambda shape=shape: layer(ones(*shape)))
    assert not layer.weights
    layer(ones(*SAMPLE[rank]))  # nothing was left behind


@parametrized(CONVS)
def test_wrong_channels_later(name, rank, args):
    layer = getattr(L, name)(*args, name="it")
    shape = SAMPLE[rank]
    layer(ones(*shape))
    message = f"{name} 'it': expected axis -1 of the input to have size {shape[-1]}"
    fails(message, lambda: layer(ones(*shape[:-1], shape[-1] + 1)))
    fails(f"{name}: the number of input channels must be known", lambda: getattr(L, name)(*args)(
        keras.Input((*shape[1:-1], None))
    ))  # fmt: skip


@parametrized([*CONVS, *POOLS])
def test_input_smaller_than_the_window(name, rank, args):
    if "Transpose" in name:
        return  # every input has an output
    layer = getattr(L, name)(*args[:-1], 4, name="it")
    message = "the window does not fit the input along spatial dimension 0"
    for x in (ones(2, *[2] * rank, 3), keras.Input((*[2] * rank, 3))):
        assert str(fails(message, lambda x=x: layer(x))).endswith(f"(in {name} 'it')")
    # The failed call has fixed no number of channels.
    assert not layer.built and not layer.weights
    layer(ones(2, *[5] * rank, 2))


SIZES = ("kernel_size", "pool_size", "strides", "dilation_rate", "size", "output_size", "padding", "cropping")
COUNTS = ("filters", "groups", "depth_multiplier")
BAD_SIZE = r"`{key}` must be (at least {least}|an integer or \d integers, one for each dimension)\. Received: {key}="


@parametrized([*CONVS, *POOLS, *ADAPTIVE, *BORDERS])
def test_bad_sizes(name, rank, args):
    cls = getattr(L, name)
    required = [p for p in inspect.signature(cls).parameters][: len(args)]
    for key in inspect.signature(cls).parameters:
        if key not in SIZES or (key == "padding" and "Padding" not in name):
            continue
        least = 0 if key in ("padding", "cropping") else 1
        for bad in (least - 1, -3, 1.5, "a", (1,) * 5, (least - 1,) * rank):
            given = {**dict(zip(required, args)), key: bad}
            with pytest.raises(ValueError, match=f"^{name}: " + BAD_SIZE.format(key=key, least=least)):
                cls(**given)


@parametrized(CONVS)
def test_bad_counts(name, rank, args):
    cls = getattr(L, name)
    required = [p for p in inspect.signature(cls).parameters][: len(args)]
    for key in COUNTS:
        if key in inspect.signature(cls).parameters:
            for bad in (0, -1, 2.5, "a", True):
                given = {**dict(zip(required, args)), key: bad}
                fails(f"{name}: {key} is a positive integer. Received: {key}={bad!r}", lambda given=given: cls(**given))


@pytest.mark.parametrize("rank", RANKS)
def test_groups_divide(rank):
    cls = getattr(L, f"Conv{rank}D")
    fails(f"Conv{rank}D: filters must be divisible by groups. Received: filters=4, groups=3", lambda: cls(
        4, 3, groups=3
    ))  # fmt: skip
    layer = cls(6, 2, groups=3)
    fails("groups", lambda: layer(ones(*SAMPLE[rank][:-1], 4)))
    assert not layer.weights


@parametrized([*CONVS, *POOLS])
def test_unknown_padding(name, rank, args):
    causal = name == "Conv1D"
    for bad in ("vaild", 3, None, *(() if causal else ("causal",))):
        options = "'valid', 'same', 'causal'" if causal else "'valid', 'same'"
        fails(
            f"{name}: `padding` must be one of {options}. Received: padding={bad!r}",
            lambda bad=bad: getattr(L, name)(*args, padding=bad),
        )


@parametrized(SPATIAL_LAYERS)
def test_unknown_data_format_and_arguments(name, rank, args):
    cls = getattr(L, name)
    if "data_format" in inspect.signature(cls).parameters:
        fails(
            "the data format must be one of channels_first, channels_last. Received: data_format='nhwc'",
            lambda: cls(*args, data_format="nhwc"),
        )
    if any(p.kind is p.VAR_KEYWORD for p in inspect.signature(cls).parameters.values()):
        fails(f"{name}: unrecognized keyword arguments. Received: nope=1", lambda: cls(*args, nope=1))
    else:
        fails("unexpected keyword argument 'nope'", lambda: cls(*args, nope=1), TypeError)


@pytest.mark.parametrize("rank", RANKS)
def test_cropping_leaves_something(rank):
    name = f"Cropping{rank}D"
    shape = SAMPLE[rank]
    message = f"{name}: cropping must leave something of dimension 1 of size {shape[1]}"
    for x in (ones(*shape), keras.Input(shape[1:])):
        fails(message, lambda x=x: getattr(L, name)(5)(x))


def test_unknown_interpolation():
    fails("UpSampling2D: interpolation is one of ('nearest', 'bilinear'", lambda: L.UpSampling2D(2, interpolation="x"))


@pytest.mark.parametrize("rank", RANKS)
def test_there_is_no_largest_of_nothing(rank):
    fails("max: there is no extreme of no elements", lambda: getattr(L, f"GlobalMaxPooling{rank}D")()(
        ones(2, *[0] * rank, 3)
    ))  # fmt: skip


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("bad", [-1, 1.5, "a"])
def test_output_padding(rank, bad):
    with pytest.raises(
        ValueError, match=f"^Conv{rank}DTranspose: `output_padding` must be .* Received: output_padding="
    ):
        getattr(L, f"Conv{rank}DTranspose")(4, 3, strides=2, output_padding=bad)


# -- options that many layers share

OPTIONS = [
    ("activation", "rleu", "unknown activation: 'rleu'. Did you mean 'relu'"),
    (
        "activation",
        3,
        "an activation is given as a name, a config dict, an object or a function. Received: 3 of type int",
    ),
    ("kernel_initializer", "glorot", "unknown initializer: 'glorot'. Did you mean"),
    ("kernel_regularizer", "l3", "unknown regularizer: 'l3'. Did you mean 'l2'"),
    ("kernel_constraint", "nah", "unknown constraint: 'nah'"),
    ("activity_regularizer", "l3", "unknown regularizer: 'l3'"),
    ("dtype", "float99", "a policy is a dtype name, 'mixed_float16' or 'mixed_bfloat16'. Received: name='float99'"),
    ("trainable", "yes", "trainable is True or False. Received: trainable='yes'"),
    ("name", 3, "the name is a string without '/'. Received: name=3"),
    ("name", "a/b", "the name is a string without '/'. Received: name='a/b'"),
    ("nope", 1, "unrecognized keyword arguments. Received: nope=1"),
]


@pytest.mark.parametrize("key, value, message", OPTIONS, ids=[f"{k}={v}" for k, v, _ in OPTIONS])
@pytest.mark.parametrize(
    "make", [lambda **k: L.Dense(3, **k), lambda **k: L.Conv2D(3, 3, **k)], ids=["Dense", "Conv2D"]
)
def test_options(make, key, value, message):
    fails(message, lambda: make(**{key: value}))


# -- Dense, Embedding, shapes


@pytest.mark.parametrize("units", [0, -1, 2.5, None, "a", True])
def test_dense_units(units):
    fails(f"Dense: units is a positive integer. Received: units={units!r}", lambda: L.Dense(units))


def test_dense_inputs():
    layer = L.Dense(3, name="it")
    fails("Dense 'it': expected min_ndim=2, found ndim=1. Received: x.shape=(4,)", lambda: layer(ones(4)))
    fails("Dense: the last dimension of the input must be known", lambda: layer(keras.Input((None,))))
    layer(ones(2, 4))
    fails(
        "Dense 'it': expected axis -1 of the input to have size 4. Received: x.shape=(2, 5)", lambda: layer(ones(2, 5))
    )
    fails("Dense 'it': 1 inputs are expected, 2 were given", lambda: layer([ones(2, 4), ones(2, 4)]))


def test_dense_arguments():
    layer = L.Dense(3, name="it")
    fails("Dense 'it': only tensors may be passed as positional arguments", lambda: layer("abc"))
    fails("argument=1.0, type='float'", lambda: layer([[1.0, 2.0]]))
    fails("values must be numbers or bools", lambda: layer(np.array([["a", "b"]])), TypeError)
    fails("Dense 'it': got an unexpected keyword argument 'nope'", lambda: layer(ones(2, 3), nope=1), TypeError)
    fails("Dense 'it': an input is a tensor. Received: input=None", lambda: layer(None))
    assert not layer.built


@pytest.mark.parametrize("shape", [None, 3, "abc", (None, -3), (None, 2.5)])
def test_build_takes_a_shape(shape):
    layer = L.Dense(3, name="it")
    fails(f"Dense 'it': build takes the shape of the input: a tuple of sizes and None. Received: input_shape={shape!r}",
          lambda: layer.build(shape))  # fmt: skip
    fails("Dense 'it': expected min_ndim=2, found ndim=0", lambda: layer.build(()))
    layer.build((None, 3))
    assert layer.kernel.shape == (3, 3)


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (-1, 3), (2.5, 3), (3, None)])
def test_embedding_sizes(sizes):
    with pytest.raises(ValueError, match=r"^Embedding: (input|output)_dim is a positive integer\. Received: "):
        L.Embedding(*sizes)


@pytest.mark.parametrize("value", [3, -1, 10**6])
def test_embedding_index(value):
    layer = L.Embedding(3, 4, name="it")
    message = f"every value of `indices` must lie in [0, 3). Received: value={value}, position=(1, 0)"
    assert "(in Embedding 'it')" in str(fails(message, lambda: layer(np.array([[0, 1], [value, 2]]))))


def test_embedding_weights():
    fails("embeddings has shape (3, 4). Received: given=(2, 2)", lambda: L.Embedding(3, 4, weights=[ones(2, 2)]))


@pytest.mark.parametrize("target", [(0, 3), (-2, 3), (-1, -1)])
def test_reshape_target(target):
    fails(f"Reshape: target_shape has positive integers and at most one -1. Received: target_shape={target}",
          lambda: L.Reshape(target))  # fmt: skip


@pytest.mark.parametrize("target", ["ab", 5, None, (2.5,)])
def test_reshape_takes_a_tuple(target):
    fails(f"Reshape: target_shape is a tuple of integers. Received: target_shape={target!r}", lambda: L.Reshape(target))


@pytest.mark.parametrize("target", [(7,), (4, -1), (2, 2)])
def test_reshape_to_what_does_not_fit(target):
    message = f"Reshape: a sample of 6 values cannot have shape {target}"
    for x in (ones(2, 6), keras.Input((6,)), ones(2, 3, 2)):
        fails(message, lambda x=x: L.Reshape(target)(x))
    x = keras.Input((None,))
    model = keras.Model(x, L.Reshape(target)(x))  # not known before there is data
    fails(message, lambda: model(ones(2, 6)))


def test_reshape_needs_a_batch():
    fails("Reshape 'it': expected min_ndim=1, found ndim=0", lambda: L.Reshape((1,), name="it")(np.float32(3)))


@pytest.mark.parametrize("dims", [(0, 1), (1, 1), (2,), (1, 3)])
def test_permute_order(dims):
    fails("Permute: dims is an order of the numbers from 1 to the rank of a sample", lambda: L.Permute(dims))


@pytest.mark.parametrize("dims", ["ab", 3, None])
def test_permute_takes_a_tuple(dims):
    fails(f"Permute: dims is a tuple of integers. Received: dims={dims!r}", lambda: L.Permute(dims))


def test_permute_rank():
    fails("Permute 'it': expected ndim=3, found ndim=2", lambda: L.Permute((2, 1), name="it")(ones(2, 3)))


def test_repeat_vector():
    for n, kind in ((0, ValueError), (-1, ValueError), (2.5, TypeError), ("a", TypeError)):
        with pytest.raises(kind, match=r"RepeatVector: n is (a positive|an) integer\. Received: n="):
            L.RepeatVector(n)
    fails("RepeatVector 'it': expected ndim=2, found ndim=3", lambda: L.RepeatVector(2, name="it")(ones(2, 3, 4)))


def test_flatten_needs_a_batch():
    fails("Flatten 'it': expected min_ndim=1, found ndim=0", lambda: L.Flatten(name="it")(np.float32(3)))


def test_rescaling_of_another_number_of_channels():
    assert "(in Rescaling 'it')" in str(
        fails("the shapes of the operands must broadcast", lambda: L.Rescaling([1, 2], name="it")(ones(2, 3)))
    )


def test_lambda():
    fails("Lambda: function is callable. Received: function=3", lambda: L.Lambda(3), TypeError)
    broken = L.Lambda(lambda x: x + ones(7), name="it")
    assert "(in Lambda 'it')" in str(fails("must broadcast. Received: x1.shape=(2, 3)", lambda: broken(ones(2, 3))))


# -- activations, noise, normalization


@pytest.mark.parametrize("bad", [-1, "a", True])
def test_relu_family(bad):
    for name, key in (("ReLU", "max_value"), ("ReLU", "negative_slope"), ("ReLU", "threshold"),
                      ("LeakyReLU", "negative_slope")):  # fmt: skip
        message = f"{name}: {key} is a number of at least 0. Received: {key}={bad!r}"
        fails(message, lambda name=name, key=key: getattr(L, name)(**{key: bad}))


def test_elu_alpha():
    fails("ELU: alpha is a number. Received: alpha='a'", lambda: L.ELU("a"))


def test_prelu_axes():
    fails("PReLU: shared_axes is an integer or a list of integers", lambda: L.PReLU(shared_axes="a"), TypeError)
    fails("PReLU: shared axes count from 1, behind the batch. Received: shared_axes=0", lambda: L.PReLU(shared_axes=0))
    fails("PReLU: shared_axes are axes of the input", lambda: L.PReLU(shared_axes=[1, 9])(ones(2, 3)))
    fails("PReLU: dimensions that are not shared must be known", lambda: L.PReLU()(keras.Input((None, 3))))
    layer = L.PReLU(name="it")
    layer(ones(2, 3))
    fails("PReLU 'it': expected axis 1 of the input to have size 3", lambda: layer(ones(2, 4)))


def test_softmax_axis():
    fails("Softmax: axis is an integer or a list of integers. Received: axis='a'", lambda: L.Softmax("a"), TypeError)
    fails("softmax: `axis` must lie in [-2, 2)", lambda: L.Softmax(5)(ones(2, 3)))


@pytest.mark.parametrize("name", ["Dropout", "GaussianDropout", "AlphaDropout", *(case[0] for case in SPATIAL)])
@pytest.mark.parametrize("rate", [-0.1, 1.1, "a", None, True, float("nan")])
def test_rate(name, rate):
    fails(f"{name}: rate is a number between 0 and 1. Received: rate={rate!r}", lambda: getattr(L, name)(rate))


def test_dropout_noise_shape():
    layer = L.Dropout(0.5, noise_shape=(3,), name="it")
    message = "noise_shape must have an entry for each dimension"
    assert "(in Dropout 'it')" in str(fails(message, lambda: layer(ones(2, 3), training=True)))


NORMALIZATIONS = ["BatchNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization"]


@pytest.mark.parametrize("name", [*NORMALIZATIONS, "UnitNormalization"])
@pytest.mark.parametrize("axis", ["a", None, 1.5])
def test_normalization_axis(name, axis):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: axis is an integer.* Received: axis="):
        getattr(L, name)(axis=axis)


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_normalization_inputs(name):
    cls = getattr(L, name)
    fails(f"{name}: axis 7 is out of range for an input of rank 2. Received: axis=7", lambda: cls(axis=7)(ones(2, 32)))
    fails(f"{name}: axis -1 is out of range for an input of rank 0", lambda: cls()(np.float32(3)))
    fails(f"{name}: the normalized axes must have known sizes", lambda: cls()(keras.Input((None,))))
    layer = cls(name="it")
    layer(ones(2, 32))
    fails(f"{name} 'it': expected axis -1 of the input to have size 32", lambda: layer(ones(2, 64)))
    for bad in (-1.0, "a"):
        fails(f"{name}: epsilon is a number of at least 0. Received: epsilon={bad!r}", lambda bad=bad: cls(epsilon=bad))


@pytest.mark.parametrize("momentum", [-0.1, 1.5, "a"])
def test_momentum(momentum):
    fails(f"BatchNormalization: momentum is a number between 0 and 1. Received: momentum={momentum!r}",
          lambda: L.BatchNormalization(momentum=momentum))  # fmt: skip


@pytest.mark.parametrize("groups", [0, -3, 2.5, "a"])
def test_normalization_groups(groups):
    fails("GroupNormalization: groups is a positive integer", lambda: L.GroupNormalization(groups))
    fails("GroupNormalization: groups must divide the number of channels. Received: groups=3, channels=32",
          lambda: L.GroupNormalization(3)(ones(2, 3, 32)))  # fmt: skip


# -- merging

MERGING = ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"]


@pytest.mark.parametrize("name", MERGING)
def test_merging(name):
    def make():
        return getattr(L, name)(**({"axes": 1} if name == "Dot" else {}))

    listed = f"{name}: the layer is called on a list of inputs"
    fails(listed, lambda: make()(ones(2, 3)))
    fails(listed, lambda: make()({"a": ones(2, 3), "b": ones(2, 3)}))
    fails("build needs a shape, and the call has no tensor arguments", lambda: make()([]))
    if name in ("Subtract", "Dot"):
        fails(f"{name}: the layer takes", lambda: make()([ones(2, 3)]))
        fails(f"{name}: the layer takes exactly 2 inputs", lambda: make()([ones(2, 3)] * 3))
    # Samples of different shapes, values and symbols, on the first call and later.
    wrong = {"Concatenate": "the same shape, but for the axis", "Dot": "have the same size"}.get(name, "must broadcast")
    extra = (2,) if name == "Concatenate" else ()
    pair = [(3, *extra), (4, *extra)]
    fails(wrong, lambda: make()([ones(2, *s) for s in pair]))
    fails(wrong, lambda: make()([keras.Input(s) for s in pair]))
    layer = make()
    layer([ones(2, *pair[0])] * 2)
    with pytest.raises(ValueError, match=r"shape|equal"):
        layer([ones(2, *s) for s in pair])
    # Batches of different sizes.
    with pytest.raises(ValueError, match=r"same batch size|same shape, but for the axis|must be equal, not 2 and 4"):
        make()([ones(2, 3), ones(4, 3)])


def test_concatenate_axis():
    fails("Concatenate: axis is an integer. Received: axis='a'", lambda: L.Concatenate(axis="a"), TypeError)
    fails("Concatenate: axis is in the range of the rank 2", lambda: L.Concatenate(axis=5)([ones(2, 3)] * 2))
    fails("Concatenate: the inputs have the same shape", lambda: L.Concatenate()([ones(2, 3), ones(2, 3, 4)]))


@pytest.mark.parametrize("axes", ["a", None, (1,), (1, 2, 3), (1.5, 1)])
def test_dot_axes(axes):
    with pytest.raises((TypeError, ValueError), match=r"Dot: axes is an integer or two integers\. Received: axes="):
        L.Dot(axes=axes)


@pytest.mark.parametrize("axes", [0, 5, (1, 2)])
def test_dot_axes_of_the_inputs(axes):
    fails("Dot: an axis is one of its input's, and not the batch axis", lambda: L.Dot(axes=axes)([ones(2, 3)] * 2))


# -- Input

INPUTS = [
    ({}, "a shape is needed"),
    ({"shape": "abc"}, "a shape is a tuple of integers. Received: 'abc'"),
    ({"shape": 3}, "a shape is a tuple of integers. Received: 3"),
    ({"shape": (-1,)}, "a dimension is at least 0"),
    ({"shape": (2.5,)}, "a dimension is an integer or None"),
    ({"shape": (3,), "batch_shape": (1, 3)}, "give shape or batch_shape, not both"),
    ({"shape": (3,), "sparse": True}, "sparse and ragged inputs are not supported"),
    ({"shape": (3,), "tensor": 3}, "input_tensor is a symbolic tensor (KerasTensor)"),
    ({"shape": (3,), "batch_size": "a"}, "a dimension is an integer or None"),
]


@pytest.mark.parametrize("given, message", INPUTS, ids=[str(given) for given, _ in INPUTS])
def test_input(given, message):
    fails(f"InputLayer: {message}", lambda: keras.Input(**given))
