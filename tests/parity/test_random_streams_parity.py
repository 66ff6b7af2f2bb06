"""The random streams against PyTorch, bit for bit, over seeds, sizes, dtypes and mixtures."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from flambeau.runtime.random_streams import GeneratorState

SEEDS = [0, 1, 42, 2**32 - 1, 2**32, 2**63 + 5, 2**64 - 1, -3]
SIZES = [0, 1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 1000, 100003]
FLOATS = ["float32", "float64", "float16", "bfloat16"]
INTEGERS = ["uint8", "int8", "int16", "int32", "int64"]


def bits(tensor):
    """The tensor's memory as a NumPy array in the dtype that the streams use."""
    if tensor.dtype == torch.bfloat16:
        return tensor.contiguous().view(torch.int16).numpy().view(np.uint16)
    return tensor.numpy()


def assert_same(ours, theirs):
    theirs = bits(theirs)
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    if ours.dtype.kind == "f":
        unsigned = f"u{ours.dtype.itemsize}"
        nan = np.isnan(theirs)
        assert np.array_equal(nan, np.isnan(ours))
        ours, theirs = ours[~nan].view(unsigned), theirs[~nan].view(unsigned)
    assert np.array_equal(ours, theirs)


def assert_same_state(state):
    assert np.array_equal(state.get_state(), torch.get_rng_state().numpy())


def both(seed):
    torch.manual_seed(seed)
    return GeneratorState(seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_state_right_after_seeding_and_after_every_number_of_words(seed):
    state = both(seed)
    assert state.initial_seed() == torch.initial_seed()
    assert_same_state(state)
    for count in (1, 622, 1, 1, 624, 623, 1):
        assert_same(state.uniform(count), torch.rand(count))
        assert_same_state(state)


def test_state_moves_both_ways():
    torch.manual_seed(9)
    torch.randn(3, dtype=torch.float64)
    state = GeneratorState()
    state.set_state(torch.get_rng_state().numpy())
    assert_same(state.normal(4), torch.randn(4))
    state.normal(5)
    torch.set_rng_state(torch.from_numpy(state.get_state()))
    assert_same(state.normal(3), torch.randn(3))
    assert_same_state(state)


DRAWS = {
    "uniform": (lambda s, n, d: s.uniform(n, dtype=d), lambda t: t.uniform_(), FLOATS),
    "uniform_range": (
        lambda s, n, d: s.uniform(n, -0.37, 1.3, d),
        lambda t: t.uniform_(-0.37, 1.3),
        FLOATS,
    ),
    "normal": (lambda s, n, d: s.normal(n, dtype=d), lambda t: t.normal_(), FLOATS),
    "normal_scaled": (
        lambda s, n, d: s.normal(n, 0.3, 0.02, d),
        lambda t: t.normal_(0.3, 0.02),
        FLOATS,
    ),
    "log_normal": (lambda s, n, d: s.log_normal(n, dtype=d), lambda t: t.log_normal_(), FLOATS),
    "log_normal_scaled": (
        lambda s, n, d: s.log_normal(n, 0.3, 1.7, d),
        lambda t: t.log_normal_(0.3, 1.7),
        FLOATS,
    ),
    "exponential": (
        lambda s, n, d: s.exponential(n, 1.7, d),
        lambda t: t.exponential_(1.7),
        FLOATS,
    ),
    "cauchy": (lambda s, n, d: s.cauchy(n, 0.3, 1.7, d), lambda t: t.cauchy_(0.3, 1.7), FLOATS),
    "geometric": (
        lambda s, n, d: s.geometric(n, 0.3, d),
        lambda t: t.geometric_(0.3),
        FLOATS + INTEGERS,
    ),
    "bernoulli": (
        lambda s, n, d: s.bernoulli(n, 0.3, d),
        lambda t: t.bernoulli_(0.3),
        FLOATS + INTEGERS + ["bool"],
    ),
    "random_any": (
        lambda s, n, d: s.random_any(n, d),
        lambda t: t.random_(),
        FLOATS + INTEGERS + ["bool"],
    ),
    "random_range": (
        lambda s, n, d: s.random_range(n, 1, 100, d),
        lambda t: t.random_(1, 101),
        FLOATS + INTEGERS,
    ),
}
CASES = [(name, dtype) for name, (_, _, dtypes) in DRAWS.items() for dtype in dtypes]


@pytest.mark.parametrize("name,dtype", CASES)
def test_distribution_in_sequence_over_sizes(name, dtype):
    ours, theirs, _ = DRAWS[name]
    for seed in (0, 7):
        state = both(seed)
        for size in SIZES:
            expected = theirs(torch.empty(size, dtype=getattr(torch, dtype)))
            assert_same(ours(state, size, dtype), expected)
        assert_same_state(state)


@pytest.mark.parametrize("seed", range(6))
def test_mixed_calls(seed):
    rng = np.random.default_rng(seed)
    state = both(seed)
    for _ in range(60):
        name, dtype = CASES[rng.integers(len(CASES))]
        ours, theirs, _ = DRAWS[name]
        size = int(rng.integers(0, 40))
        expected = theirs(torch.empty(size, dtype=getattr(torch, dtype)))
        assert_same(ours(state, size, dtype), expected)
    assert_same_state(state)


@pytest.mark.parametrize("dtype", FLOATS)
def test_normal_of_memory_that_is_not_contiguous(dtype):
    state = both(3)
    for size in (5, 16, 40, 1001):
        expected = torch.empty(2 * size, dtype=getattr(torch, dtype))[::2].normal_(0.3, 1.7)
        assert_same(state.normal(size, 0.3, 1.7, dtype, contiguous=False), expected)
    assert_same_state(state)


@pytest.mark.parametrize(
    "low,high",
    [(0, 2), (-5, 5), (0, 2**28 - 1), (0, 2**28), (-(2**31), 2**31 - 1), (0, 2**40), (-7, 2**62)],
)
def test_ranges_of_integers(low, high):
    state = both(11)
    for size in (1, 5, 20000):
        expected = torch.randint(low, high, (size,))
        assert_same(state.random_range(size, low, high - low), expected)
    assert_same_state(state)


def test_full_range_of_integers():
    state = both(12)
    expected = torch.empty(1000, dtype=torch.int64).random_(-(2**63), None)
    assert_same(state.random_full(1000), expected)
    assert_same_state(state)


@pytest.mark.parametrize("p", [0.0, 1e-12, 0.25, 0.5, 0.9, 1 - 2.0**-53, 1.0])
def test_bernoulli_probabilities(p):
    state = both(4)
    for size in (3, 50000):
        assert_same(state.bernoulli(size, p), torch.empty(size).bernoulli_(p))
    assert_same_state(state)


@pytest.mark.parametrize("p_dtype", ["float32", "float64"])
def test_bernoulli_of_a_tensor_of_probabilities(p_dtype):
    state = both(5)
    p = np.random.default_rng(0).random((70, 30)).astype(p_dtype)
    assert_same(state.bernoulli_each(p, p_dtype), torch.bernoulli(torch.from_numpy(p)))
    expected = torch.empty(70, 30, dtype=torch.int16).bernoulli_(torch.from_numpy(p))
    assert_same(state.bernoulli_each(p, "int16"), expected)
    assert_same_state(state)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 15, 16, 1000, 60001])
