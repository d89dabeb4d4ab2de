"""Settings that hold for the whole process: default dtype, epsilon, data format, logging, run limits, folders.

They are plain module values, read on every call of their getter; nothing is read from or written to a file.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BACKEND = "kerasish"
_FLOATX = ("bfloat16", "float16", "float32", "float64")
_DATA_FORMATS = ("channels_first", "channels_last")


def _limit(name: str, value: object) -> int | None:
    """Checks a run limit: None or a positive integer."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}: the limit must be a positive integer or None. Received: {value!r}")
    return value


def _limit_from_environment(name: str) -> int | None:
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    try:
        return _limit(name, int(text))
    except ValueError:
        raise ValueError(f"{name}: the environment variable must be a positive integer. Received: {text!r}") from None


class _State:
    """The current values; one object so that the functions below need no `global`."""

    floatx = "float32"
    epsilon = 1e-7
    image_data_format = "channels_last"
    flash_attention: bool | None = None
    interactive_logging = True
    traceback_filtering = True
    max_epochs = _limit_from_environment("KERASISH_MAX_EPOCHS")
    max_steps_per_epoch = _limit_from_environment("KERASISH_MAX_STEPS_PER_EPOCH")


_state = _State()


# -- numbers and layout --------------------------------------------------------------------------------------------


def floatx() -> str:
    """The default float dtype.

    Example:

    >>> floatx()
    'float32'
    """
    return _state.floatx


def set_floatx(value: str) -> None:
    """Sets the default float dtype: `"float16"`, `"bfloat16"`, `"float32"` or `"float64"`.

    Raises:
        ValueError: `value` is none of these.

    Example:

    >>> set_floatx("float64")
    >>> floatx()
    'float64'
    >>> set_floatx("float32")
    """
    if value not in _FLOATX:
        raise ValueError(f"set_floatx: the dtype must be one of {', '.join(_FLOATX)}. Received: value={value!r}")
    _state.floatx = str(value)


def epsilon() -> float:
    """The small number that keeps divisions and logarithms away from zero.

    Example:

    >>> epsilon()
    1e-07
    """
    return _state.epsilon


def set_epsilon(value: float) -> None:
    """Sets the small number that `epsilon()` returns.

    Raises:
        ValueError: `value` is not a positive finite number.

    Example:

    >>> set_epsilon(1e-5)
    >>> epsilon()
    1e-05
    >>> set_epsilon(1e-7)
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (number > 0.0 and math.isfinite(number)):
        raise ValueError(f"set_epsilon: epsilon must be a positive finite number. Received: value={value!r}")
    _state.epsilon = number


def image_data_format() -> str:
    """The default layout of images: `"channels_last"` (the one that needs no transposition) or `"channels_first"`.

    Example:

    >>> image_data_format()
    'channels_last'
    """
    return _state.image_data_format


def set_image_data_format(data_format: str) -> None:
    """Sets the default layout of images.

    Raises:
        ValueError: `data_format` is neither `"channels_last"` nor `"channels_first"` (in any case).

    Example:

    >>> set_image_data_format("channels_last")
    """
    _state.image_data_format = _check_data_format("set_image_data_format", data_format)


def standardize_data_format(data_format: str | None) -> str:
    """`data_format` in lower case, or the default when it is None.

    Raises:
        ValueError: it names no layout.

    Example:

    >>> standardize_data_format(None), standardize_data_format("Channels_First")
    ('channels_last', 'channels_first')
    """
    return _state.image_data_format if data_format is None else _check_data_format("data_format", data_format)


def _check_data_format(where: str, data_format: object) -> str:
    name = str(data_format).lower()
    if name not in _DATA_FORMATS:
        raise ValueError(
            f"{where}: the data format must be one of {', '.join(_DATA_FORMATS)}. Received: data_format={data_format!r}"
        )
    return name


# -- backend and features ------------------------------------------------------------------------------------------


def backend() -> str:
    """The name of the backend, always `"kerasish"`: there is only one.

    Example:

    >>> backend()
    'kerasish'
    """
    return BACKEND


def set_backend(backend: str) -> None:
    """Accepts the one backend there is, so that scripts which name it run.

    Raises:
        ValueError: any other name.

    Example:

    >>> set_backend("kerasish")
    """
    if backend != BACKEND:
        raise ValueError(f"set_backend: the only backend is {BACKEND!r}. Received: backend={backend!r}")


def enable_flash_attention() -> None:
    """Lets attention layers use the blocked attention kernel where it applies (the default)."""
    _state.flash_attention = None


def disable_flash_attention() -> None:
    """Keeps attention layers from using the blocked attention kernel."""
    _state.flash_attention = False


def is_flash_attention_enabled() -> bool | None:
    """False after `disable_flash_attention()`, otherwise None: used where it applies."""
    return _state.flash_attention


def is_nnx_enabled() -> bool:
    """Always False: NNX belongs to another backend of Keras."""
    return False


# -- logging -------------------------------------------------------------------------------------------------------


def enable_interactive_logging() -> None:
    """Sends progress to the standard output (the default)."""
    _state.interactive_logging = True


def disable_interactive_logging() -> None:
    """Sends progress to the `kerasish` logger of the standard `logging` module instead of the standard output."""
    _state.interactive_logging = False


def is_interactive_logging_enabled() -> bool:
    """Whether progress goes to the standard output.

    Example:

    >>> is_interactive_logging_enabled()
    True
    """
    return _state.interactive_logging


def enable_traceback_filtering() -> None:
    """Hides this package's own frames from tracebacks (the default)."""
    _state.traceback_filtering = True


