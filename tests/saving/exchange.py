"""Files go between kerasish and other packages that run in processes of their own.

    python -m tests.saving.exchange NAME=PYTHON[,VARIABLE=VALUE...] ...

A peer is a name, an interpreter, and variables for its environment: `PEER` (the package, keras by default),
`KERAS_BACKEND`, `PYTHONPATH` of an older Keras beside the interpreter's own packages. `make exchange PEERS="..."` runs
this; without peers there is nothing to run. Writes a table of what was exchanged, and ends with 1 if anything failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(__file__).with_name("peer.py")
ROOT = PROGRAM.parents[2]


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
            raise SystemExit(f"a peer is NAME=PYTHON[,VARIABLE=VALUE...], not {text!r}")
        return cls(name, python, dict(v.split("=", 1) for v in variables))

    def run(self, *arguments: str) -> list[dict]:
        """The lines that the program prints there."""
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "KERAS_BACKEND", "PEER")}
        environment.update(self.variables, TF_CPP_MIN_LOG_LEVEL="3")
        command = [self.python, str(PROGRAM), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"file"')]
        if done.returncode:
            lines.append({"file": arguments[0], "error": done.stderr[-3000:]})
        return lines


def ours() -> Peer:
    return Peer("kerasish", sys.executable, {"PEER": "kerasish", "PYTHONPATH": str(ROOT)})


def exchange(peer: Peer, folder: Path, reads: bool) -> tuple[list[dict], list[dict]]:
    """What the peer wrote and kerasish read, and the other way round: a line for each file."""
    theirs, mine = folder / peer.name, folder / "kerasish"
    theirs.mkdir(parents=True, exist_ok=True)
    written = peer.run("write", str(theirs))
    for line in written:
        if not line.get("built", False):
            print(f"{peer.name}: not built: {line['file']}: {line['error'][-700:]}")
    there = ours().run("read", str(theirs))
    back = peer.run("read", str(mine)) if reads else []
    return there, back


def main(arguments: list[str]) -> int:
    peers = [Peer.parse(a) for a in arguments]
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(os.environ.get("KERASISH_EXCHANGE_FOLDER", temporary))
        (folder / "kerasish").mkdir(parents=True, exist_ok=True)
        ours().run("write", str(folder / "kerasish"))
        for peer in peers:
            reads = "READS" not in peer.variables  # READS=no: a peer that reads no .keras files
            there, back = exchange(peer, folder, reads)
            for way, lines in (("read here", there), ("read there", back)):
                bad = [line for line in lines if line["error"]]
                print(f"{peer.name}: {len(lines) - len(bad)} of {len(lines)} files {way}", flush=True)
                for line in bad:
                    print(f"  {line['file']}: {line['error']}\n")
                failed += len(bad)
            failed += not there
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
