"""Files go between kerasish and other packages, which run in processes of their own: `make exchange PEERS="..."`.

A peer is NAME=PYTHON[,VARIABLE=VALUE...]: an interpreter and variables for it. `PEER` is the package (keras unless said
otherwise), `KERAS_BACKEND` its backend, `PYTHONPATH` may lead to an older Keras than the interpreter has. Two variables
are for the tests: `READS=no` for a peer that opens no `.keras` files of Keras 3, `LOSSES=0` for one whose own next
losses cannot be reproduced (Keras on the graphs of TensorFlow 1 read variables before or after they were written).

Without KERASISH_PEERS these tests are deselected; what the peers wrote once is under `golden/` and read in every run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("peer.py")
ROOT = PROGRAM.parents[2]

pytestmark = pytest.mark.exchange


@dataclass
class Peer:
    """One version of one package on one backend."""

    name: str
    python: str
    variables: dict[str, str]

    @classmethod
    def parse(cls, text: str) -> Peer:
        name, _, rest = text.partition("=")
        python, *variables = rest.split(",")
        if not python:
            raise pytest.UsageError(f"a peer is NAME=PYTHON[,VARIABLE=VALUE...], not {text!r}")
        return cls(name, python, dict(v.split("=", 1) for v in variables))

    def run(self, *arguments: str) -> list[dict]:
        """The lines that the program prints there."""
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "KERAS_BACKEND", "PEER")}
        environment.update({"TF_CPP_MIN_LOG_LEVEL": "3", **self.variables})
        command = [self.python, str(PROGRAM), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"file"')]


OURS = {"PEER": "kerasish", "PYTHONPATH": str(ROOT)}
PEERS = [Peer.parse(text) for text in os.environ.get("KERASISH_PEERS", "").split()]


def report(peer: Peer, way: str, lines: list[dict]) -> None:
    bad = [f"{line['file']}: {line['error']}" for line in lines if line["error"]]
    print(f"{peer.name}: {len(lines) - len(bad)} of {len(lines)} files {way}")
    assert lines and not bad, "\n\n".join(bad)


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kerasish")
    Peer("kerasish", sys.executable, OURS).run("write", str(folder))
    return folder


@pytest.mark.parametrize("peer", PEERS, ids=lambda p: p.name)
def test_we_open_what_they_write(peer, tmp_path):
    for line in peer.run("write", str(tmp_path)):
        if not line["built"]:
            print(f"{peer.name} does not write {line['file']}: {line['error'][:300]}")
    report(peer, "opened here", Peer("kerasish", sys.executable, OURS).run("read", str(tmp_path)))


@pytest.mark.parametrize("peer", [p for p in PEERS if p.variables.get("READS") != "no"], ids=lambda p: p.name)
def test_they_open_what_we_write(peer, mine):
    report(peer, "opened there", peer.run("read", str(mine)))
