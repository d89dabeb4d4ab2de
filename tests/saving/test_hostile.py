"""Damaged and hostile files are refused with an error that names file, member and rule; models stay as they were."""

import json
import os
import re
import subprocess
import sys
import textwrap
import zipfile

import h5py
import numpy as np
import pytest

import kerasish as keras
from kerasish.saving import BadFileError, Limits

from . import hostile

NAMES = [f"archive: {k}" for k in hostile.ARCHIVES]
NAMES += [f"config: {k}" for k in hostile.CONFIGS]
NAMES += [f"hdf5: {k}" for k in hostile.HDF5]


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("warm")
    hostile.model().save(folder / "m.keras")
    # Imports what loading needs, also for its errors, so that any other import is a finding.
    keras.saving.load_model(folder / "m.keras")
    files = hostile.every_bad_file(tmp_path_factory.mktemp("good"))
    (folder / "m.keras").write_bytes(files["config: unknown class"][0])
    with pytest.raises(BadFileError):
        keras.saving.load_model(folder / "m.keras")
    return files


watching = []  # the list that events go to, while a test watches
WATCHED = {"import", "exec", "os.system", "subprocess.Popen", "socket.connect", "open"}


@pytest.fixture(scope="module")
def audited():
    """An audit hook stays for the process and is called some hundred times by each later test: there is only one."""

    def hook(event, args):
        if watching and event in WATCHED:
            watching[-1].append((event, str(args[0])))

    sys.addaudithook(hook)


@pytest.fixture
def watch(audited):
    """What the process does while a file is loaded: imports, programs, files and sockets that are opened."""
    seen = []
    watching.append(seen)
    yield seen
    watching.clear()


OF_THE_WHOLE = ("archive: empty", "archive: not a zip", "archive: hdf5 instead")  # which have no members


@pytest.mark.parametrize("name", NAMES)
def test_load_model_refuses(name, bad_files, tmp_path, watch):
    content, words = bad_files[name]
    path = tmp_path / "bad.keras"
    path.write_bytes(content)
    watch.clear()
    with pytest.raises(BadFileError, match=words) as caught:
        keras.saving.load_model(path)
    assert str(caught.value).startswith("bad.keras: ")
    error = caught.value
    assert error.file == "bad.keras" and error.expected and error.received, (error.expected, error.received)
    assert error.member or name in OF_THE_WHOLE, name
    done = list(watch)
    assert ("open", str(path)) in done, done
    assert not [d for d in done if d[0] != "open"], done
    opened = [p for e, p in done if e == "open" and not p.startswith((str(tmp_path), "/tmp", sys.prefix, "/usr", "<"))]
    assert not [p for p in opened if "kerasish" not in p and not p.isdigit()], opened
    assert os.listdir(tmp_path) == ["bad.keras"]


# What concerns the weights; `load_weights` does not read the config.
OF_WEIGHTS = [n for n in NAMES if not n.startswith("config") and n != "archive: checksum of the config"]


@pytest.mark.parametrize("name", OF_WEIGHTS)
def test_load_weights_refuses_and_leaves_the_model(name, bad_files, tmp_path):
    content, words = bad_files[name]
    path = tmp_path / "bad.keras"
    path.write_bytes(content)
    model = hostile.model()
    before = model.get_weights()
    with pytest.raises(BadFileError, match=words):
        model.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


