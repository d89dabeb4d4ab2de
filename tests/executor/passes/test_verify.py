"""The verifier finds what no pass may leave: each rule, by a graph that breaks it."""

import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine.spec import Spec
from kerasish.executor import BrokenGraph, Value, capture
from kerasish.executor.passes import PASSES, fuse_blocks, run_passes, verify
from tests.executor.compare import f32, specs


def graph_of(fn, *args, fuse=False):
    graph, _ = capture(fn, specs(args))
    if fuse:
        fuse_blocks(graph)
    verify(graph, "test")
    return graph


def broken(graph, rule):
    with pytest.raises(BrokenGraph, match=f"^after a bad pass: {rule}"):
        verify(graph, "a bad pass")


def chain(fuse=False):
    return graph_of(lambda x: ops.tanh(x * 2) + 1, f32(20, 3), fuse=fuse)


def test_a_call_before_what_it_needs():
    graph = chain()
    graph.calls.reverse()
    broken(graph, "add reads a value that is not there yet")


def test_a_call_that_is_missing():
    graph = chain()
    del graph.calls[1]
    broken(graph, "add reads a value that is not there yet")


def test_a_value_of_another_graph():
    graph, other = chain(), chain()
    graph.calls[1].inputs = [other.calls[0].outputs[0]]
    broken(graph, "tanh reads a value that is not there yet")


def test_an_output_that_belongs_to_another_call():
    graph = chain()
    graph.calls[1].outputs[0].call = graph.calls[0]
    broken(graph, "output 0 of tanh belongs to another call")


def test_a_value_that_is_made_twice():
    graph = chain()
    graph.calls.append(graph.calls[0])
    broken(graph, "output 0 of multiply is made twice")


def test_another_spec_than_the_op_infers():
    graph = chain()
    graph.calls[1].outputs[0].spec = Spec((20, 4), "float32")
    broken(graph, "tanh gives .*, but infers")
    graph = chain()
    graph.calls[1].outputs[0].spec = Spec((20, 3), "float64")
    broken(graph, "tanh gives .*, but infers")


def test_a_result_that_nobody_makes():
    graph = chain()
    del graph.calls[-1]
    broken(graph, "a result is never made")
    graph = chain()
    graph.checks.append(Value(Spec((), "bool")))
    broken(graph, "a result is never made")


def test_an_update_of_another_shape_or_of_no_variable():
    v = keras.Variable(f32(3))
    graph = graph_of(lambda x: v.assign_add(x), f32(3))
    (old, new), other = graph.updates[0], graph_of(lambda x: ops.tanh(x), f32(4))
    graph.updates = [(old, other.inputs[0])]
    graph.inputs += other.inputs
    broken(graph, "an update changes .* to")
    graph.updates = [(graph.inputs[0], new)]
    broken(graph, "an update changes")


def test_a_variable_that_is_updated_twice():
    v = keras.Variable(f32(3))
    graph = graph_of(lambda x: (v.assign_add(x), x * 2), f32(3))
    graph.updates.append((graph.updates[0][0], graph.outputs[1]))
    broken(graph, "a variable is updated twice")


def test_a_block_that_gives_what_its_calls_do_not_make():
    graph = chain(fuse=True)
    (block,) = graph.calls
    block.outputs = [*block.outputs, Value(Spec((20, 3), "float32"))]
    broken(graph, ".*a block gives a value that its calls do not make")


def test_a_block_whose_calls_are_out_of_order():
    graph = chain(fuse=True)
    graph.calls[0].parts[0][1].reverse()
    broken(graph, "add reads a value that is not there yet")


def test_a_block_that_reads_what_is_not_there():
    graph = chain(fuse=True)
    graph.inputs.clear()
    broken(graph, "multiply reads a value that is not there yet")
    graph = chain(fuse=True)
    graph.calls[0].inputs.append(Value(Spec((3,), "float32")))
    broken(graph, ".* reads a value that is not there yet")


def test_calls_in_a_block_are_checked_as_others_are():
    graph = chain(fuse=True)
    graph.calls[0].parts[0][1][1].outputs[0].spec = Spec((20, 4), "float32")
    broken(graph, "tanh gives .*, but infers")
    graph = chain(fuse=True)
    body = graph.calls[0].parts[0][1]
    body.append(body[0])
    broken(graph, "output 0 of multiply is made twice")


def test_the_pass_that_broke_a_graph_is_named(monkeypatch):
    def bad_pass(graph):
        graph.calls.clear()

    monkeypatch.setattr("kerasish.executor.passes.PASSES", (PASSES[0], bad_pass, PASSES[1]))
    graph, _ = capture(lambda x: ops.tanh(x), specs((f32(3),)))
    with pytest.raises(BrokenGraph, match="after bad_pass: a result is never made"):
        run_passes(graph)
