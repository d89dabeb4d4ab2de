"""Generators, iterables of batches and PyDatasets as sources, with and without workers."""

import os
import threading
import time

import numpy as np
import pytest

from kerasish.data import PyDataset, batch_source


def generate(n=3, rows=2):
    for i in range(n):
        yield np.full((rows, 1), i, "float64"), np.full((rows,), i)


class Loader:
    """An iterable of batches in the manner of a data loader."""

    batch_size = 2

    def __init__(self, batches):
        self.batches, self.opened = batches, 0

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        self.opened += 1
        return iter(self.batches)


class Unsized:
    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


class Counting(PyDataset):
    def __init__(self, n=4, **kwargs):
        super().__init__(**kwargs)
        self.n, self.log = n, []

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        return np.full((2, 1), index, "float64"), np.array([index, index])

    def on_epoch_begin(self):
        self.log.append("begin")

    def on_epoch_end(self):
        self.log.append("end")


def numbers(source):
    return [int(batch[1][0]) for batch in source]


# -- generators ----------------------------------------------------------------------------------------------------


def test_generator():
    source = batch_source(generate())
    assert source.num_batches is None
    assert source.one_shot
    assert source.peek()[0].dtype == "float32"
    assert numbers(source) == [0, 1, 2]
    assert numbers(source) == []


def test_generator_with_nested_parts_and_missing_targets():
    batch = next(iter(batch_source(iter([({"a": np.zeros((2, 3))}, None, np.ones(2))]))))
    assert batch[0]["a"].shape == (2, 3)
    assert batch[1] is None


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "^fit: the generator must yield at least one batch"),
        ([np.zeros(2)], r"^fit: the generator must yield tuples: .* Received: batch.shape=\(2,\)"),
        ([(1, 2, 3, 4)], r"^fit: a batch must be a tuple \(x,\), .* Received: parts=4"),
        ([()], "^fit: a batch must be a tuple .* Received: parts=0"),
        ([(np.zeros((2, 1)), np.zeros(3))], "^fit: the arrays of a batch must .* Received: x: 2, y: 3"),
        ([(np.zeros((2, 1)), [0, 1])], r"^fit: a batch must hold arrays with .* Received: y\[0\]=0"),
        ([(np.zeros(1), np.array(["a"]))], "^fit: y must hold numbers"),
    ],
)
def test_generator_errors(items, message):
    with pytest.raises(ValueError, match=message):
        batch_source(x for x in items)


def test_a_later_batch_is_checked_too():
    source = batch_source(iter([(np.zeros(2),), np.zeros(2)]))
    with pytest.raises(ValueError, match="the generator must yield tuples"):
        list(source)


def test_inputs_of_several_lengths_in_a_batch_are_left_alone():
    batch = next(iter(batch_source(iter([((np.zeros(2), np.zeros(3)), np.zeros(5))]))))
    assert batch[1].shape == (5,)


@pytest.mark.parametrize(
    ("kind", "x"), [("generator", generate()), ("PyDataset", Counting()), ("dataset", Loader([(np.zeros(2),)]))]
)
def test_targets_and_weights_belong_into_the_batches(kind, x):
    for name in ("y", "sample_weight"):
        with pytest.raises(ValueError, match=f"fit: {name} cannot be given when x is a {kind}, which brings it inside"):
            batch_source(x, **{name: np.zeros(2)})


def test_class_weight_with_a_generator():
    with pytest.raises(ValueError, match="fit: class_weight is not supported when x is a generator"):
        batch_source(generate(), class_weight={0: 1.0})


def test_shuffle_inside_batches_has_no_effect():
    with pytest.warns(UserWarning, match='fit: shuffle="batch" has no effect when x is a generator'):
        batch_source(generate(), shuffle="batch")
    batch_source(generate(), shuffle=True)


# -- iterables -----------------------------------------------------------------------------------------------------


def test_iterable_of_batches():
    loader = Loader([[np.zeros((2, 1)), np.array([i, i])] for i in range(3)])
    source = batch_source(loader)
    assert (source.num_batches, source.batch_size, source.one_shot) == (3, 2, False)
    assert source.peek()[1].tolist() == [0, 0]
    assert source.peek()[1].tolist() == [0, 0]
    assert numbers(source) == [0, 1, 2]
    assert loader.opened == 1  # the iterator that was opened to peek serves the first pass
    assert numbers(source) == [0, 1, 2]
    assert loader.opened == 2


def test_iterable_of_inputs_alone_or_dicts():
    assert next(iter(batch_source(Unsized([np.zeros((2, 1), "float64")])))).dtype == "float32"
    assert list(next(iter(batch_source(Unsized([{"a": np.zeros(2)}]))))) == ["a"]
    assert batch_source(Unsized([np.zeros(2)])).num_batches is None


def test_iterable_with_class_weight():
    source = batch_source(Loader([(np.zeros(2), np.array([0, 1]))]), class_weight={0: 1.0, 1: 3.0})
    assert next(iter(source))[2].tolist() == [1.0, 3.0]
    source = batch_source(Loader([(np.zeros(2), np.zeros(2), np.zeros(2))]), class_weight={0: 1.0})
    with pytest.raises(ValueError, match="class_weight cannot be given beside batches that bring sample_weight"):
        next(iter(source))


