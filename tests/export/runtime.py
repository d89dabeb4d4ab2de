"""Runs an exported model beside the one it came from."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime

from kerasish.engine import tree


def session(proto_or_path: Any, optimize: bool = False) -> onnxruntime.InferenceSession:
    """A session of one thread; tiny graphs load faster as they are."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    given = proto_or_path.SerializeToString() if hasattr(proto_or_path, "SerializeToString") else str(proto_or_path)
    return onnxruntime.InferenceSession(given, options)


def run(s: onnxruntime.InferenceSession, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The outputs, for inputs in the order of the file."""
    return s.run(None, dict(zip((i.name for i in s.get_inputs()), arrays, strict=True)))


def check(got: list[np.ndarray], want: Any, rtol: float = 1e-5) -> None:
    """Same shapes, dtypes and, relative to the largest, values."""
    want = [t.numpy() for t in tree.flatten(want)]
    assert [(g.shape, g.dtype) for g in got] == [(w.shape, w.dtype) for w in want]
    for g, w in zip(got, want):
        if w.dtype.kind != "f":
            np.testing.assert_array_equal(g, w)
            continue
        finite = np.abs(w[np.isfinite(w)])
        np.testing.assert_allclose(g, w, rtol=rtol, atol=rtol * max(finite.max(initial=0), 1e-3))
