"""load_data of every dataset on small files in the published formats; without a network."""

import gzip
import hashlib
import inspect
import io
import json
import pickle
import struct
import tarfile

import numpy as np
import pytest

from kerasish import config, datasets
from kerasish.datasets import cifar, files


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Empty cache folders of kerasish and of Keras, and downloads that come from a folder."""
    monkeypatch.setenv("KERASISH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "web").mkdir()
    web = (tmp_path / "web").as_uri() + "/"
    monkeypatch.setattr(files, "ORIGIN", web)
    for name in datasets.__all__:
        monkeypatch.setattr(getattr(datasets, name), "ORIGIN", web, raising=False)
    monkeypatch.setattr(cifar, "_ORIGIN", web)
    return tmp_path


def pin(monkeypatch, module, path, name="_SHA256", algorithm="sha256"):
    monkeypatch.setattr(module, name, hashlib.new(algorithm, path.read_bytes()).hexdigest())


def digits(path, n=5):
    arrays = {
        "x_train": np.random.randint(0, 256, (n, 28, 28)).astype("uint8"),
        "y_train": np.arange(n).astype("uint8"),
        "x_test": np.zeros((2, 28, 28), "uint8"),
        "y_test": np.zeros(2, "uint8"),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return arrays


# -- MNIST, and how files are found --------------------------------------------------------------------------------


def test_mnist_from_a_path(home):
    arrays = digits(home / "elsewhere" / "digits.npz")
    (x, y), (x_test, _) = datasets.mnist.load_data(home / "elsewhere" / "digits.npz")
    assert np.array_equal(x, arrays["x_train"])
    assert np.array_equal(y, arrays["y_train"])
    assert x.dtype == "uint8"
    assert x_test.shape == (2, 28, 28)


@pytest.mark.parametrize("folder", ["home/datasets", "keras/datasets", "web"])
def test_mnist_from_the_caches_or_the_web(home, monkeypatch, folder):
    digits(home / folder / "mnist.npz")
    pin(monkeypatch, datasets.mnist, home / folder / "mnist.npz")
    (x, _), _ = datasets.mnist.load_data()
    assert x.shape == (5, 28, 28)
    assert (home / "home/datasets/mnist.npz").exists() == (folder != "keras/datasets")


def test_a_damaged_file_in_a_cache_is_replaced(home, monkeypatch):
    digits(home / "web" / "mnist.npz", n=4)
    pin(monkeypatch, datasets.mnist, home / "web" / "mnist.npz")
    digits(home / "home/datasets/mnist.npz", n=3)
    digits(home / "keras/datasets/mnist.npz", n=2)
    assert len(datasets.mnist.load_data()[0][0]) == 4
    assert len(np.load(home / "keras/datasets/mnist.npz")["x_train"]) == 2


def test_mnist_errors(home):
    with pytest.raises(FileNotFoundError, match=r"datasets: the file does not exist. Received: path="):
        datasets.mnist.load_data(home / "nowhere.npz")
    with pytest.raises(OSError, match="get_file: the address cannot be reached"):
        datasets.mnist.load_data()
    np.savez(home / "other.npz", a=np.zeros(1))
    with pytest.raises(
        ValueError, match=r"datasets: the file must hold the arrays x_train, .* Received: holds=\['a'\]"
    ):
        datasets.mnist.load_data(home / "other.npz")
    (home / "text.npz").write_text("no archive")
    with pytest.raises(ValueError, match=r"datasets: the file must be an .npz archive"):
        datasets.mnist.load_data(home / "text.npz")


def test_the_right_hashes_are_pinned():
    """The values that are published with the files."""
    assert datasets.mnist._SHA256.startswith("731c5ac6")
    assert datasets.imdb._SHA256.startswith("69664113")
    assert datasets.reuters._SHA256.startswith("d6586e69")
    assert datasets.boston_housing._SHA256.startswith("f553886a")
    assert datasets.california_housing._SHA256.startswith("1a2e3a52")
    assert datasets.cifar10._SHA256.startswith("6d958be0")
    assert datasets.cifar100._SHA256.startswith("85cd44d0")


# -- Fashion-MNIST -------------------------------------------------------------------------------------------------


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def test_fashion_mnist(home):
    images, labels = np.random.randint(0, 256, (3, 28, 28)).astype("uint8"), np.array([7, 8, 9], "uint8")
    folder = home / "web"
    for kind, count in (("train", 3), ("t10k", 2)):
        (folder / f"{kind}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images[:count])))
        (folder / f"{kind}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels[:count])))
    (x, y), (x_test, y_test) = datasets.fashion_mnist.load_data()
    assert np.array_equal(x, images)
    assert y.tolist() == [7, 8, 9]
    assert x_test.shape == (2, 28, 28)
    assert y_test.tolist() == [7, 8]
    assert (home / "home/datasets/fashion-mnist/train-labels-idx1-ubyte.gz").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be an IDX file of bytes"),
        (b"\x00\x00\x0d\x01abcd", "must be an IDX file of bytes"),
        (b"\x00\x00\x08\x03\x00", "has another length than its header says"),
        (idx(np.zeros(5, "uint8"))[:-1], r"has another length than its header says. Received: .*shape=\(5,\)"),
    ],
)
def test_a_damaged_idx_file(home, content, message):
    path = home / "x.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match=f"fashion_mnist: the file {message}"):
        datasets.fashion_mnist.read_idx(path)


# -- CIFAR ---------------------------------------------------------------------------------------------------------


def archive(path, inner, members):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            data = pickle.dumps(content, protocol=2)
            info = tarfile.TarInfo(f"{inner}/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def images(n):
    return np.random.randint(0, 256, (n, 3072)).astype("uint8")


def test_cifar10(home, monkeypatch):
    parts = {f"data_batch_{i}": {b"data": images(2), b"labels": [i, i + 1]} for i in range(1, 6)}
    parts["test_batch"] = {b"data": images(3), b"labels": [1, 2, 3]}
    pin(monkeypatch, datasets.cifar10, archive(home / "web/cifar-10-python.tar.gz", "cifar-10-batches-py", parts))
    for _ in range(2):  # downloaded, then from the cache
        (x, y), (x_test, y_test) = datasets.cifar10.load_data()
        assert (x.shape, x.dtype, y.shape, y.dtype) == ((10, 32, 32, 3), "uint8", (10, 1), "uint8")
        assert y.ravel().tolist() == [1, 2, 2, 3, 3, 4, 4, 5, 5, 6]
        assert np.array_equal(x[2, :, :, 1].ravel(), parts["data_batch_2"][b"data"][0, 1024:2048])
        assert (x_test.shape, y_test.ravel().tolist()) == ((3, 32, 32, 3), [1, 2, 3])
    config.set_image_data_format("channels_first")
    try:
        assert datasets.cifar10.load_data()[0][0].shape == (10, 3, 32, 32)
    finally:
        config.set_image_data_format("channels_last")


def test_cifar100(home, monkeypatch):
    parts = {
        name: {b"data": images(n), b"fine_labels": list(range(90, 90 + n)), b"coarse_labels": list(range(n))}
        for name, n in (("train", 3), ("test", 2))
    }
    pin(monkeypatch, datasets.cifar100, archive(home / "web/cifar-100-python.tar.gz", "cifar-100-python", parts))
    (x, fine), _ = datasets.cifar100.load_data()
    _, (x_test, coarse) = datasets.cifar100.load_data("coarse")
    assert x.shape == (3, 32, 32, 3)
    assert fine.tolist() == [[90], [91], [92]]
    assert x_test.shape == (2, 32, 32, 3)
    assert coarse.tolist() == [[0], [1]]
    with pytest.raises(ValueError, match=r'cifar100: label_mode must be "fine" or "coarse". .*label_mode=.rough'):
        datasets.cifar100.load_data("rough")


def test_cifar_in_the_cache_of_keras(home):
    folder = home / "keras/datasets/cifar-100-python-target/cifar-100-python"
    folder.mkdir(parents=True)
    for name in ("train", "test"):
        (folder / name).write_bytes(pickle.dumps({b"data": images(1), b"fine_labels": [5]}, 2))
    assert datasets.cifar100.load_data()[0][1].tolist() == [[5]]
    (folder / "train").write_bytes(pickle.dumps({b"data": images(1)}, 2))
    with pytest.raises(
        ValueError, match="cifar: the file must hold images of 3072 bytes under `data` and labels under"
    ):
        datasets.cifar100.load_data()


# -- texts ---------------------------------------------------------------------------------------------------------


def ragged(n, seed=0):
    rng = np.random.RandomState(seed)
    x = np.empty(n, object)
    for i in range(n):
        x[i] = rng.randint(1, 1000, rng.randint(2, 20)).tolist()
    return x


TEXT_OPTIONS = [
    {},
    {"num_words": 100},
    {"num_words": 300, "skip_top": 20},
    {"maxlen": 10, "num_words": 500},
    {"start_char": None},
    {"start_char": None, "index_from": None},
    {"start_char": None, "index_from": 0, "oov_char": None, "num_words": 50},
    {"oov_char": None, "num_words": 200, "seed": 7},
]


@pytest.fixture
def imdb_file(home):
    path = home / "texts" / "imdb.npz"
    path.parent.mkdir()
    labels = np.arange(30) % 2
    np.savez(path, x_train=ragged(30), y_train=labels, x_test=ragged(20, 1), y_test=labels[:20])
    return path


@pytest.fixture
def reuters_file(home):
    path = home / "texts" / "reuters.npz"
    path.parent.mkdir(exist_ok=True)
    np.savez(path, x=ragged(40), y=np.arange(40) % 46)
    return path


def test_imdb(imdb_file):
    (x, y), (x_test, _y_test) = datasets.imdb.load_data(imdb_file, num_words=100)
    assert (len(x), len(x_test)) == (30, 20)
    assert x.dtype == object
    assert all(s[0] == 1 and max(s) < 100 for s in [*x, *x_test])
    assert sorted(y.tolist()) == [0] * 15 + [1] * 15


def test_reuters(reuters_file):
    (x, y), (x_test, _y_test) = datasets.reuters.load_data(reuters_file, test_split=0.25)
    assert (len(x), len(y), len(x_test)) == (30, 30, 10)
    assert len(datasets.reuters.get_label_names()) == 46


def test_word_indices(home, monkeypatch):
    for module, name in ((datasets.imdb, "imdb"), (datasets.reuters, "reuters")):
        path = home / "web" / f"{name}_word_index.json"
        path.write_text(json.dumps({"the": 1, name: 2}))
        pin(monkeypatch, module, path, "_INDEX_MD5", "md5")
        assert module.get_word_index() == {"the": 1, name: 2}


def test_text_errors(imdb_file, reuters_file):
    with pytest.raises(ValueError, match=r"imdb: no review is shorter than maxlen. Received: maxlen=2"):
        datasets.imdb.load_data(imdb_file, maxlen=2)
    with pytest.raises(TypeError, match=r"imdb: unknown arguments. Received: nb_words=3"):
        datasets.imdb.load_data(imdb_file, nb_words=3)
    with pytest.raises(ValueError, match="reuters: test_split must be at least 0 and less than 1"):
        datasets.reuters.load_data(reuters_file, test_split=1)


# -- houses --------------------------------------------------------------------------------------------------------


@pytest.fixture
def houses(home):
    path = home / "houses" / "houses.npz"
    path.parent.mkdir()
    np.savez(path, x=np.random.randn(700, 8), y=np.arange(700.0))
    return path


def test_housing(houses):
    for load, count in (
        (lambda: datasets.boston_housing.load_data(houses), 700),
        (lambda: datasets.california_housing.load_data(path=houses), 700),
        (lambda: datasets.california_housing.load_data("small", houses), 600),
    ):
        (x, y), (x_test, y_test) = load()
        assert x.shape == (int(count * 0.8), 8)
        assert len(x_test) == count - len(x)
        assert sorted(np.concatenate([y, y_test])) == list(range(count))


def test_housing_errors(houses):
    with pytest.raises(ValueError, match=r"boston_housing: test_split must be at least 0 .*test_split=1.5"):
        datasets.boston_housing.load_data(houses, test_split=1.5)
    with pytest.raises(ValueError, match=r"california_housing: version must be .large. or .small.. .*version='big'"):
        datasets.california_housing.load_data("big", houses)


# -- Keras reads the same ------------------------------------------------------------------------------------------


def same(ours, theirs):
    for a, b in zip([*ours[0], *ours[1]], [*theirs[0], *theirs[1]], strict=True):
        assert [*map(list, a)] == [*map(list, b)] if a.dtype == object else np.array_equal(a, b)


def use_local_files(monkeypatch, module, path):
    monkeypatch.setattr(module, "get_file", lambda *args, **kwargs: str(path))


@pytest.mark.parity
@pytest.mark.parametrize("options", TEXT_OPTIONS, ids=str)
def test_texts_like_keras(options, imdb_file, home, monkeypatch):
    from keras.src.datasets import imdb, reuters

    use_local_files(monkeypatch, imdb, imdb_file)
    same(datasets.imdb.load_data(imdb_file, **options), imdb.load_data(**options))
    np.savez(home / "texts" / "r.npz", x=ragged(40), y=np.arange(40) % 46)
    use_local_files(monkeypatch, reuters, home / "texts" / "r.npz")
    same(datasets.reuters.load_data(home / "texts" / "r.npz", **options), reuters.load_data(**options))


@pytest.mark.parity
def test_housing_like_keras(houses, monkeypatch):
    from keras.src.datasets import boston_housing, california_housing

    use_local_files(monkeypatch, boston_housing, houses)
    use_local_files(monkeypatch, california_housing, houses)
    same(datasets.boston_housing.load_data(houses, seed=5), boston_housing.load_data(seed=5))
    same(datasets.california_housing.load_data("small", houses), california_housing.load_data("small"))


@pytest.mark.parity
def test_signatures_like_keras():
    import keras

    for name in datasets.__all__:
        ours, theirs = (inspect.signature(getattr(d, name).load_data).parameters for d in (datasets, keras.datasets))
        assert [(p.name, p.default) for p in ours.values()] == [(p.name, p.default) for p in theirs.values()]