def test_iterable_errors():
    with pytest.raises(ValueError, match="fit: the dataset is empty"):
        batch_source(Loader([]))
    with pytest.raises(ValueError, match="fit: the dataset is empty"):
        batch_source(Unsized([])).peek()
    with pytest.raises(
        ValueError, match=r"fit: a batch must be an array, a dict or a tuple of these. Received: batch=3"
    ):
        next(iter(batch_source(Unsized([3]))))


# -- PyDataset -----------------------------------------------------------------------------------------------------

WORKERS = [
    {},
    {"workers": 3, "max_queue_size": 2},
    {"workers": 2, "use_multiprocessing": True},
    {"workers": 1, "use_multiprocessing": True, "max_queue_size": 1},
]


@pytest.mark.parametrize("options", WORKERS, ids=str)
def test_py_dataset(options):
    source = batch_source(Counting(6, **options))
    assert source.num_batches == 6
    assert source.peek()[0].dtype == "float32"
    assert numbers(source) == list(range(6))
    assert numbers(source) == list(range(6))


@pytest.mark.parametrize("options", WORKERS[:2], ids=str)
def test_py_dataset_shuffle(options):
    source = batch_source(Counting(50, **options), shuffle=True)
    got = numbers(source)
    assert got != list(range(50))
    assert sorted(got) == list(range(50))


class Pid(Counting):
    def __getitem__(self, index):
        return (np.array([os.getpid()]),)


def test_worker_processes_are_real():
    pids = {int(b[0][0]) for b in batch_source(Pid(workers=1, use_multiprocessing=True))}
    assert os.getpid() not in pids


def test_threads_prepare_ahead_but_not_further_than_the_queue():
    class Slow(Counting):
        def __getitem__(self, index):
            self.log.append(index)
            return super().__getitem__(index)

    dataset = Slow(100, workers=4, max_queue_size=5)
    batches = iter(batch_source(dataset))
    next(batches)
    time.sleep(0.1)
    assert 1 < len(dataset.log) <= 6
    batches.close()
    names = [t.name for t in threading.enumerate()]
    assert not any(name.startswith("kerasish-data") for name in names)


class Broken(Counting):
    def __getitem__(self, index):
        if index == 2:
            raise KeyError("broken row")
        return super().__getitem__(index)


@pytest.mark.parametrize("options", WORKERS[:3], ids=str)
def test_an_error_in_a_worker_is_raised(options):
    batches = iter(batch_source(Broken(**options)))
    assert int(next(batches)[1][0]) == 0
    with pytest.raises(KeyError, match="broken row"):
        list(batches)


def test_infinite_py_dataset():
    class Infinite(Counting):
        num_batches = None

    batches = iter(batch_source(Infinite(workers=2)))
    assert [int(next(batches)[1][0]) for _ in range(20)] == list(range(20))
    batches.close()


def test_py_dataset_batch_forms():
    class Forms(PyDataset):
        forms = (np.zeros(2), [np.zeros(2), np.ones(2)], {"a": np.zeros(2)}, (np.zeros(2),))

        def __len__(self):
            return len(self.forms)

        def __getitem__(self, index):
            return self.forms[index]

    got = list(batch_source(Forms()))
    assert [len(b) for b in got] == [1, 2, 1, 1]
    assert isinstance(got[2], dict)


def test_py_dataset_class_weight():
    source = batch_source(Counting(2), class_weight={0: 2.0, 1: 3.0})
    assert [b[2].tolist() for b in source] == [[2.0, 2.0], [3.0, 3.0]]


def test_py_dataset_without_super_init():
    class Forgetful(PyDataset):
        def __init__(self):
            pass

        def __len__(self):
            return 1

        def __getitem__(self, index):
            return (np.zeros(1),)

    with pytest.warns(UserWarning, match=r"Forgetful: a PyDataset should call `super\(\).__init__"):
        assert len(list(batch_source(Forgetful()))) == 1


def test_py_dataset_errors():
    with pytest.raises(ValueError, match="fit: the dataset is empty"):
        batch_source(Counting(0))
    with pytest.raises(NotImplementedError, match="PyDataset: a PyDataset must implement `__len__"):
        batch_source(PyDataset())
    with pytest.raises(NotImplementedError, match="must implement `__getitem__"):
        PyDataset()[0]
    with pytest.raises(ValueError, match=r"py_dataset: workers must be an integer that is not negative. .*workers=-1"):
        PyDataset(workers=-1)
    with pytest.raises(ValueError, match=r"py_dataset: max_queue_size must be a positive integer. .*max_queue_size=0"):
        PyDataset(max_queue_size=0)

    class Wrong(Counting):
        def __getitem__(self, index):
            return "batch"

    with pytest.raises(ValueError, match=r"fit: PyDataset.__getitem__ must return a dict or a tuple .*batch='batch'"):
        list(batch_source(Wrong()))


def test_py_dataset_iterates_by_hand():
    assert [int(y[0]) for _, y in Counting(3, workers=4)] == [0, 1, 2]
