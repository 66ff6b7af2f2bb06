"""The random streams against values frozen from PyTorch 2.13.0, so that no PyTorch is needed."""

import zlib

import numpy as np
import pytest

from flambeau.runtime.random_streams import STATE_BYTES, GeneratorState, MersenneTwister

SEED = 2026
SIZES = (1, 15, 16, 17, 1000, 20011)
CHECKSUMS = {
    ("uniform", "float32"): (
        (1808625287, 2259981259, 3192617063, 398763760, 1253938261, 3962759263)
    ),
    ("uniform", "float16"): (
        (1350280611, 438281473, 636813363, 4219304702, 3596566525, 1281403003)
    ),
    ("uniform", "bfloat16"): (
        (113402158, 3798374686, 1019841290, 3592577459, 296347488, 3288281206)
    ),
    ("normal", "float32"): ((3161206861, 9913871, 1486802708, 3251697374, 2551952227, 2765326545)),
    ("normal", "float16"): (
        (3722955885, 2210760956, 551759434, 2375887390, 3983540356, 4193320740)
    ),
    ("normal", "bfloat16"): (
        (1146616579, 900540647, 2084533223, 2342718523, 1188957100, 3447902741)
    ),
    ("bernoulli", "float32"): (
        (2896259690, 2005378222, 570963974, 287640279, 3408838716, 2518825533)
    ),
    ("bernoulli", "bool"): (
        (2768625435, 1402087727, 1720758346, 1333899284, 2271445359, 3188920234)
    ),
    ("bernoulli", "bfloat16"): (
        (3426527113, 1995791889, 831046981, 1636320838, 3563648503, 320217029)
    ),
    ("random_any", "float32"): (
        (1147267615, 1448218667, 2113958230, 288884162, 3243602016, 820882394)
    ),
    ("random_any", "float64"): (
        (1440137251, 370659133, 802868915, 4138056534, 2927260742, 3565190766)
    ),
    ("random_any", "float16"): (
        (1696249449, 3301685763, 99283082, 580902766, 237638803, 1157527382)
    ),
    ("random_any", "bfloat16"): (
        (53011322, 4186339191, 4102705397, 4164791523, 4067215410, 807500032)
    ),
    ("random_any", "uint8"): (
        (2768625435, 2426896197, 167082538, 2654717574, 2986853994, 3727114711)
    ),
    ("random_any", "int8"): (
        (2768625435, 827575515, 1891279689, 1528487757, 3048828782, 3651233696)
    ),
    ("random_any", "int16"): (
        (555653914, 3771363034, 607647584, 2886151942, 1651931242, 1939548398)
    ),
    ("random_any", "int32"): (
        (1693354253, 3546387780, 2521891106, 3509044925, 875273560, 237086107)
    ),
    ("random_any", "int64"): (
        (732885177, 1375119634, 4158348611, 3312496711, 1349501182, 4217036458)
    ),
    ("random_any", "bool"): (
        (2768625435, 846269143, 1114813995, 2552626149, 451687287, 3340988533)
    ),
    ("random_range", "float32"): (
        (2623687106, 745252589, 1867986769, 710023099, 2233984995, 2227468352)
    ),
    ("random_range", "float64"): (
        (2447705760, 3257308788, 305663379, 642176467, 3472521810, 2525932776)
    ),
    ("random_range", "float16"): (
        (3731289690, 224747571, 2889642525, 1172201536, 2045443691, 315042171)
    ),
    ("random_range", "bfloat16"): (
        (4244603937, 1790039886, 2175415590, 1693969156, 720563199, 288206319)
    ),
    ("random_range", "uint8"): (
        (996231864, 4276581227, 2969532799, 96417474, 2971730339, 427657739)
    ),
    ("random_range", "int64"): (
        (2739787502, 512963033, 3364217416, 1602712413, 1154076799, 1801188638)
    ),
    ("permutation", "int64"): (
        (1696784233, 754349942, 3633803769, 1425529054, 1478852238, 1583467597)
    ),
    ("uniform01", "float64"): (
        (682947705, 1123513310, 3693568198, 923226468, 681591509, 2573983785)
    ),
}
DRAWS = {
    "uniform": lambda state, size, dtype: state.uniform(size, -0.37, 1.3, dtype),
    "uniform01": lambda state, size, dtype: state.uniform(size, dtype=dtype),
    "normal": lambda state, size, dtype: state.normal(size, 0.3, 0.02, dtype),
    "bernoulli": lambda state, size, dtype: state.bernoulli(size, 0.3, dtype),
    "random_any": lambda state, size, dtype: state.random_any(size, dtype),
    "random_range": lambda state, size, dtype: state.random_range(size, 1, 100, dtype),
    "permutation": lambda state, size, dtype: state.permutation(size, dtype),
}
# Three float64 values drawn first, and the last three of seventeen drawn next.
DOUBLES = {
    "exponential": (
        [0.14604023376506395, 1.1082983141418261, 0.09521972680337652],
        [1.2855465869542686, 0.2284478914195247, 0.03504590929477763],
        lambda state, size: state.exponential(size, 1.7, "float64"),
    ),
    "cauchy": (
        [-1.7569266912515569, 3.5861371750038633, -3.050705809585255],
        [4.911197898018059, -0.7651719724758826, -8.952711731177207],
        lambda state, size: state.cauchy(size, 0.3, 1.7, "float64"),
    ),
    "geometric": (
        [5.0, 1.0, 6.0],
        [1.0, 4.0, 8.0],
        lambda state, size: state.geometric(size, 0.3, "float64"),
    ),
    "log_normal": (
        [2.5128757374879345, 34.5007950402264, 1.9516405799409877],
        [0.03882005970849496, 1.0450294541707, 2.288875781780187],
        lambda state, size: state.log_normal(size, 0.3, 1.7, "float64"),
    ),
    "normal": (
        [0.9214278094629968, 3.5409823684160338, 0.6686703419084592],
        [1.9517626351714938, 0.48178981092650924, 0.1264806148258364],
        lambda state, size: state.normal(size, 0.3, 1.7, "float64"),
    ),
}


