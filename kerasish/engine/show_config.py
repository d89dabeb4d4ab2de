"""What kerasish found on this machine and chose: for bug reports and for reading benchmarks."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .._core import core
from ..version import __version__


def configuration() -> dict[str, Any]:
    """The facts that `show_config` prints.

    >>> from kerasish.engine.show_config import configuration
    >>> c = configuration()
    >>> c["isa"] in c["isas"]
    True
    """
    import platform  # it imports subprocess, which `import kerasish` does without

    return {
        "version": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "isa": core.isa(),
        "isas": core.isas(),
        "isa_rejected": core.isa_rejected(),
        "threads": core.num_threads(),
        "thread_limits": core.thread_limits(),
        "caches": core.caches(),
        "kernels": core.families(),
    }


def _size(n: int) -> str:
    return f"{n >> 20} MiB" if n >= 1 << 20 and n % (1 << 20) == 0 else f"{n / 1024:g} KiB"


def _threads(c: dict[str, Any]) -> str:
    limits = c["thread_limits"]
    why = [f"{limits['affinity']} CPUs to run on"]
    why.append(f"a cgroup quota of {limits['cgroup']}" if limits["cgroup"] else "no cgroup quota")
    text = os.environ.get("KERASISH_NUM_THREADS")
    refused = "" if limits["environment"] else ", which is not a positive number"
    why.append(f"KERASISH_NUM_THREADS={text}{refused}" if text else "KERASISH_NUM_THREADS not set")
    if c["threads"] != limits["automatic"]:
        why.append(f"set to {c['threads']} by the program")
    return f"{c['threads']} ({', '.join(why)})"


def show_config() -> None:
    """Prints the versions, the instruction set and the threads in use and why, the caches, and the kernels by family.

    >>> import kerasish as keras
    >>> keras.show_config()  # doctest: +ELLIPSIS
    kerasish ...
    """
    c = configuration()
    isa = f"{c['isa']} (available: {', '.join(c['isas'])})"
    if c["isa_rejected"]:
        isa += f"; KERASISH_ISA={c['isa_rejected']} names none of these"
    lines = {
        "runs on": f"Python {c['python']}, NumPy {c['numpy']}, {c['machine']}",
        "instruction set": isa,
        "threads": _threads(c),
        "caches": ", ".join(f"L{k + 1} {_size(n)}" for k, n in enumerate(c["caches"])),
        "kernels": ", ".join(f"{name} {n}" for name, n in sorted(c["kernels"].items())),
    }
    print(f"kerasish {c['version']}")
    for name, text in lines.items():
        print(f"  {name:16} {text}")
