"""The fast convolutions equal plain ones: value and both gradients, in loops too."""

from unittest import mock

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import parameterized
from jax import lax

from nstjax.ops import convolution
from nstjax.ops.convolution import (
    conv3x3,
    conv3x3_stride2,
    conv3x3_valid,
    conv7x7_stride2,
    upsample_reflect_conv3x3,
)

CHANNELS, FILTERS = 3, 5


def plain_valid(x, kernel):
    return lax.conv_general_dilated(
        x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def plain_zero(x, kernel):
    return plain_valid(jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), kernel)


def plain_reflect(x, kernel):
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    return plain_valid(padded, kernel)


def plain_upsample(x, kernel):
    return plain_reflect(x.repeat(2, axis=1).repeat(2, axis=2), kernel)


# Each fast form beside the plain one.
FORMS = {
    "zero": (lambda x, k: conv3x3(x, k, padding="zero"), plain_zero),
    "reflect": (lambda x, k: conv3x3(x, k, padding="reflect"), plain_reflect),
    "valid": (conv3x3_valid, plain_valid),
    "upsample": (upsample_reflect_conv3x3, plain_upsample),
}
SIZES = ((6, 8), (7, 3))


def random_inputs(size, seed=0, channels=CHANNELS):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, *size, channels)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, channels, FILTERS)).astype(np.float32)
    return x, kernel


def value_and_gradients(form, cotangent):
    """The output, and its gradients for the input and for the kernel."""

    def function(x, kernel):
        output, pull_back = jax.vjp(form, x, kernel)
        return output, *pull_back(cotangent)

    return function


class FastFormsTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    @parameterized.product(
        name=list(FORMS), size=SIZES, channels=(CHANNELS, 6), library=(True, False)
    )
    def test_equal_plain_forms(self, name, size, channels, library):
        """Few channels and more; whatever flags say of XLA's library."""
        patch = mock.patch.object(
            convolution, "has_plain_convolutions", lambda: not library
        )
        self.enter_context(patch)
        fast, plain = FORMS[name]
        x, kernel = random_inputs(size, channels=channels)
        expected = plain(x, kernel)
        cotangent = jnp.asarray(
            np.random.default_rng(1).normal(size=expected.shape), jnp.float32
        )
        results = self.variant(value_and_gradients(fast, cotangent))(x, kernel)
        chex.assert_trees_all_close(
            results, value_and_gradients(plain, cotangent)(x, kernel), atol=2e-5
        )

    @parameterized.parameters(*FORMS)
    def test_equal_plain_forms_inside_a_scan(self, name):
        fast, plain = FORMS[name]
        x, kernel = random_inputs((6, 8))

        def descend(form):
            def step(carry, _):
                loss, gradients = jax.value_and_grad(
                    lambda x, kernel: jnp.square(form(x, kernel)).mean(), (0, 1)
                )(*carry)
                moved = jax.tree.map(lambda v, g: v - 0.1 * g, carry, gradients)
                return moved, loss

            return jax.jit(lambda *c: lax.scan(step, c, length=4))(x, kernel)

        chex.assert_trees_all_close(descend(fast), descend(plain), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("padding", ["zero", "reflect"])
def test_same_as_torch(padding):
    torch = pytest.importorskip("torch")
    x, kernel = random_inputs((7, 5))
    mode = {"zero": "constant", "reflect": "reflect"}[padding]
    inputs = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).requires_grad_()
    weights = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()).requires_grad_()
    padded = torch.nn.functional.pad(inputs, (1, 1, 1, 1), mode=mode)
    expected = torch.nn.functional.conv2d(padded, weights)
    expected.square().sum().backward()

    def form(x, kernel):
        return conv3x3(x, kernel, padding=padding)

    x_gradient, kernel_gradient = jax.grad(
        lambda x, kernel: jnp.square(form(x, kernel)).sum(), (0, 1)
    )(x, kernel)
    to_nhwc, to_hwio = (0, 2, 3, 1), (2, 3, 1, 0)
    for result, reference in (
        (form(x, kernel), expected.detach().numpy().transpose(to_nhwc)),
        (x_gradient, inputs.grad.numpy().transpose(to_nhwc)),
        (kernel_gradient, weights.grad.numpy().transpose(to_hwio)),
    ):
        tolerance = 1e-5 * np.abs(reference).max()
        np.testing.assert_allclose(result, reference, rtol=1e-4, atol=tolerance)


