"""One case or more for every layer: how to make it (here and in Keras) and inputs to call it on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(eq=False)
class Case:
    """A layer to check.

    Attributes:
        make: makes the layer from a `layers` module, ours or Keras's.
        shapes: shape of each input, with the batch; several make a list of inputs.
        integers: inputs are integers below this.
        words: inputs are strings among these (the first input only, where there are integers as well).
        keras: Keras computes it without TensorFlow. (With it: tests/layers/test_preprocessing_lookup.py.)
        training: also compare with Keras while training (only where nothing random happens).
        random: acts randomly in training.
        rtol: tolerance against Keras, relative to the largest value.
        spread: the layer takes its inputs as arguments, not as a list.
        options: further arguments of the call.
    """

    make: Callable[[Any], Any]
    shapes: tuple
    integers: int | None = None
    words: tuple[str, ...] = ()
    keras: bool = True
    training: bool = True
    random: bool = False
    rtol: float = 1e-5
    note: str = ""
    spread: bool = False
    options: dict = field(default_factory=dict)
    name: str = field(default="", init=False)

    def inputs(self, seed: int = 0) -> Any:
        rng = np.random.default_rng(seed)
        out = []
        for k, shape in enumerate(self.shapes):
            if self.words and not (k and self.integers):
                out.append(rng.choice(self.words, shape))
            elif self.integers:
                out.append(rng.integers(0, self.integers, shape).astype("int32"))
            else:
                out.append(rng.uniform(-1, 1, shape).astype("float32"))
        return out[0] if len(out) == 1 else out

    def call(self, layer: Any, inputs: Any, **extra: Any) -> Any:
        """The layer's output."""
        return layer(*inputs, **self.options, **extra) if self.spread else layer(inputs, **self.options, **extra)


def _named(cases: list[tuple[str, Case]]) -> list[Case]:
    for name, case in cases:
        case.name = name
    return [case for _, case in cases]


W = ("a", "b", "a b", "zz")
X1, X2, X3 = (3, 9, 4), (2, 7, 8, 4), (2, 5, 6, 5, 3)