@pytest.mark.parametrize("dtype", ["int64", "int32", "float32", "bfloat16"])
def test_permutation(n, dtype):
    if dtype == "bfloat16" and n > 200:
        pytest.skip("not representable")
    state = both(6)
    assert_same(state.permutation(n, dtype), torch.randperm(n, dtype=getattr(torch, dtype)))
    assert_same_state(state)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("count", [1, 5])
def test_multinomial(dtype, replacement, count):
    state = both(8)
    weights = np.random.default_rng(1).random((40, 9)).astype(dtype)
    weights[3, :4] = 0
    for _ in range(3):
        expected = torch.multinomial(torch.from_numpy(weights), count, replacement)
        assert_same(state.multinomial(weights, count, replacement, dtype), expected)
    assert_same_state(state)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.77])
def test_dropout(dtype, p):
    state = both(13)
    for shape in ((64, 512), (3,)):
        expected = torch.nn.functional.dropout(torch.ones(shape, dtype=getattr(torch, dtype)), p)
        assert_same(state.dropout_mask(shape, p, dtype), expected)
    assert_same_state(state)


def test_many_normal_seeds():
    for seed, size in itertools.product(range(30), (16, 4099)):
        state = both(seed)
        assert_same(state.normal(size), torch.randn(size))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_poisson(dtype):
    state = both(21)
    rate = np.repeat(np.array([0, 0.5, 3, 9.99, 10, 50, 1000], dtype), 60).reshape(42, 10)
    assert_same(state.poisson(rate, dtype), torch.poisson(torch.from_numpy(rate)))
    assert_same_state(state)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_binomial(dtype):
    state = both(22)
    count = np.tile(np.array([0, 1, 5, 50, 1000], dtype), 100)
    p = np.repeat(np.array([0, 0.01, 0.3, 0.5, 0.6, 0.999, 1, 0.1, 0.4, 0.25], dtype), 50)
    expected = torch.binomial(torch.from_numpy(count), torch.from_numpy(p))
    assert_same(state.binomial(count, p, dtype), expected)
    assert_same_state(state)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gamma_within_one_unit_in_the_last_place(dtype):
    state = both(23)
    alpha = np.tile(np.array([0, 0.01, 0.3, 0.999, 1, 3, 100], dtype), 40)
    expected = torch._standard_gamma(torch.from_numpy(alpha)).numpy()
    np.testing.assert_array_max_ulp(
        state.gamma(alpha, dtype), expected, 1 if dtype[5] == "3" else 4
    )
    assert_same_state(state)
