"""Generators, seeds and states, without PyTorch; the numbers themselves are in tests/parity."""

import copy
import pickle

import pytest

import flambeau as torch


def test_known_numbers_of_seed_0():
    torch.manual_seed(0)
    assert torch.rand(2).tolist() == [0.49625658988952637, 0.7682217955589294]
    torch.manual_seed(0)
    assert torch.randn(2).tolist() == [1.5409960746765137, -0.293428897857666]
    torch.manual_seed(0)
    assert torch.randint(10, (5,)).tolist() == [4, 9, 3, 0, 3]
    torch.manual_seed(0)
    assert torch.randperm(4).tolist() == [0, 1, 3, 2]


def test_a_generator_is_independent_of_the_default_one():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    generator = torch.Generator().manual_seed(3)
    first = torch.rand(4, generator=generator)
    assert torch.equal(torch.get_rng_state(), before)
    generator.manual_seed(3)
    assert torch.equal(torch.rand(4, generator=generator), first)


def test_get_and_set_state():
    generator = torch.Generator().manual_seed(3)
    torch.randn(1, generator=generator)  # leaves the second sample of a pair waiting
    state = generator.get_state()
    assert state.dtype is torch.uint8 and state.shape == (5056,)
    first = torch.randn(3, generator=generator)
    assert generator.set_state(state) is generator
    assert torch.equal(torch.randn(3, generator=generator), first)


def test_clone_pickle_and_copy_continue_with_the_same_numbers():
    generator = torch.Generator().manual_seed(3)
    torch.rand(5, generator=generator)
    others = [
        generator.clone_state(),
        pickle.loads(pickle.dumps(generator)),
        copy.deepcopy(generator),
    ]
    expected = torch.rand(5, generator=generator)
    for other in others:
        assert other.initial_seed() == 3
        assert torch.equal(torch.rand(5, generator=other), expected)


def test_fork_rng_puts_the_default_generator_back():
    torch.manual_seed(0)
    with torch.random.fork_rng():
        inside = torch.rand(3)
        torch.manual_seed(9)
    assert torch.equal(torch.rand(3), inside)
    state = torch.get_rng_state()
    with torch.random.fork_rng(enabled=False):
        torch.rand(1)
    assert not torch.equal(torch.get_rng_state(), state)
    with pytest.raises(RuntimeError, match="there is no device besides the CPU"):
        with torch.random.fork_rng(devices=[0]):
            pass


def test_seed_is_not_the_same_twice():
    assert torch.seed() != torch.seed()
    assert torch.Generator().seed() != torch.Generator().seed()


def test_devices_without_a_generator():
    assert torch.Generator("cpu").device == torch.device("cpu")
    with pytest.raises(RuntimeError, match="Cannot get CUDA generator"):
        torch.Generator("cuda")


def test_the_generator_argument_must_be_one():
    with pytest.raises(TypeError, match="generator must be a torch.Generator"):
        torch.rand(2, generator=5)


def test_writing_through_views_changes_the_base():
    base = torch.zeros(3, 4)
    torch.manual_seed(0)
    base[1].uniform_(1, 2)
    base.t()[0].normal_()
    assert base[0, 1:].tolist() == [0, 0, 0] and base[2, 1:].tolist() == [0, 0, 0]
    assert (base[1, 1:] >= 1).all()
    assert (base[:, 0] != 0).all()


def test_a_leaf_that_requires_grad_is_not_overwritten():
    weight = torch.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        weight.normal_()
    with torch.no_grad():
        assert weight.normal_() is weight
    assert weight.requires_grad and weight.is_leaf


def test_data_of_a_parameter_is_filled_without_recording():
    weight = torch.zeros(3, 4, requires_grad=True)
    torch.manual_seed(0)
    weight.data.normal_(0, 0.02)
    weight.data[1].uniform_(5, 6)
    torch.manual_seed(0)
    expected = torch.empty(3, 4).normal_(0, 0.02)
    assert torch.equal(weight.detach()[0], expected[0])
    assert (weight.detach()[1] >= 5).all()
    (weight * 3).sum().backward()
    assert weight.grad.tolist() == [[3.0] * 4] * 3


def test_draws_happen_in_the_order_of_calls():
    torch.manual_seed(0)
    a = torch.rand(2)
    total = a + torch.rand(2)
    b = torch.rand(2)
    torch.manual_seed(0)
    first, second, third = torch.rand(2), torch.rand(2), torch.rand(2)
    assert torch.equal(b, third)
    assert torch.equal(total, first + second)


def test_requires_grad_and_out():
    assert torch.rand(2, requires_grad=True).requires_grad
    out = torch.empty(3)
    assert torch.randn(3, out=out) is out
    torch.manual_seed(0)
    torch.rand(5, out=out)
    assert out.shape == (5,)


def test_a_warning_for_integers_that_a_float_cannot_hold():
    with pytest.warns(UserWarning, match="out of bounds"):
        torch.empty(3).random_(0, 2**24 + 10)


def test_dropout_factors():
    from flambeau.ops.random import dropout_mask

    torch.manual_seed(0)
    mask = dropout_mask((100, 100), 0.25)
    assert sorted(set(mask.flatten().tolist())) == pytest.approx([0.0, 4 / 3])
    assert 0.7 < (mask != 0).float().mean().item() < 0.8
    with pytest.raises(RuntimeError, match="can't be cast to the desired output type Long"):
        dropout_mask((2,), 0.5, torch.int64)
