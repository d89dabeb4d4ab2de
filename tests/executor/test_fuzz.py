"""Random graphs of the ops that passes rearrange: compiled and op by op give the same bits, with any threads."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish._core import core
from kerasish.engine.tensor import to_tensor
from tests.executor.compare import assert_same_bits, leaves, program

SIZES = [(64, 8), (1, 1), (0, 4), (17, 1), (300, 33), (4, 3, 5), (1, 40, 2), (6, 0, 2), (2, 3, 4, 5)]


# Products stand between groups of calls that could be one, and so make graphs whose fusion would close a circle.
KINDS = [*range(14), 9, 9, 9, 1, 0]


class Draw:
    """Builds one random step: draws ops whose operands fit from the values there are."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.shape = SIZES[self.rng.integers(len(SIZES))]
        self.n_calls = int(self.rng.integers(5, 36))
        self.plan = self.rng.integers(1 << 30, size=(self.n_calls, 6))
        self.outs = self.rng.integers(1 << 30, size=16)
        self.n_outs = int(self.rng.integers(1, 17))
        self.inputs = [self.array(self.shape) for _ in range(3)]
        self.inputs.append(self.array(self.shape[-1:]))
        self.inputs.append(self.array((*self.shape[:1], *(1,) * (len(self.shape) - 1))))
        self.inputs.append(self.array(()))
        self.square = keras.Variable(self.array((self.shape[-1], self.shape[-1])), name="square")
        self.variables = [self.square] + [keras.Variable(self.array(self.shape), name=f"v{k}") for k in range(2)]
        self.variables.append(keras.Variable(self.array(self.shape[-1:]), name="row"))

    def array(self, shape):
        return self.rng.normal(size=shape).astype("float32")

    def step(self, *inputs):
        values = [*inputs, *(v.value for v in self.variables)]
        for a, b, c, kind, last, _ in self.plan.tolist():
            self.call(values, a, b, c, KINDS[kind % len(KINDS)], last)
        chosen = [values[int(k) % len(values)] for k in self.outs[: self.n_outs]]
        return chosen

    def call(self, values, a, b, c, kind, last):
        recent = values[-8:] if last % 2 else values  # chains as well as long reaches
        x = recent[a % len(recent)]
        if kind == 0 and c % 2:
            x = values[b % 3]  # a new chain, beside the others
        # of what there is, operands that broadcast with x to the full shape or to x's own
        fits = [v for v in values if v.shape in (x.shape, x.shape[-1:], ())]
        y, z = fits[b % len(fits)], fits[c % len(fits)]
        if kind == 0:
            out = ops.tanh(x)
        elif kind in (1, 2):
            out = x + y
        elif kind == 3:
            out = x * y
        elif kind == 4:
            out = ops.maximum(x - y, 0.25 * z)
        elif kind == 5:
            out = ops.where(y > z, x, z) if z.shape == x.shape else ops.where(x > 0, x, z)
        elif kind == 6:
            out = ops.softmax(x, axis=-1) if x.size and x.shape[-1:] > (1,) else ops.exp(-ops.abs(x))
        elif kind == 7:
            axis = b % len(x.shape) if x.shape else None
            out = ops.mean(x, axis=axis, keepdims=bool(c % 2)) if x.size else ops.sum(x, axis=axis)
        elif kind == 8:
            flat = ops.reshape(x, (-1,)) if x.size else x
            out = ops.reshape(ops.tanh(flat), x.shape)
        elif kind == 9:
            full = len(x.shape) > 1 and x.shape[-1] == self.shape[-1]
            out = ops.matmul(x, self.square.value) if full else ops.relu(x)
        elif kind == 10:
            out = ops.cast(ops.cast(x * 3, "int32"), "float32") + x
        elif kind == 11:
            v = self.variables[b % len(self.variables)]
            same = [w for w in values if w.shape == v.shape]
            v.assign((same[c % len(same)] + v) * 0.5)
            out = v.value
        elif kind == 12:
            v = self.variables[b % len(self.variables)]
            v.assign_sub(v.value * 0.125)
            out = ops.square(v)
        else:
            n = x.shape[0] if x.shape else 0
            out = ops.reshape(x, (n * x.shape[1], *x.shape[2:])) if len(x.shape) > 2 and x.size else ops.sigmoid(x)
        values.append(out)


