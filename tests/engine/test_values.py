"""Tensor, Variable, Symbol, Spec, dtypes and op declarations: conversion, NumPy and DLPack, assignment, errors."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish._core import core
from kerasish.engine.dtype import result_type, standardize_dtype
from kerasish.engine.op import Host, apply, define_op, get_op
from kerasish.engine.spec import Spec, standardize_shape
from kerasish.engine.tensor import Tensor


def test_conversion_keeps_or_chooses_the_dtype():
    assert ops.convert_to_tensor(np.ones(2, "int8")).dtype == "int8"
    assert ops.convert_to_tensor([1, 2]).dtype == "int32"
    assert ops.convert_to_tensor([2**40]).dtype == "int64"
    assert ops.convert_to_tensor([1.0]).dtype == "float32"
    assert ops.convert_to_tensor([True]).dtype == "bool"
    assert ops.convert_to_tensor([]).dtype == "float32"
    assert ops.convert_to_tensor([np.float64(1.0)]).dtype == "float64"
    assert ops.convert_to_tensor(np.ones(2, ">f4")).numpy().dtype == np.dtype("<f4")
    assert ops.convert_to_tensor(1.5, dtype="int32").item() == 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["a", "b"], "values must be numbers or bools"),
        (np.array([None, 1], dtype=object), "values must be numbers or bools"),
        ([[1.0], [1.0, 2.0]], "the value does not make an array"),
    ],
)
def test_what_is_not_numeric_is_refused(value, message):
    with pytest.raises((TypeError, ValueError), match=message):
        ops.convert_to_tensor(value)


def test_bfloat16_and_sparse_are_refused_clearly():
    with pytest.raises(ValueError, match="tensors of dtype bfloat16 are not supported"):
        ops.convert_to_tensor([1.0], dtype="bfloat16")
    with pytest.raises(ValueError, match="sparse and ragged tensors are not supported"):
        ops.convert_to_tensor([1.0], sparse=True)


def test_numpy_and_dlpack_both_ways():
    t = ops.convert_to_tensor(np.arange(6.0, dtype="float32").reshape(2, 3))
    np.testing.assert_array_equal(np.from_dlpack(t), t.numpy())
    np.testing.assert_array_equal(np.asarray(t, dtype="float64"), t.numpy().astype("float64"))

    class Foreign:
        def __init__(self, array):
            self.array = array

        def __dlpack__(self, **kwargs):
            return self.array.__dlpack__(**kwargs)

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    np.testing.assert_array_equal(ops.convert_to_tensor(Foreign(np.arange(3))).numpy(), [0, 1, 2])
    left = np.ones((2, 3), "float32") + t
    assert isinstance(left, Tensor)
    np.testing.assert_array_equal(left.numpy(), t.numpy() + 1)


def test_python_protocols():
    t = ops.convert_to_tensor([[1, 2], [3, 4]])
    assert len(t) == 2
    assert [r.tolist() for r in t] == [[1, 2], [3, 4]]
    assert t.tolist() == [[1, 2], [3, 4]]
    assert t.ndim == 2
    assert t.size == 4
    scalar = ops.convert_to_tensor(3)
    assert [10, 20, 30, 40][scalar] == 40
    assert (int(scalar), float(scalar), bool(scalar), f"{scalar:d}") == (3, 3.0, True, "3")
    assert copy.copy(t) is t
    np.testing.assert_array_equal(copy.deepcopy(t).numpy(), t.numpy())
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(t)).numpy(), t.numpy())
    assert "shape=(2, 2) dtype=int32" in repr(t)
    with pytest.raises(ValueError, match="only a tensor with one element has a truth value"):
        bool(t)
    with pytest.raises(TypeError, match="only an integer scalar can be an index"):
        [1, 2][ops.convert_to_tensor(1.0)]
    with pytest.raises(TypeError, match="without dimensions"):
        len(scalar)
    with pytest.raises(TypeError, match="without dimensions"):
        iter(scalar)


OPERATORS = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
    "//": lambda a, b: a // b, "%": lambda a, b: a % b, "**": lambda a, b: a**b, "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b, "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_on_tensors_variables_and_numbers(name):
    f = OPERATORS[name]
    a, b = np.array([1.0, 2.0, 3.5], "float32"), np.array([2.0, 2.0, 0.5], "float32")
    ta, tb = ops.convert_to_tensor(a), keras.Variable(b)
    for got, want in ((f(ta, tb), f(a, b)), (f(tb, 2.0), f(b, 2.0)), (f(2.0, ta), f(2.0, a)), (f(ta, b), f(a, b))):
        np.testing.assert_allclose(np.asarray(got), want, rtol=1e-6)
    symbol = keras.KerasTensor((None, 3))
    assert f(symbol, 2.0).shape == (None, 3)


def test_bit_and_logic_operators():
    a, b = np.array([5, 3], "int32"), np.array([1, 2], "int32")
    ta, tb = ops.convert_to_tensor(a), ops.convert_to_tensor(b)
    for f in (lambda x, y: x & y, lambda x, y: x | y, lambda x, y: x ^ y):
        np.testing.assert_array_equal(f(ta, tb).numpy(), f(a, b))
        np.testing.assert_array_equal(f(ta > 3, tb > 1).numpy(), f(a > 3, b > 1))
    np.testing.assert_array_equal((~ta).numpy(), ~a)
    np.testing.assert_array_equal((~(ta > 3)).numpy(), ~(a > 3))
    np.testing.assert_array_equal((-ta).numpy(), -a)
    np.testing.assert_array_equal(abs(-ta).numpy(), a)
    np.testing.assert_array_equal((ops.eye(2) @ ops.ones((2, 2))).numpy(), np.ones((2, 2)))


def test_a_variable_keeps_shape_and_dtype():
    v = keras.Variable(np.zeros((2, 3), "float32"), name="w")
    before = v.value
    v.assign(np.ones((2, 3)))
    assert v.dtype == "float32"
    np.testing.assert_array_equal(before.numpy(), 0)
    np.testing.assert_array_equal(v.numpy(), 1)
    with pytest.raises(ValueError, match=r"Variable 'w': a new value must have shape \(2, 3\)"):
        v.assign(np.ones(3))
    np.testing.assert_array_equal(v.numpy(), 1)
    v.assign_add(1.0 * np.ones((2, 3)))
    v.assign_sub(np.full((2, 3), 0.5))
    np.testing.assert_array_equal(v.numpy(), 1.5)


def test_a_variable_does_not_share_memory_with_what_it_was_given():
    array = np.zeros(3, "float32")
    v = keras.Variable(array)
    array[:] = 7
    np.testing.assert_array_equal(v.numpy(), 0)
    other = np.ones(3, "float32")
    v.assign(other)
    other[:] = 7
    np.testing.assert_array_equal(v.numpy(), 1)
    copy_ = v.numpy()
    copy_[:] = 9
    np.testing.assert_array_equal(v.numpy(), 1)


def test_bad_variables():
    with pytest.raises(ValueError, match="an initializer function needs a shape"):
        keras.Variable(lambda shape, dtype: None)
    with pytest.raises(ValueError, match="every dimension must be known"):
        keras.Variable(keras.initializers.Zeros(), shape=(None, 2))
    with pytest.raises(ValueError, match=r"the name is a string without '/'"):
        keras.Variable(1.0, name="a/b")
    with pytest.raises(ValueError, match=r"the value must have shape \(3,\)"):
        keras.Variable([1.0, 2.0], shape=(3,))
    with pytest.raises(TypeError, match="unknown arguments"):
        keras.Variable(1.0, colour="red")


def test_symbols_have_no_value():
    s = keras.KerasTensor((None, 2))
    for use in (bool, int, float, np.asarray):
        with pytest.raises(ValueError, match="has no value"):
            use(s)
    with pytest.raises(ValueError, match="only a known first dimension can be iterated over"):
        iter(s)
    assert len(list(keras.KerasTensor((3, 2)))) == 3
    assert s.reshape((-1, 1)).shape == (None, 1)
    assert keras.KerasTensor((4, 1)).squeeze().shape == (4,)


def test_promotion():
    assert result_type("int32", "float32") == "float32"
    assert result_type("int8", "uint8") == "int16"
    assert result_type("bool", int) == "int32"
    assert result_type("float16", float) == "float16"
    assert result_type(int, float) == "float32"
    assert result_type("float32", "float64") == "float64"
    with pytest.raises(ValueError, match="float8 dtypes are not converted implicitly"):
        result_type("float8_e4m3fn", "float32")
    with pytest.raises(ValueError, match="Invalid dtype: rainbow"):
        standardize_dtype("rainbow")


def test_shapes_are_checked():
    assert standardize_shape([2, None, np.int64(3)]) == (2, None, 3)
    for bad in (5, "ab", (2, -1), (1.5,)):
        with pytest.raises(ValueError, match=r"a (shape|dimension) is"):
            standardize_shape(bad)


def test_declarations_are_checked():
    def make(**changes):
        fields = dict(name="test_declared", inputs="x", infer=lambda x: x, kernel=None, grad=None, kind="view")
        return define_op(**{**fields, **changes})

    with pytest.raises(RuntimeError, match="declared twice"):
        make(name="add")
    with pytest.raises(RuntimeError, match="kind is one of"):
        make(kind="strange")
    with pytest.raises(RuntimeError, match="saves names"):
        make(saves="z")
    with pytest.raises(RuntimeError, match="2 gradient rules for 1 inputs"):
        make(grad=(None, None))


def test_unhashable_attributes_and_missing_kernels_are_named():
    with pytest.raises(TypeError, match="sum: attributes are hashable static values"):
        apply(get_op("sum"), (np.ones(2),), {"axis": [0], "keepdims": False})


def test_a_host_kernel_must_keep_to_its_inferred_shape():
    from kerasish.engine import op as module

    op = define_op("test_liar", inputs="x", infer=lambda x: Spec((7,), x.dtype), kernel=Host(lambda x: x), grad=None)
    try:
        with pytest.raises(RuntimeError, match=r"test_liar: inferred shape \(7,\) but the kernel gave \(2,\)"):
            op(np.ones(2, "float32"))
    finally:
        del module._registry["test_liar"]


def test_arrays_come_aligned_from_our_allocator():
    for shape in ((), (0, 3), (1,), (17, 5), (300, 300)):
        a = core.empty(shape, "float32")
        assert a.shape == shape
        assert a.ctypes.data % 64 == 0
    with pytest.raises(ValueError, match="a dimension is at least 0"):
        core.empty((-1,), "float32")


def test_kernels_refuse_strided_arrays_and_wrong_isas():
    kernel = core.find("exp", "float32")
    with pytest.raises(ValueError, match="C-contiguous"):
        core.run(kernel, (np.ones((4, 4), "float32")[:, ::2],), (np.ones((4, 2), "float32"),))
    with pytest.raises(ValueError, match="unknown instruction set 'mmx'"):
        core.set_isa("mmx")
    assert core.find("no such kernel", "float32") is None


def test_attributes_that_are_equal_but_of_other_types_do_not_share_a_plan():
    seen = []
    op = define_op(
        "test_attributes", inputs="x", infer=lambda x, a: seen.append(a) or x, kernel=Host(lambda x, a: x), grad=None
    )
    try:
        for a in (1, 1.0, True):
            op(np.ones(1, "float32"), a=a)
        assert [type(a) for a in seen] == [int, float, bool]
    finally:
        from kerasish.engine import op as module

        del module._registry["test_attributes"]
