"""split_dataset and timeseries_dataset_from_array."""

import numpy as np
import pytest

from kerasish.data import EpochIterator, batch_source, split_dataset
from kerasish.data import timeseries_dataset_from_array as windows_of

from .test_streams import Counting


def numbers(dataset):
    return [int(np.ravel(s[0] if isinstance(s, tuple) else s)[0]) for s in dataset]


# -- splitting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (0.8, None, (8, 2)),
        (None, 0.3, (7, 3)),
        (6, None, (6, 4)),
        (None, 1, (9, 1)),
        (0.5, 0.2, (5, 2)),
        (3, 0.2, (3, 2)),
    ],
)
def test_sizes(left, right, expected):
    a, b = split_dataset(np.arange(10), left, right)
    assert (len(a), len(b)) == expected
    assert numbers(a) == list(range(expected[0]))
    assert numbers(b) == list(range(10 - expected[1], 10))


def test_structures_and_batches():
    x, y = np.random.rand(10, 3), np.arange(10)
    left, right = split_dataset((x, y), left_size=0.7)
    assert np.array_equal(left[3][0], x[3])
    assert [batch[1].tolist() for batch in right.batch(2)] == [[7, 8], [9]]
    assert [batch[1].tolist() for batch in right.batch(2, drop_remainder=True)] == [[7, 8]]
    assert len(right.batch(2)) == 2
    assert np.array_equal(right.arrays()[0], x[7:])


def test_shuffle():
    a, b = split_dataset(np.arange(50), 0.5, shuffle=True, seed=3)
    assert sorted(numbers(a) + numbers(b)) == list(range(50))
    assert numbers(a) != list(range(25))
    assert numbers(split_dataset(np.arange(50), 0.5, shuffle=True, seed=3)[0]) == numbers(a)
    assert numbers(split_dataset(np.arange(50), 0.5, shuffle=True)[0]) != numbers(a)


def test_training_takes_samples_like_arrays():
    x, y = np.random.rand(10, 3), np.arange(10)
    left, _ = split_dataset([x, y], 6)
    source = batch_source(left, batch_size=4)
    assert [b[1].tolist() for b in source] == [[0, 1, 2, 3], [4, 5]]
    assert next(iter(source))[0].dtype == "float32"
    batches = left.batch(4)
    assert [b[1].tolist() for _, _, (b,) in EpochIterator(batches).enumerate_epoch()] == [[0, 1, 2, 3], [4, 5]]
    with pytest.raises(ValueError, match="fit: y cannot be given when x is a dataset"):
        batch_source(left, y=y)


def test_split_of_batches_and_of_samples_by_number():
    left, right = split_dataset(Counting(5), 0.6)
    assert [y.tolist() for _, y in left] == [[0, 0], [1, 1], [2, 2]]
    assert [y.tolist() for _, y in right] == [[3, 3], [4, 4]]

    class Samples:
        def __len__(self):
            return 4

        def __getitem__(self, i):
            return np.full(2, i), np.array(i)

    left, right = split_dataset(Samples(), 3)
    assert [y.tolist() for _, y in left.batch(2)] == [[0, 1], [2]]
    assert right[0][0].tolist() == [3, 3]


@pytest.mark.parametrize(
    ("args", "kind", "message"),
    [
        ((np.arange(4),), ValueError, "split_dataset: left_size or right_size must be given"),
        ((np.arange(4), "a"), TypeError, "split_dataset: left_size must be an integer, a fraction or None. .*='a'"),
        ((np.arange(4), 4), ValueError, "left_size must be an integer from 1 to 3 or a fraction .* left_size=4"),
        ((np.arange(4), None, 1.0), ValueError, "right_size must be an integer from 1 to 3 or a .*right_size=1.0"),
        ((np.arange(4), 0.6, 0.6), ValueError, "the fractions must not add up to more than 1"),
        ((np.arange(4), 3, 2), ValueError, "no sample can be in both. Received: left=3, right=2"),
        ((np.arange(4), 0.01), ValueError, "each part of 4 samples must have at least one.* left=0"),
        (([np.arange(4), np.arange(3)], 1), ValueError, r"same number of rows. .*dataset\[0\]=4, dataset\[1\]=3"),
        (([], 1), ValueError, "split_dataset: a list must hold arrays, and at least one"),
        (([1, 2], 1), ValueError, "split_dataset: a list must hold arrays, and at least one"),
        ((3, 1), TypeError, "split_dataset: the dataset must be an array, .* Received: dataset=3"),
        ((Counting(0), 1), ValueError, "split_dataset: the dataset is empty"),
    ],
)
def test_split_errors(args, kind, message):
    with pytest.raises(kind, match=message):
        split_dataset(*args)


