"""kerasish.config: defaults, setters, their errors, and the download folder."""

import subprocess
import sys
import tempfile

import pytest

from kerasish import backend, config
from kerasish.engine import config as engine_config


@pytest.fixture(autouse=True)
def _restore_settings():
    before = dict(vars(engine_config._state))
    yield
    vars(engine_config._state).clear()
    vars(engine_config._state).update(before)


def test_defaults():
    assert config.floatx() == backend.floatx() == "float32"
    assert config.epsilon() == backend.epsilon() == 1e-7
    assert config.image_data_format() == "channels_last"
    assert config.backend() == backend.backend() == "kerasish"
    assert config.is_nnx_enabled() is False
    assert config.is_interactive_logging_enabled() is True
    assert config.is_traceback_filtering_enabled() is True
    assert config.is_flash_attention_enabled() is None
    assert config.max_epochs() is None
    assert config.max_steps_per_epoch() is None


def test_setters():
    config.set_floatx("float64")
    config.set_epsilon(1e-3)
    config.set_image_data_format("CHANNELS_FIRST")
    config.set_max_epochs(2)
    config.set_max_steps_per_epoch(3)
    config.set_backend("kerasish")
    assert (config.floatx(), config.epsilon(), config.image_data_format()) == ("float64", 1e-3, "channels_first")
    assert (config.max_epochs(), config.max_steps_per_epoch()) == (2, 3)
    assert engine_config.standardize_data_format(None) == "channels_first"


@pytest.mark.parametrize("name", ["interactive_logging", "traceback_filtering"])
def test_flags(name):
    getattr(config, f"disable_{name}")()
    assert getattr(config, f"is_{name}_enabled")() is False
    getattr(config, f"enable_{name}")()
    assert getattr(config, f"is_{name}_enabled")() is True


def test_flash_attention():
    config.disable_flash_attention()
    assert config.is_flash_attention_enabled() is False
    config.enable_flash_attention()
    assert config.is_flash_attention_enabled() is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: config.set_floatx("int8"), "set_floatx: the dtype must be one of bfloat16, .*Received: value='int8'"),
        (lambda: config.set_epsilon(-1), "set_epsilon: epsilon must be a positive finite number. Received: value=-1"),
        (lambda: config.set_epsilon("x"), "set_epsilon: .*Received: value='x'"),
        (lambda: config.set_epsilon(float("inf")), "set_epsilon: .*Received: value=inf"),
        (lambda: config.set_image_data_format("nhwc"), "set_image_data_format: .*Received: data_format='nhwc'"),
        (lambda: engine_config.standardize_data_format("x"), "data_format: .*Received: data_format='x'"),
        (lambda: config.set_backend("jax"), "set_backend: the only backend is 'kerasish'. Received: backend='jax'"),
        (lambda: config.set_max_epochs(0), "set_max_epochs: the limit must be a positive integer or None"),
        (lambda: config.set_max_steps_per_epoch(1.5), "set_max_steps_per_epoch: .*Received: 1.5"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_home(monkeypatch, tmp_path):
    monkeypatch.setenv("KERASISH_HOME", str(tmp_path / "cache"))
    assert engine_config.home() == tmp_path / "cache"
    monkeypatch.delenv("KERASISH_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert engine_config.home() == tmp_path / ".kerasish"
    monkeypatch.setattr(engine_config.os, "access", lambda *a: False)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: "/tmp")
    assert str(engine_config.home()) == "/tmp/.kerasish"


@pytest.mark.parametrize(("value", "prints"), [("3", "3"), ("x", "must be a positive integer. Received: 'x'")])
def test_limit_from_the_environment(monkeypatch, value, prints):
    monkeypatch.setenv("KERASISH_MAX_EPOCHS", value)
    code = "from kerasish.engine import config; print(config.max_epochs())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert prints in done.stdout + done.stderr