CASES = _named(
    [
        ("Dense", Case(lambda L: L.Dense(5), ((3, 4),))),
        ("Dense relu", Case(lambda L: L.Dense(5, activation="relu", use_bias=False), ((3, 2, 4),))),
        ("Dense l2", Case(lambda L: L.Dense(3, kernel_regularizer="l2", kernel_constraint="non_neg"), ((3, 4),))),
        ("Activation", Case(lambda L: L.Activation("tanh"), ((3, 4),))),
        ("Activation softmax", Case(lambda L: L.Activation("softmax"), ((3, 4),))),
        ("ReLU", Case(lambda L: L.ReLU(), ((3, 4),))),
        ("ReLU all", Case(lambda L: L.ReLU(max_value=0.5, negative_slope=0.2, threshold=0.1), ((30, 4),))),
        ("LeakyReLU", Case(lambda L: L.LeakyReLU(0.2), ((3, 4),))),
        ("PReLU", Case(lambda L: L.PReLU("ones"), ((3, 4),))),
        ("PReLU shared", Case(lambda L: L.PReLU("he_normal", shared_axes=[1, 2]), (X2,))),
        ("ELU", Case(lambda L: L.ELU(0.7), ((3, 4),))),
        ("Softmax", Case(lambda L: L.Softmax(), ((3, 4),))),
        ("Softmax axes", Case(lambda L: L.Softmax(axis=(1, 2)), ((3, 4, 5),))),
        ("Embedding", Case(lambda L: L.Embedding(7, 5), ((3, 4),), integers=7)),
        ("Embedding mask", Case(lambda L: L.Embedding(7, 5, mask_zero=True), ((3, 4),), integers=7)),
        ("Identity", Case(lambda L: L.Identity(), ((3, 4),))),
        ("Masking", Case(lambda L: L.Masking(0.0), ((3, 4, 2),))),
        ("Normalization", Case(lambda L: L.Normalization(), ((3, 4),))),
        ("Normalization axes", Case(lambda L: L.Normalization(axis=(1, -1)), ((3, 2, 4),))),
        ("Normalization none", Case(lambda L: L.Normalization(axis=None, invert=True), ((3, 4),))),
        ("Normalization given", Case(lambda L: L.Normalization((1, 2), [1.0, 2.0], [4.0, 0.25]), ((3, 4, 2),))),
        ("Normalization integers", Case(lambda L: L.Normalization(mean=3.0, variance=2.0), ((3, 4),), integers=7)),
        ("Rescaling", Case(lambda L: L.Rescaling(0.5, offset=-1.0), ((3, 4),))),
        ("Rescaling channels", Case(lambda L: L.Rescaling([0.5, 2.0], offset=[1.0, 0.0]), ((3, 2),))),
        ("Conv1D", Case(lambda L: L.Conv1D(5, 3), (X1,))),
        ("Conv1D causal", Case(lambda L: L.Conv1D(5, 3, padding="causal", dilation_rate=2), (X1,))),
        ("Conv1D same stride", Case(lambda L: L.Conv1D(6, 4, strides=2, padding="same", groups=2), (X1,))),
        ("Conv2D", Case(lambda L: L.Conv2D(5, 3, activation="relu"), (X2,))),
        ("Conv2D same stride", Case(lambda L: L.Conv2D(5, (3, 2), strides=(2, 3), padding="same"), (X2,))),
        ("Conv2D dilated", Case(lambda L: L.Conv2D(5, 3, dilation_rate=(2, 1), use_bias=False), (X2,))),
        ("Conv2D grouped", Case(lambda L: L.Conv2D(6, 3, groups=2), (X2,))),
        ("Conv2D 1x1", Case(lambda L: L.Conv2D(7, 1), (X2,))),
        ("Conv3D", Case(lambda L: L.Conv3D(4, 3, padding="same"), (X3,))),
        ("Conv3D stride", Case(lambda L: L.Conv3D(4, (1, 2, 3), strides=(1, 2, 1)), (X3,))),
        ("Conv1DTranspose", Case(lambda L: L.Conv1DTranspose(5, 3, strides=2), (X1,))),
        ("Conv2DTranspose", Case(lambda L: L.Conv2DTranspose(5, 3, strides=2, padding="same"), (X2,))),
        (
            "Conv2DTranspose output_padding",
            Case(lambda L: L.Conv2DTranspose(5, 3, strides=(2, 3), output_padding=(1, 2)), (X2,)),
        ),
        ("Conv3DTranspose", Case(lambda L: L.Conv3DTranspose(3, 2, strides=2), (X3,))),
        ("DepthwiseConv1D", Case(lambda L: L.DepthwiseConv1D(3, depth_multiplier=2), (X1,))),
        ("DepthwiseConv2D", Case(lambda L: L.DepthwiseConv2D(3, strides=2, padding="same"), (X2,))),
        ("DepthwiseConv2D dilated", Case(lambda L: L.DepthwiseConv2D(2, depth_multiplier=3, dilation_rate=2), (X2,))),
        ("SeparableConv1D", Case(lambda L: L.SeparableConv1D(5, 3, padding="same"), (X1,))),
        ("SeparableConv2D", Case(lambda L: L.SeparableConv2D(5, 3, depth_multiplier=2, padding="same"), (X2,))),
        *[
            (f"{kind}Pooling{r}D {padding}", Case(
                lambda L, kind=kind, r=r, padding=padding: getattr(L, f"{kind}Pooling{r}D")(
                    3, strides=2, padding=padding
                ), ((X1, X2, X3)[r - 1],),
            ))
            for kind in ("Max", "Average") for r in (1, 2, 3) for padding in ("valid", "same")
        ],
        *[
            (f"Global{kind}Pooling{r}D", Case(
                lambda L, kind=kind, r=r: getattr(L, f"Global{kind}Pooling{r}D")(keepdims=r == 2),
                ((X1, X2, X3)[r - 1],),
            ))
            for kind in ("Max", "Average") for r in (1, 2, 3)
        ],
        *[
            (f"Adaptive{kind}Pooling{r}D", Case(
                lambda L, kind=kind, r=r: getattr(L, f"Adaptive{kind}Pooling{r}D")(2), ((X1, X2, X3)[r - 1],)
            ))
            for kind in ("Max", "Average") for r in (1, 2, 3)
        ],
        ("Dropout", Case(lambda L: L.Dropout(0.4, seed=3), ((20, 30),), random=True)),
        ("Dropout noise_shape", Case(lambda L: L.Dropout(0.4, noise_shape=(None, 1, 6)), ((8, 5, 6),), random=True)),
        ("SpatialDropout1D", Case(lambda L: L.SpatialDropout1D(0.4), ((8, 5, 16),), random=True)),
        ("SpatialDropout2D", Case(lambda L: L.SpatialDropout2D(0.4), ((8, 3, 3, 16),), random=True)),
        ("SpatialDropout3D", Case(lambda L: L.SpatialDropout3D(0.4), ((8, 2, 2, 2, 16),), random=True)),
        ("GaussianNoise", Case(lambda L: L.GaussianNoise(0.4), ((20, 30),), random=True)),
        ("GaussianDropout", Case(lambda L: L.GaussianDropout(0.4), ((20, 30),), random=True)),
        ("AlphaDropout", Case(lambda L: L.AlphaDropout(0.4), ((20, 30),), random=True)),
        ("ActivityRegularization", Case(lambda L: L.ActivityRegularization(0.1, 0.2), ((3, 4),))),
        ("BatchNormalization", Case(lambda L: L.BatchNormalization(), ((6, 4),))),
        ("BatchNormalization images", Case(lambda L: L.BatchNormalization(momentum=0.8), (X2,))),
        (
            "BatchNormalization axis 1",
            Case(lambda L: L.BatchNormalization(axis=1, center=False, epsilon=1e-2), ((5, 3, 4),)),
        ),
        ("BatchNormalization no scale", Case(lambda L: L.BatchNormalization(scale=False), ((6, 4),))),
        ("LayerNormalization", Case(lambda L: L.LayerNormalization(), ((3, 4),))),
        ("LayerNormalization axes", Case(lambda L: L.LayerNormalization(axis=[1, 2], epsilon=1e-5), ((3, 4, 5),))),
        ("GroupNormalization", Case(lambda L: L.GroupNormalization(groups=2), (X2,))),
        ("GroupNormalization instance", Case(lambda L: L.GroupNormalization(groups=-1), ((2, 5, 4),))),
        ("RMSNormalization", Case(lambda L: L.RMSNormalization(), ((3, 4),))),
        ("UnitNormalization", Case(lambda L: L.UnitNormalization(), ((3, 4),))),
        ("Flatten", Case(lambda L: L.Flatten(), (X2,))),
        ("Flatten channels_first", Case(lambda L: L.Flatten(data_format="channels_first"), (X2,))),
        ("Flatten vector", Case(lambda L: L.Flatten(), ((3,),))),
        ("Reshape", Case(lambda L: L.Reshape((4, -1)), ((3, 8),))),
        ("Permute", Case(lambda L: L.Permute((3, 1, 2)), (X2,))),
        ("RepeatVector", Case(lambda L: L.RepeatVector(3), ((2, 4),))),
        ("ZeroPadding1D", Case(lambda L: L.ZeroPadding1D((1, 2)), (X1,))),
        ("ZeroPadding2D", Case(lambda L: L.ZeroPadding2D(((1, 2), (0, 3))), (X2,))),
        ("ZeroPadding2D first", Case(lambda L: L.ZeroPadding2D((1, 2), data_format="channels_first"), (X2,))),
        ("ZeroPadding3D", Case(lambda L: L.ZeroPadding3D((1, 0, 2)), (X3,))),
        ("Cropping1D", Case(lambda L: L.Cropping1D((1, 2)), (X1,))),
        ("Cropping2D", Case(lambda L: L.Cropping2D(((1, 2), (0, 3))), (X2,))),
        ("Cropping3D", Case(lambda L: L.Cropping3D(1), (X3,))),
        ("UpSampling1D", Case(lambda L: L.UpSampling1D(3), (X1,))),
        ("UpSampling2D", Case(lambda L: L.UpSampling2D((2, 3)), (X2,))),
        ("UpSampling2D bilinear", Case(lambda L: L.UpSampling2D(2, interpolation="bilinear"), (X2,))),
        ("UpSampling3D", Case(lambda L: L.UpSampling3D((1, 2, 2)), (X3,))),
        ("Add", Case(lambda L: L.Add(), ((3, 4), (3, 4), (3, 1)))),
        ("Add ranks", Case(lambda L: L.Add(), ((3, 2, 4), (3, 4)))),
        ("Subtract", Case(lambda L: L.Subtract(), ((3, 4), (3, 4)))),
        ("Multiply", Case(lambda L: L.Multiply(), ((3, 4), (3, 4)))),
        ("Average", Case(lambda L: L.Average(), ((3, 4), (3, 4), (3, 4)))),
        ("Maximum", Case(lambda L: L.Maximum(), ((3, 4), (3, 4)))),
        ("Minimum", Case(lambda L: L.Minimum(), ((3, 4), (3, 4)))),
        ("Concatenate", Case(lambda L: L.Concatenate(), ((3, 4), (3, 2)))),
        ("Concatenate axis 1", Case(lambda L: L.Concatenate(axis=1), ((3, 4, 2), (3, 1, 2)))),
        ("Dot", Case(lambda L: L.Dot(axes=1), ((3, 4), (3, 4)))),
        ("Dot matrices", Case(lambda L: L.Dot(axes=(2, 1)), ((3, 4, 5), (3, 5, 2)))),
        ("Dot cosine", Case(lambda L: L.Dot(axes=-1, normalize=True), ((3, 4), (3, 4)))),
        ("EinsumDense", Case(lambda L: L.EinsumDense("ab,bc->ac", 5, bias_axes="c", activation="relu"), ((3, 4),))),
        (
            "EinsumDense heads",
            Case(lambda L: L.EinsumDense("abc,cde->abde", (None, 2, 5), bias_axes="de"), ((3, 4, 6),)),
        ),
        ("EinsumDense joins", Case(lambda L: L.EinsumDense("abcd,cde->abe", (7, 5), bias_axes="e"), ((2, 7, 4, 3),))),
        ("EinsumDense no bias", Case(lambda L: L.EinsumDense("...x,xy->...y", 5, kernel_regularizer="l2"), (X2,))),
        (
            "EinsumDense partial bias",
            Case(lambda L: L.EinsumDense("abc,cde->abde", (None, 2, 5), bias_axes="d"), ((3, 4, 6),)),
        ),
        ("EinsumDense transposes", Case(lambda L: L.EinsumDense("abc,dc->adb", (5, 4), bias_axes="b"), ((3, 4, 6),))),
        ("EinsumDense right", Case(lambda L: L.EinsumDense("ab...,bc->ac...", 5, bias_axes="c"), ((3, 4, 2, 6),))),
        ("Attention", Case(lambda L: L.Attention(), ((2, 3, 4), (2, 5, 4)))),
        ("Attention key", Case(lambda L: L.Attention(use_scale=True), ((2, 3, 4), (2, 5, 6), (2, 5, 4)))),
        (
            "Attention causal",
            Case(lambda L: L.Attention(use_scale=True), ((2, 6, 4), (2, 5, 4)), options={"use_causal_mask": True}),
        ),
        ("Attention concat", Case(lambda L: L.Attention(True, "concat"), ((2, 3, 4), (2, 5, 4)))),
        ("AdditiveAttention", Case(lambda L: L.AdditiveAttention(), ((2, 3, 4), (2, 5, 4)))),
        (
            "AdditiveAttention causal",
            Case(lambda L: L.AdditiveAttention(use_scale=False), ((2, 5, 4),) * 2, options={"use_causal_mask": True}),
        ),
        ("MultiHeadAttention", Case(lambda L: L.MultiHeadAttention(2, 3), ((2, 5, 4), (2, 7, 6)), spread=True)),
        (
            "MultiHeadAttention all",
            Case(
                lambda L: L.MultiHeadAttention(
                    2, 3, value_dim=5, output_shape=7, use_gate=True, sliding_window=2, dropout=0.1, seed=1,
                    kernel_regularizer="l2", activity_regularizer="l1", bias_initializer="ones",
                ),
                ((2, 5, 4), (2, 7, 6), (2, 7, 3)),
                training=False,
                spread=True,
                options={"use_causal_mask": True},
            ),
        ),
        (
            "MultiHeadAttention no bias",
            Case(
                lambda L: L.MultiHeadAttention(1, 3, use_bias=False, output_shape=(2, 3)), ((2, 5, 4),) * 2, spread=True
            ),
        ),
        (
            "MultiHeadAttention axes",
            Case(lambda L: L.MultiHeadAttention(2, 3, attention_axes=(2, 3)), ((2, 2, 3, 4, 5),) * 2, spread=True),
        ),
        (
            "MultiHeadAttention all axes",
            Case(lambda L: L.MultiHeadAttention(2, 3), ((2, 3, 4, 5), (2, 2, 3, 5)), spread=True),
        ),
        (
            "GroupQueryAttention",
            Case(lambda L: L.GroupQueryAttention(3, 4, 2), ((2, 5, 4), (2, 7, 4)), spread=True),
        ),
        (
            "GroupQueryAttention all",
            Case(
                lambda L: L.GroupQueryAttention(
                    3, 4, 1, use_gate=True, sliding_window=3, dropout=0.1, seed=1, kernel_regularizer="l2"
                ),
                ((2, 5, 4), (2, 7, 4), (2, 7, 4)),
                training=False,
                spread=True,
                options={"use_causal_mask": True},
            ),
        ),
        ("ReversibleEmbedding", Case(lambda L: L.ReversibleEmbedding(7, 5), ((3, 4),), integers=7)),
        (
            "SpectralNormalization",
            Case(lambda L: L.SpectralNormalization(L.Dense(3, name="inner"), power_iterations=3), ((3, 4),), rtol=2e-5),
        ),
        (
            "SpectralNormalization Conv2D",
            Case(lambda L: L.SpectralNormalization(L.Conv2D(3, 2, name="inner")), (X2,), rtol=2e-5),
        ),
        ("Conv2D channels_first", Case(lambda L: L.Conv2D(5, 3, data_format="channels_first"), (X2,))),
        ("MaxPooling2D channels_first", Case(lambda L: L.MaxPooling2D(2, data_format="channels_first"), (X2,))),
        ("SimpleRNN", Case(lambda L: L.SimpleRNN(5), (X1,))),
        ("SimpleRNN general", Case(lambda L: L.SimpleRNN(5, activation="relu", return_sequences=True), (X1,))),
        ("SimpleRNN no bias", Case(lambda L: L.SimpleRNN(3, use_bias=False, kernel_regularizer="l2"), (X1,))),
        ("GRU", Case(lambda L: L.GRU(5), (X1,))),
        ("GRU sequences", Case(lambda L: L.GRU(5, return_sequences=True, go_backwards=True), (X1,))),
        ("GRU reset before", Case(lambda L: L.GRU(5, reset_after=False, return_sequences=True), (X1,))),
        ("GRU general", Case(lambda L: L.GRU(5, recurrent_activation="hard_sigmoid", use_bias=False), (X1,))),
        ("LSTM", Case(lambda L: L.LSTM(5), (X1,))),
        ("LSTM sequences", Case(lambda L: L.LSTM(5, return_sequences=True, zero_output_for_mask=True), (X1,))),
        ("LSTM backwards", Case(lambda L: L.LSTM(5, go_backwards=True, recurrent_constraint="unit_norm"), (X1,))),
        ("LSTM general", Case(lambda L: L.LSTM(5, activation="softsign", unit_forget_bias=False), (X1,))),
        ("LSTM unrolled", Case(lambda L: L.LSTM(5, unroll=True, recurrent_regularizer="l1"), (X1,))),
        ("RNN", Case(lambda L: L.RNN(L.LSTMCell(5), return_sequences=True), (X1,))),
        ("RNN stacked", Case(lambda L: L.RNN([L.LSTMCell(5), L.GRUCell(4), L.SimpleRNNCell(3)]), (X1,))),
        ("Bidirectional", Case(lambda L: L.Bidirectional(L.LSTM(5)), (X1,))),
        ("Bidirectional sum", Case(lambda L: L.Bidirectional(L.GRU(5, return_sequences=True), "sum"), (X1,))),
        (
            "Bidirectional backward_layer",
            Case(
                lambda L: L.Bidirectional(
                    L.SimpleRNN(5), "mul", backward_layer=L.SimpleRNN(5, go_backwards=True, activation="relu")
                ),
                (X1,),
            ),
        ),
        ("TimeDistributed", Case(lambda L: L.TimeDistributed(L.Dense(5, activation="relu")), (X1,))),
        ("TimeDistributed images", Case(lambda L: L.TimeDistributed(L.Conv2D(3, 2)), (X3,))),
        ("TimeDistributed state", Case(lambda L: L.TimeDistributed(L.BatchNormalization()), (X1,))),
        ("ConvLSTM1D", Case(lambda L: L.ConvLSTM1D(3, 2, strides=2, return_sequences=True), (X2,))),
        ("ConvLSTM2D", Case(lambda L: L.ConvLSTM2D(3, (2, 3), padding="same"), (X3,))),
        ("ConvLSTM2D dilated", Case(lambda L: L.ConvLSTM2D(3, 2, dilation_rate=2, use_bias=False), (X3,))),
        (
            "ConvLSTM3D",
            Case(lambda L: L.ConvLSTM3D(2, 2, data_format="channels_first", go_backwards=True), ((2, 3, 1, 4, 3, 5),)),
        ),
        *[
            (f"CategoryEncoding {mode}", Case(
                lambda L, mode=mode: L.CategoryEncoding(7, output_mode=mode), ((3, 4),), integers=7
            ))
            for mode in ("one_hot", "multi_hot", "count")
        ],
        ("CategoryEncoding 1", Case(lambda L: L.CategoryEncoding(7, output_mode="one_hot"), ((3, 1),), integers=7)),
        ("Discretization", Case(lambda L: L.Discretization([2.0, 5.0]), ((3, 4),), integers=7)),
        ("Discretization count", Case(lambda L: L.Discretization([-0.5, 0.5], output_mode="count"), ((3, 4),))),
        ("Discretization one_hot", Case(lambda L: L.Discretization([0.0], output_mode="one_hot"), ((3, 4),))),
        *[
            (f"IntegerLookup {mode}", Case(
                lambda L, mode=mode: L.IntegerLookup(vocabulary=[5, 2, 3], mask_token=1, output_mode=mode), ((3, 4),),
                integers=7, keras=False,
            ))
            for mode in ("int", "one_hot", "multi_hot", "count")
        ],
        (
            "IntegerLookup idf",
            Case(
                lambda L: L.IntegerLookup(vocabulary=[5, 2], output_mode="tf_idf", idf_weights=[0.5, 0.25]), ((3, 4),),
                integers=7, keras=False,
            ),
        ),
        (
            "IntegerLookup inverse",
            Case(lambda L: L.IntegerLookup(vocabulary=[5, 2, 3], invert=True), ((3, 4),), integers=7, keras=False),
        ),
        (
            "StringLookup",
            Case(lambda L: L.StringLookup(vocabulary=["b", "a"], num_oov_indices=3), ((3, 4),), words=W, keras=False),
        ),
        (
            "StringLookup count",
            Case(lambda L: L.StringLookup(vocabulary=["b"], output_mode="count"), ((3, 4),), words=W, keras=False),
        ),
        (
            "TextVectorization",
            Case(
                lambda L: L.TextVectorization(vocabulary=["b", "a"], output_sequence_length=3), ((3, 1),), words=W,
                keras=False,
            ),
        ),
        ("Hashing", Case(lambda L: L.Hashing(5, salt=3), ((3, 4),), integers=90, keras=False)),
        ("Hashing words", Case(lambda L: L.Hashing(5, output_mode="multi_hot"), ((3, 4),), words=W, keras=False)),
        ("HashedCrossing", Case(lambda L: L.HashedCrossing(9), ((3, 1),) * 2, integers=90, keras=False)),
        (
            "HashedCrossing words",
            Case(
                lambda L: L.HashedCrossing(9, output_mode="one_hot"), ((3, 1),) * 2, integers=90, words=W, keras=False
            ),
        ),
    ]
)  # fmt: skip

# Those that Keras can be compared with where there is no TensorFlow, and those that work on tensors alone.
IN_KERAS = [case for case in CASES if case.keras]
ON_TENSORS = [case for case in CASES if not case.words]
