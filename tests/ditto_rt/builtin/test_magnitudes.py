import torch

from ditto_rt.builtin.magnitudes import from_polar, magnitudes, scaled


def _numbers(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, dtype=torch.complex128, generator=generator)


def test_gradients_are_those_of_finite_differences() -> None:
    z = _numbers(3, 4).requires_grad_()
    gain = torch.rand(3, 4, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(magnitudes, z)
    assert torch.autograd.gradcheck(scaled, (z, gain))
    assert torch.autograd.gradcheck(from_polar, (gain, z.detach().real.requires_grad_()))


def test_a_number_is_its_magnitude_at_its_angle() -> None:
    z = _numbers(5)
    torch.testing.assert_close(magnitudes(z), z.abs())
    torch.testing.assert_close(from_polar(z.abs(), z.angle()), z)


def test_nothing_has_no_slope() -> None:
    z = torch.zeros(2, dtype=torch.complex64, requires_grad=True)
    (slope,) = torch.autograd.grad(magnitudes(z).sum(), z)
    assert slope.tolist() == [0, 0]
