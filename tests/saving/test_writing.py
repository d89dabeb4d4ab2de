"""Arguments of saving and loading, and writes that fail: the older file stays whole."""

import errno
import os
import subprocess
import sys
import textwrap

import pytest

import kerasish as keras

from .nets import batch, net, trained

L = keras.layers


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m, p: m.save(p / "m.h5"), r"HDF5 files of models are read and not written; use the extension .keras"),
        (lambda m, p: m.save(p / "m.txt"), r"save_model: a file name ends in .keras"),
        (lambda m, p: m.save(p / "m.keras", zipped=False), "with zipped=False the path is a folder's"),
        (lambda m, p: m.save(p / "m.keras", nonsense=1), r"save_model: unknown arguments. Received: nonsense=1"),
        (lambda m, p: m.save_weights(p / "m.h5"), r"the file name ends in .weights.h5 or .safetensors"),
        (lambda m, p: m.save_weights(p / "m.h6", max_shard_size=1), r"ends in .weights.json where max_shard_size"),
        (
            lambda m, p: m.save_weights(p / "m.weights.json", max_shard_size=0),
            "max_shard_size is a positive number of GiB. Received: max_shard_size=0",
        ),
        (lambda m, p: m.load_weights(p / "x.weights.h5", nonsense=1), "load_weights: unknown arguments"),
        (lambda m, p: keras.saving.Limits(members=0), r"Limits: members is a positive integer. Received: members=0"),
    ],
)
def test_arguments(call, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        call(net(), tmp_path)
    assert not os.listdir(tmp_path)


def test_missing_and_unknown_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"load_model: there is no file"):
        keras.saving.load_model(tmp_path / "no.keras")
    with pytest.raises(FileNotFoundError, match=r"load_weights: there is no file"):
        net().load_weights(tmp_path / "no.weights.h5")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(ValueError, match=r"load_model: the file name ends in .keras"):
        keras.saving.load_model(tmp_path / "a.txt")
    with pytest.raises(ValueError, match=r"load_weights: the file name ends in one of .weights.h5"):
        net().load_weights(tmp_path / "a.txt")


def test_an_unbuilt_model(tmp_path):
    model = keras.Sequential([L.Dense(2)])
    with pytest.raises(ValueError, match=r"save_weights: Sequential '.*' is not built"):
        model.save_weights(tmp_path / "w.weights.h5")
    net().save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(ValueError, match=r"load_weights: Sequential '.*' is not built"):
        model.load_weights(tmp_path / "w.weights.h5")


def test_overwrite_asks(tmp_path, monkeypatch):
    model = net()
    model.save(tmp_path / "m.keras")
    before = (tmp_path / "m.keras").read_bytes()
    monkeypatch.setattr("builtins.input", lambda prompt: "n")
    trained().save(tmp_path / "m.keras", overwrite=False)
    assert (tmp_path / "m.keras").read_bytes() == before
    monkeypatch.setattr("builtins.input", lambda prompt: "y")
    trained().save(tmp_path / "m.keras", overwrite=False)
    assert (tmp_path / "m.keras").read_bytes() != before


@pytest.mark.parametrize("name", ["m.keras", "w.weights.h5", "w.safetensors", "w.weights.json"])
def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch, name):
    model = trained()
    path = tmp_path / name

    def save():
        if name == "m.keras":
            model.save(path)
        else:
            model.save_weights(path, max_shard_size=1 if name.endswith("json") else None)

    save()
    before = {f: (tmp_path / f).read_bytes() for f in os.listdir(tmp_path)}
    model.train_on_batch(*batch(5))

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device"):
        save()
    monkeypatch.undo()
    assert {f: (tmp_path / f).read_bytes() for f in os.listdir(tmp_path)} == before


@pytest.mark.parametrize("name", ["m.keras", "w.weights.h5", "w.safetensors", "w.weights.json"])
def test_a_write_that_fails_half_way_leaves_the_old_file_whole(tmp_path, name):
    """No patches here: the system lets the process write 9000 bytes to a file and no more."""
    program = """
        import os, resource, signal, sys, kerasish as keras
        keras.utils.set_random_seed(0)
        big = keras.Sequential([keras.Input((40,)), keras.layers.Dense(90, name="body")])
        small = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="body")])
        path = sys.argv[1]
        def save(model):
            if path.endswith(".keras"):
                model.save(path)
            else:
                model.save_weights(path, max_shard_size=1 if path.endswith("json") else None)
        save(small)
        folder = os.path.dirname(path)
        read = lambda: {f: open(os.path.join(folder, f), "rb").read() for f in os.listdir(folder)}
        before = read()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
        try:
            save(big)
        except OSError as error:
            print(error)
        else:
            raise SystemExit("the file was written")
        assert read() == before, os.listdir(folder)
        print("done")
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "File too large" in done.stdout, done.stdout + done.stderr
    assert done.stdout.endswith("done\n")


def test_a_folder_that_may_not_be_written_to(tmp_path):
    """No patches here either: the process gives up what root may do, and the folder belongs to somebody else."""
    program = """
        import contextlib, os, shutil, tempfile, kerasish as keras
        folder = tempfile.mkdtemp()
        path = os.path.join(folder, "m.keras")
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        model.save(path)
        before = open(path, "rb").read()
        os.chmod(folder, 0o555)
        child = os.fork()
        if child == 0:
            with contextlib.suppress(PermissionError):  # not root to begin with
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            try:
                model.save(path)
            except PermissionError as error:
                print(error, flush=True)
                os._exit(0)
            os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert os.listdir(folder) == ["m.keras"] and open(path, "rb").read() == before
        os.chmod(folder, 0o755)
        shutil.rmtree(folder)
        raise SystemExit(code)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "save_model: Permission denied; the file '" in done.stdout
    assert "m.keras' cannot be written, an older one is unchanged" in done.stdout


def test_a_path_where_no_file_can_be(tmp_path):
    model = net()
    with pytest.raises(FileNotFoundError, match=r"save_model: No such file or directory; the file"):
        model.save(tmp_path / "nowhere" / "m.keras")
    (tmp_path / "d.keras").mkdir()
    with pytest.raises(IsADirectoryError, match=r"save_model: the path of a file is expected"):
        model.save(tmp_path / "d.keras")


def test_every_file_is_synced_before_and_its_folder_after_the_rename(tmp_path, monkeypatch):
    done = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda h: (done.append("folder" if os.path.isdir(f"/proc/self/fd/{h}") else "file"), sync(h))
    )
    monkeypatch.setattr(os, "replace", lambda a, b: (done.append("rename"), replace(a, b)))
    net().save(tmp_path / "m.keras")
    assert done == ["file", "rename", "folder"]