def test_samples_of_several_shapes():
    class Samples:
        def __len__(self):
            return 2

        def __getitem__(self, i):
            return np.zeros(i + 1)

    with pytest.raises(
        ValueError, match=r"all samples must have the same shapes. .*first=\[\(1,\)\], other=\[\(2,\)\]"
    ):
        split_dataset(Samples(), 1)


# -- windows -------------------------------------------------------------------------------------------------------


def test_windows():
    dataset = windows_of(np.arange(99), None, sequence_length=10, sampling_rate=2, sequence_stride=3, batch_size=5)
    got = np.concatenate(list(dataset))
    assert got[0].tolist() == list(range(0, 20, 2))
    assert got[1].tolist() == list(range(3, 23, 2))
    assert got[-1].tolist() == list(range(78, 98, 2))
    assert len(dataset) == 6
    assert [len(b) for b in dataset] == [5, 5, 5, 5, 5, 2]


def test_windows_with_targets():
    series = np.random.rand(30, 2)
    x, y = next(iter(windows_of(series[:-5], series[5:], 5)))
    assert x.shape == (21, 5, 2)
    assert np.array_equal(x[3], series[3:8])
    assert np.array_equal(y[3], series[8])


def test_windows_of_a_part():
    dataset = windows_of(np.arange(20), np.arange(20) * 10, 3, start_index=5, end_index=10, batch_size=2)
    assert [x.tolist() for x, _ in dataset] == [[[5, 6, 7], [6, 7, 8]], [[7, 8, 9]]]
    assert [y.tolist() for _, y in dataset] == [[50, 60], [70]]
    short = windows_of(np.arange(20), np.arange(8), 3, start_index=5)
    assert next(iter(short))[1].tolist() == [5, 6, 7]


def test_single_windows():
    dataset = windows_of(np.arange(6), np.arange(6), 3, batch_size=None)
    assert len(dataset) == 4
    x, y = list(dataset)[2]
    assert (x.tolist(), y) == ([2, 3, 4], 2)


def test_windows_shuffled():
    make = lambda: windows_of(np.arange(100), np.arange(100), 4, batch_size=10, shuffle=True, seed=1)  # noqa: E731
    dataset = make()
    first, second = [np.concatenate([y for _, y in dataset]).tolist() for _ in range(2)]
    assert first != second
    assert sorted(first) == sorted(second) == list(range(97))
    assert np.concatenate([y for _, y in make()]).tolist() == first
    assert all(np.array_equal(x[:, 0], y) for x, y in dataset)


def test_training_keeps_the_order_of_windows():
    dataset = windows_of(np.arange(20), np.arange(20), 4, batch_size=4)
    source = batch_source(dataset, shuffle=True)
    assert source.num_batches == 5
    assert [int(y[0]) for _, y in source] == [0, 4, 8, 12, 16]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sequence_length": 0}, "sequence_length must be a positive integer. Received: sequence_length=0"),
        ({"sequence_length": 11}, "the 10 steps are too few for one window. Received: sequence_length=11"),
        ({"sampling_rate": 0}, "sampling_rate must be a positive integer. Received: sampling_rate=0"),
        ({"sampling_rate": 10}, "sampling_rate must be less than the 10 steps of the data. .*sampling_rate=10"),
        ({"sequence_stride": -1}, "sequence_stride must be a positive integer"),
        ({"sequence_stride": 10}, "sequence_stride must be less than the 10 steps"),
        ({"batch_size": 0}, "batch_size must be a positive integer"),
        ({"start_index": -1}, "start_index must be from 0 to 9. Received: start_index=-1"),
        ({"start_index": 10}, "start_index must be from 0 to 9"),
        ({"start_index": 5, "end_index": 4}, "end_index must be from 6 to 9. Received: end_index=4"),
        ({"end_index": 10}, "end_index must be from 1 to 9"),
        ({"format": "csv"}, 'format must be "tf" or "grain". Received: format=\'csv\''),
    ],
)
def test_window_errors(options, message):
    with pytest.raises(ValueError, match=f"^timeseries_dataset_from_array: {message}"):
        windows_of(np.arange(10), None, **{"sequence_length": 3, **options})
