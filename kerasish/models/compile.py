"""Losses and metrics as `compile` takes them (one, a list, a dict by name, nested), matched to a model's outputs."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from .. import losses as losses_module
from .. import metrics as metrics_module
from ..engine import tree
from ..engine.errors import invalid
from ..engine.op import get_op
from ..engine.tensor import to_tensor


def _kind(y_true: Any, y_pred: Any) -> str:
    """Which form "accuracy" and "crossentropy" take for these shapes: binary, sparse_categorical or categorical."""
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    if pred and pred[-1] == 1:
        return "binary"
    if len(true) < len(pred) or (true and true[-1] == 1 and pred[-1] != 1):
        return "sparse_categorical"
    return "categorical"


def object_name(obj: Any) -> str:
    """The name under which a metric or loss appears in logs."""
    return getattr(obj, "name", None) or getattr(obj, "__name__", None) or type(obj).__name__


def resolve_metric(identifier: Any, y_true: Any, y_pred: Any) -> metrics_module.Metric:
    """A Metric from what a user gives; "accuracy" by the shapes."""
    if identifier is None:
        raise invalid("compile", "a metric is a Metric, a function or a name", metric=None)
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc"):
        cls = {
            "binary": metrics_module.BinaryAccuracy,
            "sparse_categorical": metrics_module.SparseCategoricalAccuracy,
            "categorical": metrics_module.CategoricalAccuracy,
        }[_kind(y_true, y_pred)]
        return cls(name=identifier)
    metric = metrics_module.get(identifier)
    name = identifier if isinstance(identifier, str) else object_name(metric)
    if not isinstance(metric, metrics_module.Metric):
        metric = metrics_module.MeanMetricWrapper(metric)
    metric.name = name
    return metric


def resolve_loss(identifier: Any, y_true: Any, y_pred: Any) -> losses_module.Loss | None:
    """A Loss from what a user gives; "crossentropy" by the shapes."""
    if identifier is None:
        return None
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        loss = losses_module.get(f"{_kind(y_true, y_pred)}_crossentropy")
    else:
        loss = losses_module.get(identifier)
    if not isinstance(loss, losses_module.Loss):
        name = identifier if isinstance(identifier, str) else object_name(loss)
        loss = losses_module.LossFunctionWrapper(loss, name=name)
    return loss


class Outputs:
    """The outputs of a model, flat: their names and how targets, losses and metrics find them.

    Args:
        y_pred: the outputs in their structure.
        names: names of a functional model's outputs, or None.
    """

    def __init__(self, y_pred: Any, names: list[str] | None):
        self.struct = tree.map_structure(lambda x: None, y_pred)
        self.count = len(tree.flatten(y_pred))
        self.is_flat = tree.is_nested(y_pred) and len(y_pred) == self.count
        self.keys = None
        if isinstance(y_pred, dict) and self.is_flat:
            # Flattening sorts the keys of a plain dict.
            self.keys = sorted(y_pred) if type(y_pred) is dict else list(y_pred)
        if self.keys is not None:
            self.names: list[str | None] = list(self.keys)
        elif names and len(names) == self.count:
            self.names = list(names)
        else:
            self.names = [None] * self.count

    def match(self, value: Any, where: str, what: str, leaf: Any = None) -> list:
        """One entry for each output from a list, tuple, dict or nested structure; None where a dict has none.

        Args:
            leaf: says what is a leaf although it is a list (a list of metrics); None: nothing.

        Raises:
            ValueError: for unknown output names and wrong lengths or structures.
        """
        if isinstance(value, dict) and (self.is_flat or self.count == 1):
            known = [n for n in self.names if n is not None]
            unknown = sorted(str(k) for k in set(value) - set(known))
            if unknown:
                raise invalid(
                    where, f"{what} names outputs that the model does not have; it has {known}", unknown=unknown
                )
            return [value.get(n) for n in self.names]
        if self.count == 1 and not isinstance(value, dict):
            flat = [value] if leaf is not None else tree.flatten(value)
            if len(flat) == 1:
                return flat
        if isinstance(value, (list, tuple)) and len(value) == self.count and (self.is_flat or self.count == 1):
            return list(value)
        try:
            pairs = tree.map_structure_up_to(
                tree.lists_to_tuples(self.struct), lambda s, v: _Leaf(v), tree.lists_to_tuples(self.struct),
                tree.lists_to_tuples(value),
            )  # fmt: skip
            return [x.value for x in tree.flatten(pairs)]
        except (ValueError, TypeError):
            given = tree.map_structure(lambda _: "*", value)
            want = tree.map_structure(lambda _: "*", self.struct)
            raise invalid(
                where, f"{what} must have the structure of the model's outputs, {want}, or be a list or dict with one "
                f"entry for each of {self.names}", given=given,
            ) from None  # fmt: skip


class _Leaf:
    def __init__(self, value: Any):
        self.value = value


class OutputLoss(NamedTuple):
    """The loss of one output."""

    index: int
    loss: losses_module.Loss
    weight: Any
    name: str


class CompileLoss:
    """The weighted sum of the losses of all outputs.

    Args:
        loss: a loss, or losses by output; None for outputs without one.
        loss_weights: a number, or numbers by output.
        output_names: names of a functional model's outputs.

    Raises:
        ValueError: when called: where losses, targets and outputs do not match.
    """

    def __init__(self, loss: Any, loss_weights: Any = None, output_names: list[str] | None = None):
        if loss_weights is not None and not isinstance(loss_weights, (list, tuple, dict, float, int)):
            raise invalid("compile", "loss_weights is a number, list, tuple or dict", loss_weights=loss_weights)
        # Names and classes that do not exist are an error at once, not at the first batch.
        for x in tree.flatten(loss):
            if isinstance(x, str) and x.lower() not in ("crossentropy", "ce"):
                losses_module.get(x)
        self.user_loss, self.user_weights, self.output_names = loss, loss_weights, output_names
        self.built = False
        self.metrics: list[metrics_module.Metric] = []
        self.last: list[tuple[str, Any]] = []
        if isinstance(loss, dict) and output_names:
            known = set(output_names)
            unknown = sorted(str(k) for k in set(loss) - known)
            if unknown:
                raise invalid(
                    "compile",
                    f"loss names outputs that the model does not have; it has {output_names}",
                    unknown=unknown,
                )

    @property
    def variables(self) -> list:
        return [v for m in self.metrics for v in m.variables]

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Matches losses to outputs; makes a Mean for each where there are several."""
        out = self.outputs = Outputs(y_pred, self.output_names)
        loss = self.user_loss
        several = isinstance(loss, (list, tuple)) and out.count == 1 and len(loss) != 1
        if several:  # several losses on the only output
            entries = [(0, x) for x in loss]
        elif not tree.is_nested(loss):
            entries = [(k, loss) for k in range(out.count)]
        else:
            entries = list(enumerate(out.match(loss, "compile", "loss")))
        self._targets = [k for k, x in entries if x is not None] if not several else [0]
        weights = self.user_weights
        if weights is None:
            by_entry = [None] * len(entries)
        elif isinstance(weights, (int, float)):
            by_entry = [weights] * len(entries)
        elif several:
            by_entry = tree.flatten(weights)
        else:
            by_entry = out.match(weights, "compile", "loss_weights")
        if len(by_entry) != len(entries):
            raise invalid(
                "compile", "there is one loss weight for each loss", losses=len(entries), weights=len(by_entry)
            )
        trues = self._align(y_true)
        preds = tree.flatten(y_pred)
        self.losses: list[OutputLoss] = []
        for (k, x), weight in zip(entries, by_entry):
            resolved = resolve_loss(x, trues[k], preds[k])
            if resolved is not None:
                self.losses.append(OutputLoss(k, resolved, weight, out.names[k] or resolved.name))
        if len(self.losses) > 1:
            self.metrics = [metrics_module.Mean(name=f"{x.name}_loss") for x in self.losses]
        self.built = True

    def _align(self, y_true: Any) -> list:
        """Targets, flat, one for each output (None where it has no loss)."""
        out = self.outputs
        if out.count == 1:
            flat = tree.flatten(y_true)
            if isinstance(y_true, dict) and out.names[0] in y_true:
                flat = [y_true[out.names[0]]]
            if len(flat) != 1:
                raise invalid("fit", "the model has one output, and so one target", targets=len(flat))
            return flat
        flat = tree.flatten(y_true)
        if not isinstance(y_true, dict) and len(flat) == len(self._targets) < out.count:
            aligned: list = [None] * out.count
            for k, v in zip(self._targets, flat):
                aligned[k] = v
            return aligned
        if isinstance(y_true, dict) and out.is_flat:
            missing = [out.names[k] for k in self._targets if out.names[k] not in y_true]
            if missing:
                raise invalid("fit", "the targets lack outputs that have a loss", missing=missing, given=sorted(y_true))
            return [y_true.get(n) for n in out.names]
        return out.match(y_true, "fit", "the targets")

    def keep(self, values: list) -> None:
        """Remembers the losses of the outputs from a step that ran as a program."""
        self.last = [(x.name, v) for x, v in zip(self.losses, values)] if values else []

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The total loss, a scalar; None where no output has a loss."""
        if not self.built:
            self.build(y_true, y_pred)
        trues, preds = self._align(y_true), tree.flatten(y_pred)
        if sample_weight is not None and tree.is_nested(sample_weight):
            weights = self.outputs.match(sample_weight, "fit", "sample_weight")
        else:
            weights = [sample_weight] * len(preds)
        total = None
        self.last = []
        for k, (i, loss, weight, name) in enumerate(self.losses):
            value = loss(trues[i], preds[i], weights[i])
            self.last.append((name, value))
            if self.metrics:
                self.metrics[k].update_state(value, sample_weight=_batch_size(preds[i]))
            if weight is not None:
                value = get_op("multiply")(value, to_tensor(weight, value.dtype))
            total = value if total is None else get_op("add")(total, value)
        return total


def _batch_size(x: Any) -> Any:
    return x.shape[0] if getattr(x, "shape", ()) else 1


class CompileMetrics:
    """The metrics of `compile`, by output; shows them to the model as one metric.

    Args:
        metrics, weighted_metrics: metrics, or metrics by output; the second are given sample weights.
        output_names: names of a functional model's outputs.
    """

    name = "compile_metrics"

    def __init__(self, metrics: Any, weighted_metrics: Any, output_names: list[str] | None = None):
        for what, given in (("metrics", metrics), ("weighted_metrics", weighted_metrics)):
            if given and not isinstance(given, (list, tuple, dict)):
                raise invalid("compile", f"{what} is a list, a tuple or a dict", **{what: given})
            for x in tree.flatten(given or []):
                if isinstance(x, str) and x.lower() not in ("accuracy", "acc"):
                    metrics_module.get(x)
        self.user = (metrics, weighted_metrics)
        self.output_names = output_names
        self.built = False
        self.groups: list[list[list[metrics_module.Metric]]] = [[], []]

    @property
    def metrics(self) -> list[metrics_module.Metric]:
        """All metrics, flat."""
        return [m for group in self.groups for ms in group for m in ms]

    @property
    def variables(self) -> list:
        return [v for m in self.metrics for v in m.variables]

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Makes the metrics for these outputs."""
        out = self.outputs = Outputs(y_pred, self.output_names)
        trues, preds = self._flat_true(y_true), tree.flatten(y_pred)
        groups = []
        for what, given in zip(("metrics", "weighted_metrics"), self.user):
            if not given:
                groups.append([[] for _ in preds])
                continue
            if out.count == 1:
                entries = [given[n] for n in given if n == out.names[0]] if isinstance(given, dict) else [list(given)]
                if isinstance(given, dict) and not entries:
                    entries = (
                        [tree.flatten(given)] if out.names[0] is None else out.match(given, "compile", what, leaf=1)
                    )
            else:
                entries = out.match(given, "compile", what, leaf=list)
            groups.append(
                [
                    [resolve_metric(m, t, p) for m in (tree.flatten(e) if e is not None else [])]
                    for e, t, p in zip(entries, trues, preds)
                ]
            )
        self.groups = groups
        self.built = True

    def _flat_true(self, y_true: Any) -> list:
        out = self.outputs
        if isinstance(y_true, dict) and (out.is_flat or out.count == 1) and any(n in y_true for n in out.names):
            return [y_true.get(n) for n in out.names]
        flat = tree.flatten(y_true)
        return flat + [None] * (out.count - len(flat))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Updates all metrics with one batch."""
        if not self.built:
            self.build(y_true, y_pred)
        trues, preds = self._flat_true(y_true), tree.flatten(y_pred)
        if sample_weight is not None and tree.is_nested(sample_weight):
            weights = self.outputs.match(sample_weight, "fit", "sample_weight")
        else:
            weights = [sample_weight] * len(preds)
        for k, (t, p) in enumerate(zip(trues, preds)):
            for m in self.groups[0][k]:
                m.update_state(t, p)
            for m in self.groups[1][k]:
                m.update_state(t, p, weights[k])

    def reset_state(self) -> None:
        for m in self.metrics:
            m.reset_state()

    def result(self) -> dict[str, Any]:
        """Values by name; with several outputs the output's name stands in front."""
        if not self.built:
            raise invalid("compile_metrics", "there is no result before the first batch")
        results: dict[str, Any] = {}
        seen: Counter[str] = Counter()
        for which, group in enumerate(self.groups):
            for k, ms in enumerate(group):
                prefix = f"{self.outputs.names[k]}_" if self.outputs.count > 1 and self.outputs.names[k] else ""
                for m in ms:
                    name = f"{prefix}{m.name}"
                    if which == 1 and name in seen:
                        name = f"{prefix}weighted_{m.name}"
                    n = seen[name]
                    seen[name] += 1
                    results[f"{name}_{n}" if n else name] = m.result()
        return results