@pytest.mark.parametrize("name,dtype", CHECKSUMS)
def test_checksum(name, dtype):
    state = GeneratorState(SEED)
    drawn = tuple(zlib.crc32(DRAWS[name](state, size, dtype).tobytes()) for size in SIZES)
    assert drawn == CHECKSUMS[name, dtype]


@pytest.mark.parametrize("name", DOUBLES)
def test_doubles(name):
    first, second, draw = DOUBLES[name]
    state = GeneratorState(SEED)
    np.testing.assert_array_max_ulp(draw(state, 3), np.array(first), 2)
    np.testing.assert_array_max_ulp(draw(state, 17)[-3:], np.array(second), 2)


def test_sampling_by_weight():
    weights = np.arange(1, 13, dtype=np.float32).reshape(3, 4)
    state = GeneratorState(SEED)
    first = state.multinomial(weights, 2, False, "float32")
    assert first.tolist() == [[3, 2], [3, 1], [1, 0]]
    second = state.multinomial(weights, 5, True, "float32")
    assert second.tolist() == [[1, 0, 3, 2, 3], [3, 1, 0, 2, 2], [3, 2, 0, 0, 2]]


def test_dropout_and_rejection_samplers():
    state = GeneratorState(SEED)
    mask = state.dropout_mask((12,), 0.3)
    assert np.flatnonzero(mask == 0).tolist() == [1, 6]
    assert mask.max() == np.float32(1.4285714626312256)
    rates = np.array([0.5, 3, 20, 100, 0], np.float32)
    assert state.poisson(rates).tolist() == [0, 2, 17, 105, 0]
    trials = np.array([5, 50, 100, 1000], np.float32)
    chances = np.array([0.3, 0.1, 0.6, 0.4], np.float32)
    assert state.binomial(trials, chances).tolist() == [2, 2, 60, 402]
    gamma = state.gamma(np.array([0.3, 1, 5], np.float32))
    expected = [0.13033908605575562, 1.0816313028335571, 1.270270824432373]
    np.testing.assert_allclose(gamma, expected, rtol=2e-7)


def test_state_bytes():
    state = GeneratorState(SEED)
    state.normal(3, 0, 1, "float64")
    saved = state.get_state()
    assert saved.dtype == np.uint8 and saved.size == STATE_BYTES == 5056
    assert zlib.crc32(saved.tobytes()) == 2122465495
    fresh = GeneratorState().get_state()
    assert fresh[:28].tolist() == (
        [1, 209, 156, 241, 48, 61, 0, 0] + [1, 0, 0, 0, 1, 0, 0, 0] + [0] * 8 + [1, 209, 156, 241]
    )


def test_seeds():
    assert GeneratorState().initial_seed() == 67280421310721
    state = GeneratorState(-1)
    assert state.initial_seed() == 2**64 - 1
    # The low 32 bits choose the stream, the seed itself is remembered whole.
    assert GeneratorState(2**40 + 5).words(3).tolist() == GeneratorState(5).words(3).tolist()
    seed = state.seed()
    assert state.initial_seed() == seed
    assert state.words(2).tolist() == GeneratorState(seed).words(2).tolist()


def test_words_of_the_reference_implementation():
    # The 10,000th word of MT19937 seeded with 5489, fixed by the C++ standard (rand.predef).
    assert MersenneTwister(5489).words(10000)[-1] == 4123659995


def test_a_clone_continues_with_the_same_values_and_is_independent():
    state = GeneratorState(3)
    state.normal(1)
    clone = state.clone()
    assert clone.normal(5).tolist() == state.normal(5).tolist()
    state.words(7)
    assert not np.array_equal(clone.words(4), state.words(4))


@pytest.mark.parametrize(
    "damage,message",
    [
        (lambda raw: raw[:-1], "Expected a CPUGeneratorImplState of size 5056 but found"),
        (lambda raw: np.zeros_like(raw), "Invalid mt19937 state"),
    ],
)
def test_an_impossible_state_is_refused(damage, message):
    state = GeneratorState(1)
    with pytest.raises(RuntimeError, match=message):
        state.set_state(damage(state.get_state()))
    assert state.words(1)[0] == GeneratorState(1).words(1)[0]


def test_the_long_permutation_is_a_permutation(monkeypatch):
    from flambeau.runtime.random_streams import generator_state

    monkeypatch.setattr(generator_state, "_LONG_PERMUTATION", 10)
    order = GeneratorState(0).permutation(20000)
    assert sorted(order.tolist()) == list(range(20000))


def test_a_uniform_sample_that_rounds_to_the_upper_end_becomes_the_lower_one():
    samples = GeneratorState(0).uniform(200000, 0.0, 1.0, "bfloat16")
    one = 0x3F80
    assert not (samples == one).any()
    assert (samples == 0).sum() > 100  # 2**-9 of the samples round up to 1
