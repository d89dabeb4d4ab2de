"""Imports go one way, the namespaces resolve, and importing kerasish stays light."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import kerasish

ROOT = Path(kerasish.__file__).parent
CSRC = ROOT.parent / "csrc"

# What each part of the package may import besides itself: the table of docs/architecture.md.
BASE = {"engine", "ops", "random"}
FAMILIES = ("activations", "initializers", "regularizers", "constraints", "losses", "metrics", "optimizers")
ALLOWED = {
    "_core": set(),
    "version": set(),
    "engine": {"_core", "version"},
    "ops": {"_core", "engine"},
    "random": {"engine", "ops"},
    "executor": {"_core", "engine"},
    # The families know those to their left where they need them: a metric wraps a loss, an optimizer has initializers.
    **{family: BASE | set(FAMILIES[:i]) for i, family in enumerate(FAMILIES)},
    "layers": {*BASE, *FAMILIES},
    "models": {*BASE, *FAMILIES, "layers", "data", "callbacks", "utils", "executor", "export", "saving"},
    # Writes what a capture has recorded; the rules of windows and weights that lowerings need are those of `ops`.
    "export": {"engine", "ops", "executor", "saving"},
    "data": {"engine"},
    # `ops` only for set_random_seed, which resets the global seed generator; `legacy` for utils.legacy.
    "utils": {"engine", "ops", "data", "legacy"},
    "callbacks": {"engine", "utils", "saving"},
    "datasets": {"engine", "utils"},
    # Namespaces without code of their own.
    "backend": {"engine"},
    "config": {"engine"},
    "dtype_policies": {"engine"},
    "preprocessing": {"data", "utils"},
    "saving": {"engine"},
    "legacy": {"engine", "saving"},
    "tree": {"engine"},
    # Loaded by `import kerasish` itself; everything else waits for its first use.
    "kerasish": {"engine", "ops", "random", "tree", "version"},
}


def imported(path: Path) -> list[tuple[int, str]]:
    """(line, dotted module) of every import of kerasish in a file, also inside functions."""
    package = ["kerasish", *path.relative_to(ROOT).parts[:-1]]
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            base += node.module.split(".") if node.module else []
            if base == ["kerasish"]:  # from kerasish import ops / from .. import ops
                found += [(node.lineno, f"kerasish.{alias.name}") for alias in node.names]
            else:
                found.append((node.lineno, ".".join(base)))
    return [(line, name) for line, name in found if name.split(".")[0] == "kerasish"]


def part(path: Path) -> str:
    """The first component below the package: `layers` of kerasish/layers/dense.py, `kerasish` of its __init__."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "kerasish" if parts == ("__init__",) else parts[0]


PARTS = sorted({part(path) for path in ROOT.rglob("*.py")})


def test_table_is_complete_and_has_no_cycle():
    assert set(PARTS) == set(ALLOWED), "every part of the package stands in the table, and nothing else"
    left = dict(ALLOWED)
    while left:
        leaves = [name for name, needs in left.items() if not needs & left.keys()]
        assert leaves, f"these import one another in a circle: {sorted(left)}"
        for name in leaves:
            del left[name]


@pytest.mark.parametrize("name", PARTS)
def test_imports_go_one_way(name):
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        if part(path) != name:
            continue
        for line, module in imported(path):
            target = module.split(".")[1] if "." in module else "kerasish"
            if target not in (name, *ALLOWED[name]):
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    assert not wrong, f"{name} may import {sorted(ALLOWED[name])} only"


def test_only_engine_ops_and_executor_import_the_core():
    assert {name for name, needs in ALLOWED.items() if "_core" in needs} == {"engine", "ops", "executor"}


def test_the_c_core_knows_no_python():
    sources = [p for p in CSRC.rglob("*") if p.suffix in (".c", ".h")]
    assert sources and not [str(p) for p in sources if "Python.h" in p.read_text()]


# -- namespaces --------------------------------------------------------------------------------------------------------

NAMESPACES = [
    name
    for name in sorted(ALLOWED)
    if name not in ("_core", "engine", "executor", "kerasish", "version") and (ROOT / name).is_dir()
]


@pytest.mark.parametrize("name", ["kerasish", *(f"kerasish.{name}" for name in NAMESPACES)])
def test_every_listed_name_resolves(name):
    module = importlib.import_module(name)
    missing = [member for member in (*dir(module), *getattr(module, "__all__", ())) if not hasattr(module, member)]
    assert not missing


