"""Bad arguments and bad inputs of every kind of layer: the error names the layer, the rule and what came."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers as L


def ones(*shape):
    return np.ones(shape, "float32")


ARGUMENTS = {
    "Dense 0": (lambda: L.Dense(0), r"Dense: units is a positive integer. Received: units=0"),
    "Dense -1": (lambda: L.Dense(-1), r"units is a positive integer. Received: units=-1"),
    "Dense 1.5": (lambda: L.Dense(1.5), r"units is a positive integer. Received: units=1.5"),
    "Dense lora": (lambda: L.Dense(1, lora_rank=2), r"Dense: lora_rank is not supported"),
    "unknown argument": (lambda: L.Dense(1, colour="red"), r"Dense: unrecognized keyword arguments.*colour='red'"),
    "trainable": (lambda: L.Dense(1, trainable="yes"), r"Dense: trainable is True or False"),
    "activation": (lambda: L.Activation("reluu"), r"reluu"),
    "initializer": (lambda: L.Dense(1, kernel_initializer="ones_"), r"ones_"),
    "regularizer": (lambda: L.Dense(1, kernel_regularizer="l3"), r"l3"),
    "constraint": (lambda: L.Dense(1, kernel_constraint="positive"), r"positive"),
    "dtype": (lambda: L.Dense(1, dtype="floaty"), r"a policy is a dtype name.*floaty"),
    "name": (lambda: L.Dense(1, name="a/b"), r"the name is a string without '/'"),
    "Conv filters": (lambda: L.Conv2D(0, 3), r"Conv2D: filters is a positive integer"),
    "Conv groups": (lambda: L.Conv2D(4, 3, groups=3), r"Conv2D: filters must be divisible by groups"),
    "Conv kernel": (lambda: L.Conv2D(1, 0), r"Conv2D: `kernel_size` must be at least 1. Received: kernel_size=0"),
    "Conv kernel count": (lambda: L.Conv2D(1, (1, 2, 3)), r"`kernel_size` must be an integer or 2 integers"),
    "Conv strides": (lambda: L.Conv1D(1, 1, strides=0), r"Conv1D: `strides` must be at least 1"),
    "Conv dilation": (lambda: L.Conv3D(1, 1, dilation_rate=-1), r"Conv3D: `dilation_rate` must be at least 1"),
    "Conv both": (lambda: L.Conv2D(1, 3, strides=2, dilation_rate=2), r"cannot be combined with a dilation"),
    "Conv padding": (lambda: L.Conv2D(1, 3, padding="causal"), r"Conv2D: `padding` must be one of 'valid', 'same'"),
    "Conv format": (lambda: L.Conv2D(1, 3, data_format="channels"), r"data_format"),
    "Transpose filters": (lambda: L.Conv2DTranspose(-2, 3), r"Conv2DTranspose: filters is a positive integer"),
    "Transpose output": (lambda: L.Conv2DTranspose(1, 3, output_padding=-1), r"`output_padding` must be at least 0"),
    "Depthwise": (lambda: L.DepthwiseConv2D(3, depth_multiplier=0), r"depth_multiplier is a positive integer"),
    "Separable": (lambda: L.SeparableConv2D(0, 3), r"SeparableConv2D: filters is a positive integer"),
    "Pooling": (lambda: L.MaxPooling2D(0), r"MaxPooling2D: `pool_size` must be at least 1"),
    "Pooling strides": (lambda: L.AveragePooling1D(2, strides=-1), r"AveragePooling1D: `strides` must be at least 1"),
    "Pooling padding": (lambda: L.MaxPooling2D(2, padding="full"), r"`padding` must be one of"),
    "Adaptive": (lambda: L.AdaptiveMaxPooling2D(0), r"AdaptiveMaxPooling2D: `output_size` must be at least 1"),
    "Dropout high": (lambda: L.Dropout(1.5), r"Dropout: rate is a number between 0 and 1. Received: rate=1.5"),
    "Dropout low": (lambda: L.Dropout(-0.1), r"rate is a number between 0 and 1"),
    "Dropout noise_shape": (lambda: L.Dropout(0.1, noise_shape=(0, 1)), r"noise_shape is a tuple of positive integers"),
    "GaussianNoise": (lambda: L.GaussianNoise(-1), r"GaussianNoise: stddev is a number between 0 and 1"),
    "BatchNormalization axis": (lambda: L.BatchNormalization(axis=[1]), r"BatchNormalization: axis is an integer"),
    "BatchNormalization momentum": (lambda: L.BatchNormalization(momentum=2), r"momentum is a number between 0 and 1"),
    "BatchNormalization renorm": (lambda: L.BatchNormalization(renorm=True), r"renorm is not supported"),
    "LayerNormalization axis": (lambda: L.LayerNormalization(axis="last"), r"axis is an integer or a list"),
    "GroupNormalization": (lambda: L.GroupNormalization(groups=0), r"groups is a positive integer"),
    "Embedding rows": (lambda: L.Embedding(0, 4), r"Embedding: input_dim is a positive integer"),
    "Embedding columns": (lambda: L.Embedding(4, 0), r"Embedding: output_dim is a positive integer"),
    "ReLU": (lambda: L.ReLU(max_value=-1), r"ReLU: max_value is a number of at least 0"),
    "LeakyReLU": (lambda: L.LeakyReLU(None), r"LeakyReLU: negative_slope is a number of at least 0"),
    "Reshape": (lambda: L.Reshape((-1, -1)), r"Reshape: target_shape has positive integers and at most one -1"),
    "Permute": (lambda: L.Permute((0, 1)), r"Permute: dims is an order of the numbers"),
    "RepeatVector": (lambda: L.RepeatVector(0), r"RepeatVector: n is a positive integer"),
    "ZeroPadding": (lambda: L.ZeroPadding2D(-1), r"ZeroPadding2D: `padding` must be at least 0"),
    "Cropping": (lambda: L.Cropping2D((1, 2, 3)), r"`cropping` must be an integer or 2 integers"),
    "UpSampling": (lambda: L.UpSampling2D(0), r"UpSampling2D: `size` must be at least 1"),
    "UpSampling name": (lambda: L.UpSampling2D(2, interpolation="magic"), r"interpolation is one of"),
    "Dot": (lambda: L.Dot(axes="last"), r"Dot: axes is an integer or two integers"),
    "Lambda": (lambda: L.Lambda(3), r"Lambda: function is callable"),
    "Input twice": (lambda: keras.Input((2,), batch_shape=(1, 2)), r"give shape or batch_shape, not both"),
    "Input none": (lambda: keras.Input(), r"InputLayer: a shape is needed"),
    "Input sparse": (lambda: keras.Input((2,), sparse=True), r"sparse and ragged inputs are not supported"),
}  # fmt: skip


@pytest.mark.parametrize("name", ARGUMENTS)
def test_bad_arguments(name):
    make, message = ARGUMENTS[name]
    with pytest.raises((ValueError, TypeError), match=message):
        make()


INPUTS = {
    "Dense rank": (lambda: L.Dense(2), ones(3), r"Dense.*expected min_ndim=2, found ndim=1.*\(3,\)"),
    "Conv rank": (lambda: L.Conv2D(2, 3), ones(4, 8, 8), r"Conv2D.*expected ndim=4, found ndim=3.*\(4, 8, 8\)"),
    "Conv1D rank": (lambda: L.Conv1D(2, 3), ones(4, 8), r"Conv1D.*expected ndim=3, found ndim=2"),
    "Conv window": (lambda: L.Conv2D(2, 5), ones(1, 3, 3, 1), r"conv.*(3, 3|window|kernel)"),
    "Conv groups": (lambda: L.Conv2D(4, 3, groups=2), ones(1, 8, 8, 3), r"divisible by groups=2"),
    "Transpose rank": (lambda: L.Conv2DTranspose(2, 3), ones(4, 8), r"Conv2DTranspose.*expected ndim=4"),
    "Depthwise rank": (lambda: L.DepthwiseConv1D(3), ones(4, 8), r"DepthwiseConv1D.*expected ndim=3"),
    "Separable rank": (lambda: L.SeparableConv2D(2, 3), ones(4, 8), r"SeparableConv2D.*expected ndim=4"),
    "Pooling rank": (lambda: L.MaxPooling2D(), ones(4, 8, 8), r"MaxPooling2D.*expected ndim=4, found ndim=3"),
    "Pooling window": (lambda: L.MaxPooling2D(4), ones(1, 3, 3, 1), r"max_pool.*(3, 3|window)"),
    "Global rank": (lambda: L.GlobalMaxPooling2D(), ones(4, 8), r"GlobalMaxPooling2D.*expected ndim=4"),
    "Padding rank": (lambda: L.ZeroPadding2D(), ones(4, 8), r"ZeroPadding2D.*expected ndim=4"),
    "UpSampling rank": (lambda: L.UpSampling1D(), ones(4, 8), r"UpSampling1D.*expected ndim=3"),
    "Cropping too much": (lambda: L.Cropping1D(4), ones(1, 8, 2), r"Cropping1D: cropping must leave something"),
    "Permute rank": (lambda: L.Permute((2, 1)), ones(4, 8), r"Permute.*expected ndim=3"),
    "RepeatVector rank": (lambda: L.RepeatVector(2), ones(4, 8, 2), r"RepeatVector.*expected ndim=2"),
    "Reshape": (lambda: L.Reshape((3, 3)), ones(2, 8), r"Reshape: a sample of 8 values cannot have shape \(3, 3\)"),
    "Embedding index": (lambda: L.Embedding(3, 2), np.array([[0, 3]]), r"must lie in \[0, 3\).*3"),
    "Embedding negative": (lambda: L.Embedding(3, 2), np.array([[-1, 0]]), r"must lie in \[0, 3\).*-1"),
    "Normalization axis": (lambda: L.BatchNormalization(axis=3), ones(2, 4), r"axis 3 is out of range for an input"),
    "GroupNormalization": (lambda: L.GroupNormalization(3), ones(2, 4), r"groups must divide the number of channels"),
    "Add alone": (lambda: L.Add(), ones(2, 4), r"Add: the layer is called on a list of inputs"),
    "Add shapes": (lambda: L.Add(), [ones(2, 4), ones(2, 3)], r"add: .*broadcast"),
    "Add batches": (lambda: L.Add(), [ones(2, 4), ones(3, 4)], r"Add: the inputs have the same batch size"),
    "Subtract three": (lambda: L.Subtract(), [ones(2, 4)] * 3, r"Subtract: the layer takes exactly 2 inputs"),
    "Concatenate": (lambda: L.Concatenate(), [ones(2, 4), ones(3, 4)], r"Concatenate: the inputs have the same shape"),
    "Dot sizes": (lambda: L.Dot(1), [ones(2, 4), ones(2, 3)], r"Dot: axis 1 of the first and axis 1 of the second"),
    "Dot batch": (lambda: L.Dot(0), [ones(2, 4), ones(2, 4)], r"Dot: an axis is one of its input's, and not"),
    "strings": (lambda: L.Dense(2), np.array([["a", "b"]]), r"values must be numbers or bools"),
}  # fmt: skip


@pytest.mark.parametrize("name", INPUTS)
def test_bad_inputs(name):
    make, inputs, message = INPUTS[name]
    with pytest.raises((ValueError, TypeError), match=f"(?s){message}"):
        make()(inputs)


LATER = {
    "Dense": (lambda: L.Dense(2), (2, 4), (2, 5)),
    "Conv1D": (lambda: L.Conv1D(2, 3), (1, 8, 2), (1, 8, 3)),
    "Conv2D": (lambda: L.Conv2D(2, 3), (1, 8, 8, 2), (1, 8, 8, 3)),
    "Conv3D": (lambda: L.Conv3D(2, 3), (1, 5, 5, 5, 2), (1, 5, 5, 5, 3)),
    "Conv2DTranspose": (lambda: L.Conv2DTranspose(2, 3), (1, 8, 8, 2), (1, 8, 8, 3)),
    "DepthwiseConv2D": (lambda: L.DepthwiseConv2D(3), (1, 8, 8, 2), (1, 8, 8, 3)),
    "SeparableConv2D": (lambda: L.SeparableConv2D(2, 3), (1, 8, 8, 2), (1, 8, 8, 3)),
    "BatchNormalization": (lambda: L.BatchNormalization(), (2, 4), (2, 5)),
    "PReLU": (lambda: L.PReLU(), (2, 4), (2, 5)),
}


@pytest.mark.parametrize("name", LATER)
def test_other_channels_on_a_later_call(name):
    make, first, second = LATER[name]
    layer = make()
    layer(ones(*first))
    before = layer.get_weights()
    with pytest.raises(ValueError, match=rf"{name}.*to have size {first[-1]}. Received: x.shape=\({second[0]}, "):
        layer(ones(*second))
    for a, b in zip(before, layer.get_weights()):
        np.testing.assert_array_equal(a, b)
    layer(ones(*first))


@pytest.mark.parametrize("make", [lambda: L.Dense(2), lambda: L.Conv2D(2, 3), lambda: L.BatchNormalization()])
def test_shapes_that_must_be_known(make):
    layer = make()
    rank = 4 if isinstance(layer, L.Conv2D) else 2
    with pytest.raises(ValueError, match=r"must be known|must have known"):
        layer(keras.KerasTensor((None,) * rank))


def test_positional_arguments_are_tensors_and_init_is_called():
    with pytest.raises(ValueError, match=r"only tensors may be passed as positional arguments.*type='str'"):
        L.Dense(2)("text")

    class Forgot(keras.Layer):
        def __init__(self):
            self.dense = L.Dense(2)

        def call(self, x):
            return self.dense(x)

    with pytest.raises(RuntimeError, match=r"Forgot: call super\(\).__init__\(\) first"):
        Forgot()(ones(2, 2))


def test_labels_outside_the_classes_leave_the_model_as_it_was():
    model = keras.Sequential([keras.Input((2,)), L.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    before = model.get_weights()
    for labels in (np.array([0, 3]), np.array([-1, 0])):
        with pytest.raises(ValueError, match=r"must lie in \[0, 3\)"):
            model.fit(ones(2, 2), labels, verbose=0)
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)
