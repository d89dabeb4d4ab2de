"""Every example in a docstring runs, and everything public has a docstring."""

import doctest
import importlib
import inspect
import pkgutil
import re

import numpy as np
import pytest

import kerasish
from kerasish.engine.naming import reset_uids

MODULES = sorted(["kerasish", *(info.name for info in pkgutil.walk_packages(kerasish.__path__, "kerasish."))])
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL


def examples(name: str) -> list[doctest.DocTest]:
    module = importlib.import_module(name)
    return [test for test in doctest.DocTestFinder().find(module, name, module) if test.examples]


@pytest.fixture
def fixed_state(tmp_path, monkeypatch):
    """What examples may depend on: print options, the random seed, names counted from the start, an empty folder."""
    monkeypatch.chdir(tmp_path)
    reset_uids()
    kerasish.utils.set_random_seed(0)
    with np.printoptions(precision=8, threshold=1000, linewidth=75, suppress=False, legacy=False):
        yield


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.usefixtures("fixed_state")
def test_examples(name):
    for test in examples(name):
        report = []
        doctest.DocTestRunner(optionflags=OPTIONS, verbose=False).run(test, out=report.append, clear_globs=True)
        assert not report, "".join(report)


def test_there_are_examples():
    assert sum(len(examples(name)) for name in MODULES) > 300


NAMESPACES = (
    "activations",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "random",
    "regularizers",
    "saving",
    "tree",
    "utils",
)


@pytest.mark.parametrize("name", NAMESPACES)
def test_everything_public_has_a_docstring(name):
    namespace = importlib.import_module(f"kerasish.{name}")
    bare = []
    for member in dir(namespace):
        value = getattr(namespace, member)
        if member.startswith("_") or not (inspect.isclass(value) or inspect.isroutine(value)):
            continue
        if value.__module__.startswith("kerasish") and not value.__doc__:
            bare.append(member)
    assert not bare
    assert namespace.__doc__


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_its_job_in_one_sentence(name):
    doc = importlib.import_module(name).__doc__ or ""
    assert re.match(r"\S[^\n]*(\n[^\n]+)?", doc), f"{name} opens with a docstring"