def test_every_module_can_be_imported():
    for info in pkgutil.walk_packages(kerasish.__path__, "kerasish."):
        importlib.import_module(info.name)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'kerasish' has no attribute 'nope'"):
        kerasish.nope  # noqa: B018


def test_a_class_of_one_name_is_one_object():
    homes = {}
    for namespace in [kerasish, *(importlib.import_module(f"kerasish.{name}") for name in NAMESPACES)]:
        for name in dir(namespace):
            value = getattr(namespace, name)
            if inspect.isclass(value) and not name.startswith("_") and value.__module__.startswith("kerasish."):
                homes.setdefault(name, {}).setdefault(value, []).append(namespace.__name__)
    assert len(homes) > 150
    twice = {
        name: sorted(home for homes in found.values() for home in homes)
        for name, found in homes.items()
        if len(found) > 1
    }
    # As in Keras: BinaryCrossentropy and its like are a loss and a metric; Identity is an initializer and a layer.
    both = {("kerasish.losses", "kerasish.metrics"), ("kerasish.initializers", "kerasish.layers")}
    assert {tuple(found) for found in twice.values()} == both, twice


ONE_OBJECT = [
    ("Model", "models.Model"),
    ("Sequential", "models.Sequential"),
    ("Layer", "layers.Layer"),
    ("Input", "layers.Input"),
    ("InputSpec", "layers.InputSpec"),
    ("Loss", "losses.Loss"),
    ("Metric", "metrics.Metric"),
    ("Optimizer", "optimizers.Optimizer"),
    ("Initializer", "initializers.Initializer"),
    ("Regularizer", "regularizers.Regularizer"),
    ("DTypePolicy", "dtype_policies.DTypePolicy"),
    ("layers.Conv2D", "layers.Convolution2D"),
    ("layers.MaxPooling2D", "layers.MaxPool2D"),
    ("layers.GlobalAveragePooling2D", "layers.GlobalAvgPool2D"),
    ("initializers.GlorotUniform", "initializers.glorot_uniform"),
    ("regularizers.L2", "regularizers.l2"),
    ("constraints.MaxNorm", "constraints.max_norm"),
    ("losses.mean_squared_error", "metrics.mean_squared_error"),
    ("utils.PyDataset", "utils.Sequence"),
    ("utils.set_random_seed", "utils.set_random_seed"),
    ("utils.CustomObjectScope", "saving.CustomObjectScope"),
    ("utils.serialize_keras_object", "saving.serialize_keras_object"),
    ("models.load_model", "saving.load_model"),
    ("models.save_model", "saving.save_model"),
    ("utils.pad_sequences", "preprocessing.sequence.pad_sequences"),
]


def resolve(root, path):
    for name in path.split("."):
        root = getattr(root, name)
    return root


@pytest.mark.parametrize("one, other", ONE_OBJECT)
def test_second_names_are_the_same_object(one, other):
    assert resolve(kerasish, one) is resolve(kerasish, other)


@pytest.mark.parity
def test_what_keras_exports_twice_is_one_class_here():
    keras = pytest.importorskip("keras")
    homes = {}
    for namespace in ["", *(f"{name}." for name in NAMESPACES if hasattr(keras, name))]:
        home = resolve(keras, namespace[:-1]) if namespace else keras
        for name in dir(home):
            value = getattr(home, name, None)
            if inspect.isclass(value) and not name.startswith("_"):
                homes.setdefault(value, []).append(namespace + name)
    compared = 0
    for paths in homes.values():
        found = []
        for path in paths:
            try:
                found.append((path, resolve(kerasish, path)))
            except AttributeError:  # not here; the API score counts those
                continue
        compared += len(found) > 1
        assert len({id(value) for _, value in found}) <= 1, found
    assert compared > 40


# -- weight ------------------------------------------------------------------------------------------------------------


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


HEAVY = ("h5py", "scipy", "matplotlib", "sklearn", "PIL", "pandas", "keras", "jax", "tensorflow", "torch")


@pytest.mark.parametrize("code", ["import kerasish", "import kerasish.layers, kerasish.models, kerasish.optimizers"])
def test_import_loads_nothing_optional(code):
    assert not loaded_by(code) & set(HEAVY)


def test_import_waits_with_what_is_not_used():
    loaded = loaded_by("import kerasish")
    lazy = {"layers", "models", "losses", "metrics", "optimizers", "callbacks", "data", "datasets", "utils"}
    assert not {f"kerasish.{name}" for name in lazy} & loaded
    assert "kerasish.layers.dense" in loaded_by("import kerasish; kerasish.layers")
