"""Clipping of gradients: by value, by norm, by the norm of all together."""

from __future__ import annotations

from typing import Any

from kerasish import ops


def clip_gradients(
    grads: list, clipnorm: float | None = None, clipvalue: float | None = None, global_clipnorm: float | None = None
) -> list:
    """Gradients after the one kind of clipping that is asked for (None or 0: none)."""
    if clipnorm:
        return [_clip_by_norm(g, clipnorm) for g in grads]
    if global_clipnorm:
        return clip_by_global_norm(grads, global_clipnorm)
    if clipvalue:
        return [ops.clip(g, -clipvalue, clipvalue) for g in grads]
    return grads


def _clip_by_norm(g: Any, limit: float) -> Any:
    norm = ops.sqrt(ops.sum(ops.square(g)))
    return g * (limit / ops.maximum(norm, limit))


def clip_by_global_norm(grads: list, limit: float) -> list:
    """Gradients scaled down together to a 2-norm of at most `limit`; NaN where the norm is not finite.

    Reference: Pascanu et al., 2013 (https://arxiv.org/abs/1211.5063).
    """
    norm = ops.sqrt(ops.sum(ops.stack([ops.sum(ops.square(g)) for g in grads])))
    # norm - norm is 0, or NaN for an infinite norm: a step that cannot be right must not pass for one.
    scale = limit * ops.minimum(1.0 / norm, 1.0 / limit) + (norm - norm)
    return [g * scale for g in grads]
