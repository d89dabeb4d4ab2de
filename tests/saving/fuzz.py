"""Mutated files for every loader: each gives a model or a BadFileError, and nothing else, within a bounded time.

    python -m tests.saving.fuzz --inputs 300 --seed 0        # that many for each loader
    python -m tests.saving.fuzz --seconds 3600

A loader runs in a process of its own, so that a crash or a hang is noticed and the search goes on behind it.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import kerasish as keras
from kerasish.saving import BadFileError
from kerasish.saving.checkpoint import read_checkpoint, write_checkpoint

from . import hostile

SECONDS_FOR_ONE = 20


def corpus(folder: Path) -> dict[str, dict[str, bytes]]:
    """Loader -> names and contents of good files."""
    x = keras.Input((4, 6), name="given")
    y = keras.ops.relu(x[:, 1:] * 2.0)
    y = keras.layers.Conv1D(3, 2)(y)
    inner = keras.Sequential([keras.Input((2, 3)), keras.layers.BatchNormalization(), keras.layers.Dense(2)])
    big = keras.Model(x, keras.layers.Flatten()(inner(y)))
    big.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 9)), "mse", metrics=["mae"])
    big.train_on_batch(np.ones((2, 4, 6)), np.ones((2, 4)))
    small = hostile.model()
    number, word = keras.Input((3,), dtype="int64"), keras.Input((), dtype="string")
    layers: list[Any] = [
        keras.layers.IntegerLookup(output_mode="tf_idf", max_tokens=9),
        keras.layers.Discretization(num_bins=3),
        keras.layers.StringLookup(mask_token="", num_oov_indices=2),
        keras.layers.TextVectorization(output_mode="count"),
    ]  # fmt: skip
    for layer, data in zip(layers, (np.arange(6).reshape(2, 3), np.arange(9.0), ["a", "b"], ["a b", "\u00e9 a"])):
        layer.adapt(data)
    crossed = keras.layers.Hashing(5, salt=3)(number)
    words = keras.Model([number, word], [layers[0](number), layers[1](crossed), layers[2](word), layers[3](word)])
    for name, model in (("big", big), ("small", small), ("words", words)):
        model.save(folder / f"{name}.keras")
    small.save_weights(folder / "m.weights.h5")
    small.save_weights(folder / "m.safetensors")
    small.save_weights(folder / "s.weights.json", max_shard_size=64 / 1024**3)
    with h5py.File(folder / "old.h5", "w") as f:
        group = f.create_group("model_weights")
        group.attrs["layer_names"] = [b"a"]
        a = group.create_group("a")
        a.attrs["weight_names"] = [b"k", b"l"]
        a["k"], a["l"] = np.ones((4, 3), "f4"), np.ones(3, "f4")
        dense = {"class_name": "Dense", "config": {"name": "a", "units": 3, "batch_input_shape": [None, 4]}}
        f.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"name": "s", "layers": [dense]}})
        settings = {"class_name": "SGD", "config": {"lr": 0.1, "momentum": 0.9}}
        f.attrs["training_config"] = json.dumps({"loss": "mse", "optimizer_config": settings})
        slots = f.create_group("optimizer_weights")
        slots.attrs["weight_names"] = [b"i", b"m", b"n"]
        slots["i"], slots["m"], slots["n"] = np.int64(3), np.ones((4, 3), "f4"), np.ones(3, "f4")
    state = {"epoch": 3, "logs": {"loss": [0.5, (1, "x")]}, "random": np.arange(9)}
    write_checkpoint(str(folder / "c.h5"), small.variables, state)
    golden = Path(__file__).with_name("golden")
    real = {f"{p.parent.name}-{p.name}": p.read_bytes() for p in sorted(golden.glob("*/mlp.h5"))}
    read = lambda *names: {n: (folder / n).read_bytes() for n in names}  # noqa: E731
    members = {}
    for name in ("big", "small", "words"):
        with zipfile.ZipFile(folder / f"{name}.keras") as z:
            members[name] = {n: z.read(n) for n in z.namelist()}
    return {
        "archive": read("big.keras", "small.keras", "words.keras"),
        "config": {n: json.dumps({k: v.decode("latin1") for k, v in m.items()}).encode() for n, m in members.items()},
        "assets": {"words": json.dumps({k: v.decode("latin1") for k, v in members["words"].items()}).encode()},
        "weights": read("m.weights.h5"),
        "safetensors": read("m.safetensors"),
        "index": read("s.weights.json"),
        "legacy": {**read("old.h5"), **real},
        "checkpoint": read("c.h5"),
    }


def flip(data: bytes, rng: random.Random) -> bytes:
    """Bytes changed, cut, doubled or filled with interesting numbers."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(out) + 1) if out else 0
        kind = rng.randrange(6)
        if kind == 0 and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(out):
            out[at] = rng.randrange(256)
        elif kind == 2:
            size = rng.choice((1, 2, 4, 8))
            value = rng.choice((0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 2**64 - 1)) & (2 ** (8 * size) - 1)
            out[at : at + size] = value.to_bytes(size, "little")
        elif kind == 3:
            del out[at : at + rng.choice((1, 8, 64, 1024))]
        elif kind == 4:
            piece = out[at : at + rng.choice((1, 8, 64))]
            out[at:at] = piece
        else:
            other = rng.randrange(len(out) + 1)
            out[at : at + 16] = out[other : other + 16]
    return bytes(out)


