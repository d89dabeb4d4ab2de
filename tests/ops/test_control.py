"""Branches, loops and maps on values and on symbols, their gradients and errors."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine.symbol import Symbol

from .errors import refuses

V = np.arange(1, 6, dtype="float32")
M = np.arange(12, dtype="float32").reshape(3, 4)


def gradient(f, x):
    x = ops.convert_to_tensor(x)
    with keras.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    return tape.gradient(y, x).numpy()


def rerun(symbol, values):
    """The value of a symbol when the leaves of its graph have these values."""
    known = dict(values)

    def value(x):
        if not isinstance(x, Symbol):
            return x
        if id(x) not in known:
            node = x.node
            args, kwargs = keras.tree.map_structure(value, (node.args, node.kwargs))
            outs = keras.tree.flatten(node.operation(*args, **kwargs))
            known.update({id(o): v for o, v in zip(node.outputs, outs)})
        return known[id(x)]

    return value(symbol).numpy()


def test_branches_run_once():
    calls = []
    ops.cond(np.array(True), lambda: calls.append("t"), lambda: calls.append("f"))
    ops.switch(-3, [lambda: calls.append(0), lambda: calls.append(1)])
    assert calls == ["t", 0]
    assert ops.cond(keras.Variable(0.0), lambda: 1, lambda: {"a": 2}) == {"a": 2}


def test_symbolic_branches():
    x, pred, k = Symbol((None, 2)), Symbol((), "bool"), Symbol((), "int32")
    y = ops.cond(pred, lambda: {"a": x * 2.0, "b": None}, lambda: {"a": x - 1.0, "b": None})
    assert y["b"] is None and y["a"].shape == (None, 2)
    for p in (True, False):
        got = rerun(y["a"], {id(x): ops.array([[1.0, 2.0]]), id(pred): ops.array(p)})
        assert got.tolist() == ([[2, 4]] if p else [[0, 1]])
    z = ops.switch(k, [lambda a: a + 1, lambda a: a + 2, lambda a: a + 3], x)
    for i, add in [(-1, 1), (0, 1), (2, 3), (9, 3)]:
        assert rerun(z, {id(x): ops.array([[1.0, 2.0]]), id(k): ops.array(i)}).tolist() == [[1 + add, 2 + add]]


def test_gradients_go_through_the_chosen_branch():
    np.testing.assert_array_equal(gradient(lambda x: ops.cond(True, lambda: x * x, lambda: x), V), 2 * V)
    np.testing.assert_array_equal(gradient(lambda x: ops.switch(1, [lambda a: a, lambda a: 3.0 * a], x), V), 3 + 0 * V)


def test_branch_refusals():
    pred, x = Symbol((), "bool"), Symbol((None, 2))
    refuses(lambda: ops.cond(np.array([True, False]), lambda: 1, lambda: 2), "cond: `pred` is a scalar.")
    refuses(lambda: ops.cond(True, 1, 2), "cond: `true_fn` and `false_fn` are functions.", TypeError)
    refuses(lambda: ops.switch(0, []), "switch: `branches` is a sequence of one or more functions.")
    refuses(lambda: ops.switch([0, 1], [lambda: 1]), "switch: `index` is a scalar.")
    refuses(lambda: ops.cond(pred, lambda: (x, x), lambda: x), "cond: all branches return the same structure.")
    refuses(lambda: ops.cond(pred, lambda: [None], lambda: [x]), "cond: all branches return the same structure.")
    refuses(lambda: ops.cond(pred, lambda: x, lambda: x[:, 0]), "cond: all branches return the same shapes and dtypes.")
    refuses(
        lambda: ops.switch(Symbol((), "int32"), [lambda: x, lambda: ops.cast(x, "int32")]),
        "switch: all branches return the same shapes and dtypes.",
    )


def test_while_loops():
    i, (a, b) = ops.while_loop(lambda i, p: i < 3, lambda i, p: (i + 1, (p[1], p[0] + 1.0)), (0, (1.0, 2.0)))
    assert int(i) == 3 and (float(a), float(b)) == (3.0, 3.0)
    assert float(ops.while_loop(lambda x: True, lambda x: x * 2.0, 1.0, maximum_iterations=5)) == 32.0
    np.testing.assert_array_equal(
        gradient(lambda x: ops.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * y), (0, x))[1], [1.5]),
        [8 * 1.5**7],
    )


def test_a_loop_that_never_runs_gives_values():
    v = keras.Variable(2.0)
    assert ops.is_tensor(ops.while_loop(lambda x: x < 0, lambda x: x, v))
    assert ops.is_tensor(ops.scan(lambda c, x: (c, x), v, V)[0])


def test_a_loop_over_symbols_is_one_node():
    n, x = Symbol((), "int32"), Symbol((None,))
    left, y = ops.while_loop(lambda k, v: k > 0, lambda k, v: (k - 1, v * 2.0), (n, x))
    assert left.node is y.node and y.shape == (None,) and left.dtype == "int32"
    assert rerun(y, {id(n): ops.array(3), id(x): ops.array(V)}).tolist() == (8 * V).tolist()


def test_loops_of_known_length_are_unrolled_over_symbols():
    x = Symbol((None, 3))
    values = {id(x): ops.array(M[:, :3])}
    y = ops.fori_loop(0, 3, lambda i, v: v + 1.0, x)
    np.testing.assert_array_equal(rerun(y, values), M[:, :3] + 3)
    total, ys = ops.scan(lambda c, v: (c + v, c * v), ops.zeros(2), Symbol((4, 2)))
    assert total.shape == (2,) and ys.shape == (4, 2)
    assert ops.map(lambda v: v[0], Symbol((4, 2))).shape == (4,)
    assert ops.associative_scan(lambda a, b: a + b, Symbol((None, 5)), axis=1).shape == (None, 5)


def test_scan():
    carry, ys = ops.scan(lambda c, x: (c + x["a"], {"twice": 2 * x["a"], "none": None}), 0.0, {"a": V})
    assert float(carry) == 15.0 and ys["none"] is None
    np.testing.assert_array_equal(ys["twice"], 2 * V)
    carry, ys = ops.scan(lambda c, _: (c * 2, c), 1, length=4)
    assert int(carry) == 16 and ys.numpy().tolist() == [1, 2, 4, 8]
    _, ys = ops.scan(lambda c, x: (c + x, c), 0.0, V, reverse=True)
    assert ys.numpy().tolist() == [14, 12, 9, 5, 0]
    carry, ys = ops.scan(lambda c, x: (c + x, ops.stack([c, x])), 0.0, V[:0])
    assert float(carry) == 0.0 and ys.shape == (0, 2)
    np.testing.assert_allclose(gradient(lambda x: ops.scan(lambda c, v: (c * v, None), 1.0, x)[0], V), 120 / V)


@pytest.mark.parametrize("n", range(1, 12))
@pytest.mark.parametrize("reverse", [False, True])
def test_associative_scan_is_the_prefix_sum(n, reverse):
    x = np.random.rand(2, n, 3).astype("float32")
    want = np.cumsum(x[:, ::-1], 1)[:, ::-1] if reverse else np.cumsum(x, 1)
    got = ops.associative_scan(lambda a, b: {"x": a["x"] + b["x"]}, {"x": x}, reverse, axis=1)["x"]
    np.testing.assert_allclose(got, want, rtol=1e-5)


def test_maps():
    np.testing.assert_array_equal(ops.map(lambda p: p[0] + p[1], (V, V)), 2 * V)
    assert ops.map(lambda x: ops.reshape(x, (2, 2)), M).shape == (3, 2, 2)
    assert ops.vectorized_map(lambda x: x * 2, M[:0]).shape == (0, 4)
    np.testing.assert_array_equal(gradient(lambda x: ops.map(lambda v: v * v, x), V), 2 * V)


def test_vectorize():
    f = ops.vectorize(lambda a, b, k: a * k + b, excluded={2})
    np.testing.assert_array_equal(f(M, M[0], 10.0), M * 10 + M[0])
    outer = ops.vectorize(lambda a, b: ops.outer(a, b), signature="(m),(n)->(m,n)")
    np.testing.assert_array_equal(outer(M, V), M[:, :, None] * V)


REFUSED = [
    (lambda: ops.while_loop(lambda x: x > V, lambda x: x, 1.0), "while_loop: `cond` returns a boolean scalar."),
    (
        lambda: ops.while_loop(lambda x: x < 9, lambda x: (x, x), (1.0,)),
        "while_loop: `body` returns one value for each",
    ),
    (lambda: ops.fori_loop(0, Symbol((), "int32"), None, 0), "fori_loop: `upper` must be known;"),
    (lambda: ops.scan(lambda c, x: c, 0.0, V), "scan: `f` returns (carry, y)."),
    (lambda: ops.scan(lambda c, x: (c, x), 0.0), "scan: `xs` or `length` must say how many steps there are."),
    (
        lambda: ops.scan(lambda c, x: (c, x), 0.0, V, length=4),
        "scan: all tensors, and `length`, must agree on one length.",
    ),
    (lambda: ops.scan(lambda c, x: (c, x), 0.0, V, unroll=0), "scan: `unroll` is a positive integer or a bool."),
    (
        lambda: ops.scan(lambda c, x: (c, x), 0.0, Symbol((None, 2))),
        "scan: every tensor needs a first dimension of known",
    ),
    (lambda: ops.map(lambda x: x, (V, V[1:])), "map: all tensors, and `length`, must agree on one length."),
    (lambda: ops.map(lambda x: x, 1.0), "map: every tensor needs a first dimension of known length."),
    (
        lambda: ops.associative_scan(lambda a, b: a, (V, V[1:])),
        "associative_scan: all tensors need the same known length",
    ),
    (lambda: ops.vectorize(1), "vectorize: `pyfunc` is a function."),
    (lambda: ops.vectorize(abs, signature="m->m"), "vectorize: `signature` looks like '(m,n),(n)->(m)'."),
    (lambda: ops.vectorize(abs, signature="(m)->()")(V, V), "vectorize: the signature is for 1 arguments."),
    (lambda: ops.vectorize(abs, signature="(m),(m)->()")(V, V[1:]), "vectorize: core dimension 'm' has two lengths."),
    (lambda: ops.vectorize(abs)(V, M), "vectorize: the arguments' shapes must broadcast."),
    (lambda: ops.vectorize(abs)(V[:0]), "vectorize: there must be at least one element."),
    (lambda: ops.vectorize(abs, signature="(m,n)->()")(V), "vectorize: an argument needs 2 core dimensions"),
    (lambda: ops.saturate_cast(V, "bfloat16"), "saturate_cast: the dtype is bool, an integer or a floating one"),
]


@pytest.mark.parametrize("call,message", REFUSED, ids=[m for _, m in REFUSED])
def test_refusals(call, message):
    refuses(call, message)


def test_refusals_of_what_is_no_function():
    refuses(lambda: ops.scan(1, 0.0, V), "scan: `f` is a function.", TypeError)
    refuses(lambda: ops.map(1, V), "map: a function is needed.", TypeError)
    refuses(lambda: ops.associative_scan(1, V), "associative_scan: `f` is a function.", TypeError)


def test_saturate_cast_at_the_limits():
    assert ops.saturate_cast([1e10, -1e10, np.inf, 3.9], "int32").numpy().tolist() == [
        2147483520,
        -2147483648,
        2147483520,
        3,
    ]
    assert ops.saturate_cast(np.array([1e300, -1e300]), "float32").numpy().tolist() == [
        np.finfo("float32").max, -np.finfo("float32").max,
    ]  # fmt: skip
    assert ops.saturate_cast([-1, 0, 5], "bool").numpy().tolist() == [False, False, True]
    np.testing.assert_array_equal(gradient(lambda x: ops.saturate_cast(x, "float16"), [1.0, 1e6]), [1, 0])