def run_both_ways(draw, threads):
    start = [v.numpy() for v in draw.variables]
    wanted = []
    with np.errstate(all="ignore"):
        for _ in range(2):
            wanted.append(leaves(draw.step(*map(to_tensor, draw.inputs))) + [v.numpy() for v in draw.variables])
    compiled = program(draw.step, draw.inputs)
    try:
        for n in threads:
            core.set_num_threads(n)
            for v, value in zip(draw.variables, start):
                v.assign(value)
            for k, want in enumerate(wanted):
                got = leaves(compiled.run([np.array(a) for a in draw.inputs])) + [v.numpy() for v in draw.variables]
                assert_same_bits(got, want, f"step {k} with {n} threads")
    finally:
        core.set_num_threads(0)
    return compiled


@pytest.mark.parametrize("seed", range(0, 400, 20))
def test_random_graphs(seed):
    for s in range(seed, seed + 20):
        try:
            run_both_ways(Draw(s), (1, 2, 3, 8) if s % 2 else (2,))
        except BaseException as e:
            e.add_note(f"seed {s}") if hasattr(e, "add_note") else None
            raise


def test_the_random_graphs_are_worth_it():
    # Of what the passes make, each occurs often enough for the test above to mean something.
    blocks = parts = inplace = shared = 0
    for seed in range(0, 60):
        draw = Draw(seed)
        with np.errstate(all="ignore"):
            e = program(draw.step, draw.inputs).executable
        found = [c for c in e.graph.calls if c.parts is not None]
        blocks += sum(any(len(body) > 1 for _, body in c.parts) for c in found)
        parts += sum(len(c.parts) > 1 for c in found)
        inplace += len(e.plan.inplace)
        shared += e.plan.arena < e.plan.naive
    assert blocks > 60 and parts > 20 and inplace > 15 and shared > 40, (blocks, parts, inplace, shared)


class Weave:
    """Chains side by side that products tie to each other: what a wrong fusion makes a circle of."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.inputs = [rng.normal(size=(64, 4)).astype("float32") for _ in range(3)]
        self.square = keras.Variable(rng.normal(size=(4, 4)) / 4, dtype="float32")
        self.variables = []
        self.plan = rng.integers(1 << 30, size=(int(rng.integers(8, 40)), 3)).tolist()

    def step(self, *inputs):
        values = list(inputs)
        for kind, a, b in self.plan:
            x, y = values[a % len(values)], values[b % len(values)]
            if kind % 5 == 0:
                values.append(ops.tanh(inputs[a % 3]) * (0.5 + len(values)))
            elif kind % 5 == 1:
                values.append(ops.matmul(x, self.square.value))
            else:
                values.append(x + y)
        return values[3:]


@pytest.mark.parametrize("seed", range(0, 300, 50))
def test_chains_that_products_tie_to_each_other(seed):
    for s in range(seed, seed + 50):
        run_both_ways(Weave(s), (2,))


class Mixed:
    """Temporaries of many sizes within blocks: dtypes, columns, rows, and reductions to one number for each row."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        n, m = int(rng.choice([1, 17, 40, 300])), int(rng.choice([1, 5, 33]))
        self.inputs = [rng.normal(size=s).astype("float32") for s in ((n, m), (n, m), (n, 1), (m,))]
        self.variables = []
        self.plan = rng.integers(1 << 30, size=(int(rng.integers(10, 24)), 3)).tolist()

    def step(self, *inputs):
        values = list(inputs)
        for kind, a, b in self.plan:
            x = values[-1 - a % min(len(values), 5)]
            y = values[b % len(values)]
            match kind % 8:
                case 0:
                    out = ops.cast(x, "float64") * 1.5
                case 1:
                    out = ops.cast(ops.cast(x, "float32") > ops.cast(y, "float32"), "float32")
                case 2:
                    out = ops.cast(x, "float32") + ops.cast(y, "float32")
                case 3:
                    out = ops.tanh(x)
                case 4:
                    out = ops.mean(x, axis=-1, keepdims=True)
                case 5:
                    out = ops.where(ops.cast(y, "bool"), ops.cast(x, "float32"), 0.5)
                case 6:
                    out = x * ops.cast(x, "float32")
                case _:
                    out = ops.cast(ops.cast(x, "float32") * 4, "int8") + 1
            values.append(out)
        return values[-1], values[len(values) // 2], values[-4]


@pytest.mark.parametrize("seed", range(0, 200, 50))
def test_temporaries_of_many_sizes(seed):
    for s in range(seed, seed + 50):
        run_both_ways(Mixed(s), (1, 3))