STRANGE = [
    None, True, -1, 0, 1, 3, 2**31, 2**62, 0.5, -1.5, float("inf"), "", "x", "relu", "Dense", "/etc/passwd", "http://x",
    "../x", "os.system", [], {}, [[]], [None], {"class_name": "Dense", "config": {}}, ["given", 0, 0], "a" * 1000,
    {"class_name": "__lambda__", "config": {"value": "x"}}, {"class_name": "function", "config": "eval"},
]  # fmt: skip


def rewrite(value: Any, rng: random.Random, pool: list) -> Any:
    """A JSON value with some parts replaced by strange ones or by other parts of it."""
    if rng.random() < 0.004:
        return rng.choice(STRANGE) if rng.random() < 0.5 else rng.choice(pool)
    if isinstance(value, dict):
        out = {k: rewrite(v, rng, pool) for k, v in value.items() if rng.random() > 0.004}
        return {rng.choice(list(out)) + "_" if rng.random() < 0.003 else k: v for k, v in out.items()}
    if isinstance(value, list):
        return [rewrite(v, rng, pool) for v in value if rng.random() > 0.005]
    return value


def parts(value: Any) -> list:
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(p for v in below for p in parts(v))]


def mutate(loader: str, data: bytes, rng: random.Random) -> bytes:
    if loader == "config":
        members = {k: v.encode("latin1") for k, v in json.loads(data).items()}
        config = json.loads(members["config.json"])
        changed = rewrite(config, rng, parts(config))
        return hostile.pack({**members, "config.json": json.dumps(changed).encode()})
    if loader == "assets":
        members = {k: v.encode("latin1") for k, v in json.loads(data).items()}
        name = rng.choice(sorted(k for k in members if k.startswith("assets/")))
        return hostile.pack({**members, name: flip(members[name], rng)})
    if loader == "index" and rng.random() < 0.5:
        value = json.loads(data)
        return json.dumps(rewrite(value, rng, parts(value))).encode()
    return flip(data, rng)


def load(loader: str, path: Path) -> None:
    if loader in ("archive", "config", "assets", "legacy"):
        keras.saving.load_model(path)
    else:
        model = hostile.model()
        before = model.get_weights()
        try:
            if loader == "checkpoint":
                read_checkpoint(str(path), model.variables)
            else:
                model.load_weights(path)
        except BadFileError:
            assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights())), "the model has changed"
            raise


SUFFIX = {
    "archive": "f.keras", "config": "f.keras", "assets": "f.keras", "weights": "f.weights.h5",
    "safetensors": "f.safetensors", "index": "s.weights.json", "legacy": "f.h5", "checkpoint": "f.h5",
}  # fmt: skip


def child(loader: str, folder: Path, seed: int, inputs: int, seconds: float) -> None:
    """Runs inputs and prints what came of them; says before each which one it is."""
    warnings.simplefilter("ignore")
    limit = 4 << 30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    files = corpus(folder)[loader]
    end = time.monotonic() + seconds
    for k in range(seed, seed + inputs):
        if time.monotonic() > end:
            break
        print("input", k, flush=True)
        rng = random.Random(f"{loader} {k}")
        name = rng.choice(sorted(files))
        path = folder / SUFFIX[loader]
        path.write_bytes(mutate(loader, files[name], rng))
        signal.alarm(SECONDS_FOR_ONE)
        try:
            load(loader, path)
            print("loaded", flush=True)
        except BadFileError as error:
            assert "MemoryError" not in str(error), error
            print("refused", flush=True)
        signal.alarm(0)


def run(loader: str, seed: int, inputs: int, seconds: float) -> tuple[int, int, list[str]]:
    """(inputs run, files loaded, failures)."""
    total = loaded = 0
    failures = []
    end = time.monotonic() + seconds
    first, last = seed, seed + inputs
    while first < last and time.monotonic() < end:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "tests.saving.fuzz", "--child", loader, "--folder", folder]
            command += ["--seed", str(first), "--inputs", str(last - first), "--seconds", str(end - time.monotonic())]
            done = subprocess.run(command, capture_output=True, text=True)
        lines = done.stdout.split("\n")
        numbers = [int(line.split()[1]) for line in lines if line.startswith("input ")]
        total += len(numbers)
        loaded += lines.count("loaded")
        if done.returncode == 0:
            break
        failures.append(f"{loader}, input {numbers[-1] if numbers else '?'}: {done.returncode}\n{done.stderr[-2000:]}")
        if not numbers:
            break
        first = numbers[-1] + 1
    return total, loaded, failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--inputs", type=int, default=10**9, help="for each loader")
    parser.add_argument("--seconds", type=float, default=10**9, help="in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", choices=SUFFIX)
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    if args.child:
        try:
            child(args.child, args.folder, args.seed, args.inputs, args.seconds)
        except BaseException:
            traceback.print_exc()
            return 1
        return 0
    failures = []
    for loader in SUFFIX:
        total, loaded, failed = run(loader, args.seed, args.inputs, args.seconds / len(SUFFIX))
        print(
            f"{loader}: {total} inputs, {loaded} loaded, {total - loaded - len(failed)} refused, {len(failed)} failed"
        )
        failures += failed
    for failure in failures:
        print(failure)
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