@pytest.mark.parametrize("part", range(50))
def test_truncated_at_every_fiftieth(part, tmp_path):
    data, members = hostile.good(tmp_path)
    cut = tmp_path / "cut.keras"
    cut.write_bytes(data[: len(data) * part // 50])
    with pytest.raises(BadFileError, match=r"cut.keras: "):
        keras.saving.load_model(cut)
    content = members[hostile.WEIGHTS]
    cut = tmp_path / "cut.weights.h5"
    cut.write_bytes(content[: len(content) * part // 50])
    model = hostile.model()
    before = model.get_weights()
    with pytest.raises(BadFileError, match=r"cut.weights.h5: "):
        model.load_weights(cut)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


def test_no_memory_above_the_cap(bad_files, tmp_path):
    """In a process that may take 1.5 GB more than it has, every file gives its error and not a MemoryError."""
    for k, name in enumerate(bad_files):
        (tmp_path / f"{k}.keras").write_bytes(bad_files[name][0])
    program = """
        import resource, sys, kerasish as keras
        keras.models
        now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + 1_500_000_000,) * 2)
        for k in range(int(sys.argv[2])):
            try:
                keras.saving.load_model(f"{sys.argv[1]}/{k}.keras")
            except keras.saving.BadFileError as error:
                assert "MemoryError" not in str(error), (k, error)
            else:
                raise SystemExit(f"{k} was loaded")
        # Not getrusage: its maximum is inherited from the process that ran this one.
        print("done", next(s.split()[1] for s in open("/proc/self/status") if s.startswith("VmHWM")))
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path), str(len(bad_files))]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "KERASISH_NUM_THREADS": "1"})
    assert done.returncode == 0 and done.stdout.startswith("done"), done.stdout + done.stderr
    assert int(done.stdout.split()[1]) < 700_000  # kB


def test_limits_can_be_raised_and_lowered(tmp_path):
    hostile.model().save(tmp_path / "m.keras")
    keras.saving.load_model(tmp_path / "m.keras", limits=Limits(config_bytes=10**9))
    for limit, words in (
        ({"config_bytes": 100}, "the member has at most 100 bytes"),
        ({"config_depth": 5}, "JSON is nested at most 5 deep"),
        ({"weights_bytes": 100}, "the member has at most 100 bytes"),
        ({"members": 2}, "an archive has at most 2 members"),
        ({"members": 5}, "a file has at most 5 objects"),
        ({"config_integer": 2}, "an integer is at most 2"),
    ):
        with pytest.raises(BadFileError, match=words):
            keras.saving.load_model(tmp_path / "m.keras", limits=Limits(**limit))
    with pytest.raises(BadFileError, match="the member has at most 100 bytes"):
        hostile.model().load_weights(tmp_path / "m.keras", limits=Limits(weights_bytes=100))


def test_the_caller_may_supply_a_lambda(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x * 2)])
    with pytest.warns(UserWarning, match="a lambda has no name"):
        model.save(tmp_path / "m.keras")
    with pytest.raises(BadFileError, match="Supply the function yourself"):
        keras.saving.load_model(tmp_path / "m.keras", safe_mode=False)
    other = keras.saving.load_model(tmp_path / "m.keras", custom_objects={"<lambda>": lambda x: x * 3})
    assert other(np.ones((1, 2), "float32")).numpy().tolist() == [[3, 3]]


def test_a_custom_class_needs_the_caller(tmp_path):
    class Mine(keras.layers.Dense):
        pass

    keras.Sequential([keras.Input((2,)), Mine(3)]).save(tmp_path / "m.keras")
    with pytest.raises(BadFileError, match=r"unknown class 'Mine'.*pass custom_objects=\{'Mine': ...\}"):
        keras.saving.load_model(tmp_path / "m.keras")
    assert type(keras.saving.load_model(tmp_path / "m.keras", custom_objects={"Mine": Mine}).layers[0]) is Mine


@pytest.mark.parametrize(
    "module, name", [("keras.src.backend.torch.optimizers.torch_adam", "Adam"), ("keras.src.optimizers.adam", "Adam")]
)
def test_private_optimizers_of_a_backend(module, name, tmp_path):
    model = hostile.model()
    model.compile("adam", "mse")
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as z:
        members = {n: z.read(n) for n in z.namelist()}
    config = json.loads(members["config.json"])
    config["compile_config"]["optimizer"].update(module=module, registered_name=name)
    (tmp_path / "m.keras").write_bytes(hostile.pack({**members, "config.json": json.dumps(config).encode()}))
    assert type(keras.saving.load_model(tmp_path / "m.keras").optimizer) is keras.optimizers.Adam


def test_a_failing_hook_leaves_the_model(tmp_path):
    class Broken(keras.layers.Dense):
        fail = False

        def load_own_variables(self, store):
            super().load_own_variables(store)
            if self.fail:
                raise RuntimeError("half way")

    def make():
        return keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), Broken(3, name="own")])

    make().save_weights(tmp_path / "w.weights.h5")
    model = make()
    before = model.get_weights()
    Broken.fail = True
    with pytest.raises(BadFileError, match="layers/broken: Broken 'own' takes its variables: RuntimeError: half way"):
        model.load_weights(tmp_path / "w.weights.h5")
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


BAD_INDEX = {
    "not json": ("{", "the text is JSON"),
    "no map": ("[]", "the index has an object 'weight_map'"),
    "a path": ('{"weight_map": {"/vars": "../m_00000.weights.h5"}}', "a shard is called m_00000.weights.h5"),
    "another name": ('{"weight_map": {"/vars": "passwd"}}', "a shard is called m_00000.weights.h5"),
    "a number": ('{"weight_map": {"/vars": 3}}', "a shard is called m_00000.weights.h5"),
    "no shard": ('{"weight_map": {"/vars": "m_00009.weights.h5"}}', "the shard is a file beside the index"),
    "a link": ('{"weight_map": {"/vars": "m_00008.weights.h5"}}', "the shard is a file beside the index"),
}


@pytest.mark.parametrize("name", BAD_INDEX)
def test_bad_index_of_shards(name, tmp_path):
    text, words = BAD_INDEX[name]
    model = hostile.model()
    model.save_weights(tmp_path / "m.weights.json", max_shard_size=1)
    os.symlink(tmp_path / "m_00000.weights.h5", tmp_path / "m_00008.weights.h5")
    (tmp_path / "m.weights.json").write_text(text)
    with pytest.raises(BadFileError, match=re.escape(words)):
        model.load_weights(tmp_path / "m.weights.json")


def _header(entries):
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text


BAD_SAFETENSORS = {
    "empty": (b"", "the header lies in the file"),
    "long header": ((1 << 60).to_bytes(8, "little") + b"{}", "the header lies in the file"),
    "list": (_header([]), "the header is an object"),
    "no offsets": (_header({"a": {"dtype": "F32"}}), "an entry has dtype, shape and data_offsets"),
    "dtype": (_header({"a": {"dtype": "O", "shape": [], "data_offsets": [0, 8]}}), "a dtype is one of"),
    "shape": (_header({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}), "a shape is a list of sizes"),
    "hole": (
        _header({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}) + b"x" * 8,
        "the array begins at 0",
    ),
    "size": (_header({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 4]}}) + b"x" * 4, "and has 36 bytes"),
    "rest": (_header({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}) + b"x" * 9, "the arrays fill the"),
    "huge": (
        _header({"a": {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4 * 10**9]}}) + b"x" * 4,
        "an integer is at most|and has",
    ),
}


@pytest.mark.parametrize("name", BAD_SAFETENSORS)
def test_bad_safetensors(name, tmp_path):
    content, words = BAD_SAFETENSORS[name]
    (tmp_path / "m.safetensors").write_bytes(content)
    model = hostile.model()
    with pytest.raises(BadFileError, match=words):
        model.load_weights(tmp_path / "m.safetensors")


BAD_CHECKPOINTS = {
    "no state": (lambda f: f.__delitem__("state"), "state: the file is a checkpoint"),
    "state of a list": (
        lambda f: (f.__delitem__("state"), f.create_dataset("state/vars/0", data=np.frombuffer(b"[]", "uint8"))),
        "state: the state can be read",
    ),
    "a key of its own": (
        lambda f: f["variables/vars"].move("1", "x"),
        r"variables/1: a checkpoint has an array for every variable. Received: arrays=\['0', '2', '3', 'x'\]",
    ),
    "an array that is not there": (lambda f: f.__delitem__("arrays"), "state: the state can be read, but IndexError"),
}


@pytest.mark.parametrize("name", BAD_CHECKPOINTS)
def test_bad_checkpoints(name, tmp_path):
    from kerasish.saving.checkpoint import read_checkpoint, write_checkpoint

    change, words = BAD_CHECKPOINTS[name]
    model, path = hostile.model(), str(tmp_path / "c.h5")
    write_checkpoint(path, model.variables, {"epoch": 1, "random": np.arange(3)})
    assert read_checkpoint(path, model.variables)["epoch"] == 1
    with h5py.File(path, "a") as f:
        change(f)
    with pytest.raises(BadFileError, match=f"c.h5: {words}"):
        read_checkpoint(path, model.variables)
