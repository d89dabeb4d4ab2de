"""Config, a container of named values that can be frozen."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any


class Config:
    """Named values, read and set as attributes or as items; `freeze()` forbids further changes.

    Args:
        **kwargs: the first values.

    Raises:
        ValueError: a change after `freeze()`.
        AttributeError: a name that does not exist; the message suggests a similar one.

    Example:

    >>> config = Config(rate=0.1)
    >>> config.momentum = 0.9
    >>> config["rate"], config.as_dict()
    (0.1, {'rate': 0.1, 'momentum': 0.9})
    """

    def __init__(self, **kwargs: Any):
        self.__dict__.update(_config=kwargs, _frozen=False)

    @property
    def frozen(self) -> bool:
        """Whether changes are forbidden."""
        return self._frozen

    def freeze(self) -> None:
        """Forbids changes."""
        self.__dict__["_frozen"] = True

    def unfreeze(self) -> None:
        """Allows changes again."""
        self.__dict__["_frozen"] = False

    def _changeable(self) -> dict:
        if self._frozen:
            raise ValueError("config: a frozen config cannot be changed; call `unfreeze()` first.")
        return self._config

    def as_dict(self) -> dict:
        """A dict of the values."""
        return dict(self._config)

    def to_json(self) -> str:
        """The values as JSON text."""
        import json

        return json.dumps(self._config)

    def keys(self) -> Any:
        """The names."""
        return self._config.keys()

    def values(self) -> Any:
        """The values."""
        return self._config.values()

    def items(self) -> Any:
        """Pairs of a name and a value."""
        return self._config.items()

    def pop(self, *args: Any) -> Any:
        """Removes a name and returns its value; see `dict.pop`."""
        return self._changeable().pop(*args)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Sets several values; see `dict.update`."""
        self._changeable().update(*args, **kwargs)

    def get(self, keyname: str, value: Any = None) -> Any:
        """The value of a name, or `value` if there is none."""
        return self._config.get(keyname, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name) or name in self.__dict__:
            raise AttributeError(f"config: `{name}` belongs to Config itself; set it as an item, config[{name!r}].")
        self._changeable()[name] = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # copy and pickle ask for such before there is anything
            raise AttributeError(name)
        if name in self._config:
            return self._config[name]
        similar = difflib.get_close_matches(name, self._config, n=1, cutoff=0.7)
        hint = f" Did you mean {similar[0]!r}?" if similar else ""
        raise AttributeError(f"config: there is no value named {name!r}.{hint}")

    def __setitem__(self, key: str, item: Any) -> None:
        self._changeable()[key] = item

    def __getitem__(self, key: str) -> Any:
        return self._config[key]

    def __delitem__(self, key: str) -> None:
        del self._changeable()[key]

    def __contains__(self, item: object) -> bool:
        return item in self._config

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._config))

    def __len__(self) -> int:
        return len(self._config)

    def __repr__(self) -> str:
        return f"<Config {self._config}>"
