"""Small datasets that examples use, in Keras's `datasets` namespace: `datasets.<name>.load_data()`."""

import importlib
from types import ModuleType

__all__ = [
    "boston_housing",
    "california_housing",
    "cifar10",
    "cifar100",
    "fashion_mnist",
    "imdb",
    "mnist",
    "reuters",
]


def __getattr__(name: str) -> ModuleType:
    """A dataset's module on first use: downloads and archives take long to import."""
    if name in __all__:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
