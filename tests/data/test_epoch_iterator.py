"""Epochs and steps: steps_per_epoch, running dry, several steps per execution, limits."""

import warnings

import numpy as np
import pytest

from kerasish import config
from kerasish.data import EpochIterator, PyDataset

from .test_streams import Counting, Unsized, generate


def epoch(iterator):
    """(first step, last step, first number of each batch) of each step of one epoch."""
    return [
        (begin, end, [int((b[0] if isinstance(b, tuple) else b).ravel()[0]) for b in batches])
        for begin, end, batches in iterator.enumerate_epoch()
    ]


def firsts(iterator):
    return [n for _, _, numbers in epoch(iterator) for n in numbers]


def test_epochs_over_arrays():
    iterator = EpochIterator(np.arange(5), batch_size=2)
    assert iterator.num_batches == 3
    assert epoch(iterator) == [(0, 0, [0]), (1, 1, [2]), (2, 2, [4])]
    assert firsts(iterator) == [0, 2, 4]


def test_steps_per_epoch_goes_on_where_the_last_epoch_stopped():
    iterator = EpochIterator(np.arange(8), batch_size=2, steps_per_epoch=2)
    assert iterator.num_batches == 2
    assert [firsts(iterator) for _ in range(3)] == [[0, 2], [4, 6], [0, 2]]


def test_steps_per_epoch_beyond_the_data_warns():
    iterator = EpochIterator(np.arange(6), batch_size=2, steps_per_epoch=5)
    for _ in range(2):
        with pytest.warns(UserWarning, match="fit: your input ran out of data; interrupting training"):
            assert firsts(iterator) == [0, 2, 4]
    assert not iterator.exhausted


def test_steps_per_epoch_that_does_not_divide_the_data():
    iterator = EpochIterator(np.arange(6), batch_size=2, steps_per_epoch=2)
    assert firsts(iterator) == [0, 2]
    with pytest.warns(UserWarning, match="ran out of data"):
        assert firsts(iterator) == [4]
    assert firsts(iterator) == [0, 2]


def test_steps_per_execution():
    iterator = EpochIterator(np.arange(5), batch_size=1, steps_per_execution=2)
    assert epoch(iterator) == [(0, 1, [0, 1]), (2, 3, [2, 3]), (4, 5, [4])]


def test_generator_runs_dry():
    iterator = EpochIterator(generate(3))
    assert iterator.num_batches is None
    with pytest.warns(UserWarning, match="ran out of data"):
        assert firsts(iterator) == [0, 1, 2]
    assert iterator.exhausted
    with pytest.warns(UserWarning, match="ran out of data"):
        assert firsts(iterator) == []


def test_generator_with_steps_per_epoch():
    iterator = EpochIterator(generate(5), steps_per_epoch=2)
    assert iterator.peek()[1].tolist() == [0, 0]
    assert [firsts(iterator) for _ in range(2)] == [[0, 1], [2, 3]]
    assert not iterator.exhausted
    with pytest.warns(UserWarning, match="ran out of data"):
        assert firsts(iterator) == [4]
    assert iterator.exhausted


def test_a_dataset_of_unknown_length_is_counted():
    iterator = EpochIterator(Unsized([(np.array([i]),) for i in range(3)]))
    with pytest.warns(UserWarning, match="ran out of data"):
        assert firsts(iterator) == [0, 1, 2]
    assert iterator.num_batches == 3
    assert firsts(iterator) == [0, 1, 2]


@pytest.mark.parametrize("options", [{}, {"workers": 2}, {"workers": 2, "use_multiprocessing": True}], ids=str)
def test_py_dataset_hooks(options):
    dataset = Counting(3, **options)
    iterator = EpochIterator(dataset)
    iterator.peek()
    assert firsts(iterator) == [0, 1, 2]
    assert firsts(iterator) == [0, 1, 2]
    assert dataset.log == ["begin", "end", "begin", "end"]


def test_an_epoch_that_is_cut_short_ends_properly():
    dataset = Counting(10, workers=2)
    iterator = EpochIterator(dataset, steps_per_epoch=5)
    for _ in iterator.enumerate_epoch():
        break
    iterator.reset()
    assert dataset.log == ["begin", "end"]
    assert firsts(iterator) == [0, 1, 2, 3, 4]
    iterator.reset()
    assert firsts(iterator) == [0, 1, 2, 3, 4]
    iterator.reset()


def test_a_dataset_may_change_its_length():
    class Growing(PyDataset):
        n = 1

        def __len__(self):
            return self.n

        def __getitem__(self, index):
            return (np.array([index]),)

        def on_epoch_end(self):
            self.n += 1

    iterator = EpochIterator(Growing())
    assert [firsts(iterator) for _ in range(3)] == [[0], [0, 1], [0, 1, 2]]


def test_debugging_limit():
    config.set_max_steps_per_epoch(2)
    try:
        with pytest.warns(UserWarning, match="fit: limiting steps_per_epoch to 2"):
            iterator = EpochIterator(np.arange(10), batch_size=1)
        assert firsts(iterator) == [0, 1]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            EpochIterator(np.arange(10), batch_size=1, steps_per_epoch=1)
    finally:
        config.set_max_steps_per_epoch(None)


@pytest.mark.parametrize("name", ["steps_per_epoch", "steps_per_execution"])
@pytest.mark.parametrize("value", [0, -1, 1.5])
def test_errors(name, value):
    with pytest.raises(ValueError, match=f"fit: {name} must be a positive integer. Received: {name}={value}"):
        EpochIterator(np.arange(3), **{name: value})
