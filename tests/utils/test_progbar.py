"""Progbar: what it shows on a terminal, in a notebook and in a log, and that it is silent when asked."""

import io
import re
import sys
import types

import pytest

from kerasish import config
from kerasish.utils import Progbar, messages
from kerasish.utils import progbar as module
from kerasish.utils.messages import print_msg


class Tty(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = types.SimpleNamespace(value=100.0)
    monkeypatch.setattr(module.time, "perf_counter", lambda: now.value)
    return now


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 80 columns."""
    out = Tty()
    # pytest puts its own sys.stdout back between fixture and test, so the modules get a `sys` of their own
    for user in (module, messages):
        monkeypatch.setattr(user, "sys", types.SimpleNamespace(stdout=out, modules={}))
    out.columns = 80
    monkeypatch.setattr(module, "_columns", lambda: out.columns)
    return out


def plain(text):
    return re.sub(r"\x1b\[\d*m", "", text)


def drawings(out):
    """The drawings without colours, as a terminal shows them one after the other."""
    return [line.rstrip() for line in plain(out.getvalue()).split("\r")[1:]]


def test_bar_on_a_terminal(terminal, clock):
    bar = Progbar(4, width=8, stateless_metrics=["m"])
    for step in range(1, 5):
        clock.value += 2.0
        bar.update(step, [("loss", 1.0 / step), ("m", step)])
    assert drawings(terminal) == [
        "1/4 ━━━━━━━━ 6s 2s/step - loss: 1.0000 - m: 1.0000",
        "2/4 ━━━━━━━━ 4s 2s/step - loss: 0.5000 - m: 1.5000",
        "3/4 ━━━━━━━━ 2s 2s/step - loss: 0.3333 - m: 2.0000",
        "4/4 ━━━━━━━━ 8s 2s/step - loss: 0.2500 - m: 4.0000",
    ]
    assert terminal.getvalue().count("\n") == 1
    green = re.findall(r"\x1b\[32m(━+)", terminal.getvalue())
    assert [len(g) for g in green] == [2, 4, 6, 8]


def test_a_shorter_line_covers_the_longer_one_before(terminal, clock):
    bar = Progbar(2, width=4, stateful_metrics=["note"])
    bar.update(1, [("note", "long text")])
    clock.value += 1
    bar._values.clear()
    bar.update(2)
    first, second = plain(terminal.getvalue()).split("\r")[1:]
    assert len(second.rstrip("\n")) >= len(first)


def test_the_interval_limits_drawing(terminal, clock):
    bar = Progbar(100, interval=1.0)
    for step in range(1, 100):
        clock.value += 0.25
        bar.update(step)
    assert len(drawings(terminal)) == 25
    assert not bar.due()
    clock.value += 1
    assert bar.due()


def test_a_line_fits_the_terminal(terminal, clock):
    for columns in (79, 60, 40, 20, 5):
        terminal.columns = columns
        terminal.truncate(0)
        bar = Progbar(1000, width=30)
        bar.update(10, [("accuracy", 0.5), ("loss", 0.25), ("val_accuracy", 0.125)])
        (line,) = drawings(terminal)
        assert len(line) < max(columns, 14)
        assert line.startswith("  10/1000 ")


def test_unknown_target(terminal, clock):
    bar = Progbar(None)
    clock.value += 3
    bar.update(3, [("loss", 0.0001)])
    assert drawings(terminal) == ["      3/Unknown 3s 1s/step - loss: 1.0000e-04"]
    bar.update(3, finalize=True)
    assert terminal.getvalue().endswith("\n")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2.0, "2s/step"),
        (0.5, "500ms/step"),
        (0.0005, "500us/step"),
    ],
)
def test_pace(terminal, clock, seconds, text):
    bar = Progbar(10)
    clock.value += seconds
    bar.update(1)
    assert text in drawings(terminal)[0]


@pytest.mark.parametrize(("steps", "text"), [(31, " 30s "), (62, " 1:01 "), (3602, " 1:00:01 ")])
def test_time_that_remains(terminal, clock, steps, text):
    bar = Progbar(steps)
    clock.value += 1
    bar.update(1)
    assert text in drawings(terminal)[0]


def test_the_first_step_does_not_count_for_the_pace(terminal, clock):
    bar = Progbar(10)
    clock.value += 50
    bar.update(1)
    clock.value += 2
    bar.update(2)
    assert " 16s 2s/step" in drawings(terminal)[1]


def test_a_notebook_gets_the_bar(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    Progbar(2).update(1)
    assert capsys.readouterr().out.startswith("\r")


def test_one_line_at_the_end_in_a_log(capsys):
    for verbose in (1, 2):
        bar = Progbar(12, verbose=verbose)
        for step in range(1, 13):
            bar.update(step, [("loss", 0.5)], finalize=False)
        assert capsys.readouterr().out == ""
        bar.update(12, [("loss", 0.25)], finalize=True)
        assert re.fullmatch(r"12/12 - 0s - \d+us/step - loss: 0.2500\n", capsys.readouterr().out)


def test_silence_does_no_work(monkeypatch, capsys):
    bar = Progbar(3, verbose=0)
    monkeypatch.setattr(module, "print_msg", None)
    monkeypatch.setattr(module.time, "perf_counter", None)
    bar.update(1, [("loss", object())])
    bar.add(2)
    assert not bar.due()


def test_add_counts_on(capsys):
    bar = Progbar(5, verbose=2, unit_name="file")
    bar.add(2, [("loss", 1.0)])
    bar.add(3, [("loss", 2.0)])
    assert re.match(r"5/5 - 0s - .*/file - loss: 2.0000\n", capsys.readouterr().out)


def test_both_kinds_of_metrics():
    with pytest.raises(ValueError, match="progbar: only one of stateful_metrics and stateless_metrics can be given"):
        Progbar(1, stateful_metrics=["a"], stateless_metrics=["b"])


def test_messages_to_the_logger(caplog, capsys):
    config.disable_interactive_logging()
    try:
        with caplog.at_level("INFO", logger="kerasish"):
            print_msg("hello")
            Progbar(1).update(1, [("loss", 0.5)])
    finally:
        config.enable_interactive_logging()
    assert capsys.readouterr().out == ""
    assert [m.split(" - ")[-1] for m in caplog.messages] == ["hello", "loss: 0.5000"]


def test_a_terminal_with_a_poor_encoding(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    print_msg("━━ é…")
    sys.stdout.flush()
    assert raw.getvalue() == b"== ...\n"