def disable_traceback_filtering() -> None:
    """Shows tracebacks whole, this package's own frames included."""
    _state.traceback_filtering = False


def is_traceback_filtering_enabled() -> bool:
    """Whether this package's own frames are hidden from tracebacks.

    Example:

    >>> is_traceback_filtering_enabled()
    True
    """
    return _state.traceback_filtering


# -- limits for quick trial runs -----------------------------------------------------------------------------------


def max_epochs() -> int | None:
    """The most epochs any `fit` runs, or None; also set by the environment variable `KERASISH_MAX_EPOCHS`."""
    return _state.max_epochs


def set_max_epochs(max_epochs: int | None) -> None:
    """Limits the epochs of every `fit`, to try a script quickly; None takes the limit away.

    Raises:
        ValueError: neither None nor a positive integer.

    Example:

    >>> set_max_epochs(1)
    >>> set_max_epochs(None)
    """
    _state.max_epochs = _limit("set_max_epochs", max_epochs)


def max_steps_per_epoch() -> int | None:
    """The most steps an epoch runs, or None; also set by `KERASISH_MAX_STEPS_PER_EPOCH`."""
    return _state.max_steps_per_epoch


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limits the steps of every epoch of fit, evaluate and predict; None takes the limit away.

    Raises:
        ValueError: neither None nor a positive integer.

    Example:

    >>> set_max_steps_per_epoch(10)
    >>> set_max_steps_per_epoch(None)
    """
    _state.max_steps_per_epoch = _limit("set_max_steps_per_epoch", max_steps_per_epoch)


# -- folders -------------------------------------------------------------------------------------------------------


def home() -> Path:
    """The folder for downloads: `KERASISH_HOME`, else `~/.kerasish`, else a folder for temporary files.

    It is not created here. The last is for accounts whose home folder cannot be written to.
    """
    import tempfile  # these two cost more time to import than the rest of the package's own startup allows
    from pathlib import Path

    chosen = os.environ.get("KERASISH_HOME")
    if chosen:
        return Path(chosen).expanduser()
    base = Path(os.path.expanduser("~"))
    return (base if os.access(base, os.W_OK) else Path(tempfile.gettempdir())) / ".kerasish"