def test_upsampling_same_as_torch():
    torch = pytest.importorskip("torch")
    x, kernel = random_inputs((3, 4))
    upsampled = torch.nn.functional.interpolate(
        torch.from_numpy(x.transpose(0, 3, 1, 2).copy()), scale_factor=2, mode="nearest"
    )
    padded = torch.nn.functional.pad(upsampled, (1, 1, 1, 1), mode="reflect")
    expected = torch.nn.functional.conv2d(
        padded, torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
    )
    np.testing.assert_allclose(
        upsample_reflect_conv3x3(x, kernel),
        expected.numpy().transpose(0, 2, 3, 1),
        atol=2e-5,
    )


def test_identity_kernel_returns_the_picture():
    x, _ = random_inputs((4, 5))
    kernel = np.zeros((3, 3, CHANNELS, CHANNELS), np.float32)
    kernel[1, 1] = np.eye(CHANNELS)
    for padding in ("zero", "reflect"):
        np.testing.assert_array_equal(conv3x3(x, kernel, padding=padding), x)


def test_misuse_is_refused():
    x, kernel = random_inputs((4, 5))
    with pytest.raises(ValueError, match="'zero'"):
        conv3x3(x, kernel, padding="same")
    with pytest.raises(AssertionError):
        conv3x3(x[..., :2], kernel, padding="zero")
    with pytest.raises(AssertionError):
        upsample_reflect_conv3x3(x, kernel[:2])


def strided_forms(side):
    """The fast form with stride 2 of a kernel's side, and torch's."""
    torch = pytest.importorskip("torch")

    def plain(x, kernel):
        return torch.nn.functional.conv2d(x, kernel, stride=2, padding=side // 2)

    return {3: conv3x3_stride2, 7: conv7x7_stride2}[side], plain


@pytest.mark.parametrize(
    ("side", "size"), [(3, (6, 8)), (3, (7, 5)), (3, (1, 2)), (7, (8, 6)), (7, (2, 2))]
)
def test_stride_2_same_as_torch(side, size):
    torch = pytest.importorskip("torch")
    form, plain = strided_forms(side)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, *size, CHANNELS)).astype(np.float32)
    kernel = rng.normal(size=(side, side, CHANNELS, FILTERS)).astype(np.float32)
    inputs = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).requires_grad_()
    weights = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()).requires_grad_()
    expected = plain(inputs, weights)
    expected.square().sum().backward()
    expected = expected.detach().numpy().transpose(0, 2, 3, 1)

    @jax.jit
    def value_and_gradients(x, kernel):
        output, pull_back = jax.vjp(form, x, kernel)
        return output, *pull_back(2 * output)

    output, x_gradient, kernel_gradient = value_and_gradients(x, kernel)
    for found, wanted in (
        (output, expected),
        (x_gradient, inputs.grad.numpy().transpose(0, 2, 3, 1)),
        (kernel_gradient, weights.grad.numpy().transpose(2, 3, 1, 0)),
    ):
        np.testing.assert_allclose(
            found, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max()
        )


def test_stride_2_descends_in_a_loop_as_outside():
    x, kernel = random_inputs((8, 6))

    def step(x):
        return x - 0.01 * jax.grad(
            lambda x: jnp.square(conv3x3_stride2(x, kernel)).sum()
        )(x)

    looped = jax.jit(lambda x: lax.scan(lambda x, _: (step(x), None), x, None, 3)[0])(x)
    expected = step(step(step(x)))
    np.testing.assert_allclose(looped, expected, rtol=1e-4, atol=1e-5)


def test_odd_sides_are_refused_where_pixels_pair_up():
    x = np.zeros((1, 7, 6, 3), np.float32)
    with pytest.raises(ValueError, match="even"):
        conv7x7_stride2(x, np.zeros((7, 7, 3, 2), np.float32))
