"""Style-Swap against brute-force NumPy, and against convolutions in PyTorch."""

import itertools
from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nstjax.errors import NstjaxError
from nstjax.transforms import style_swap as module
from nstjax.transforms.style_swap import match_patches, style_swap

# (patch_size, stride) without gaps.
GRIDS = [(p, s) for p, s in itertools.product((1, 3, 5), (1, 2, 3)) if s <= p]


def random_features(*shapes, seed=0, positive=True):
    rng = np.random.default_rng(seed)
    maps = [rng.normal(0.3, 1, shape).astype(np.float32) for shape in shapes]
    # Not a ReLU: where it leaves one channel, many patches are equally near.
    return [np.abs(m) for m in maps] if positive else maps


def patches_of(features, size, stride):
    """All patches [N, N', size, size, C] of one map [H, W, C], in float64."""
    windows = np.lib.stride_tricks.sliding_window_view(
        features.astype(np.float64), (size, size), axis=(0, 1)
    )
    return np.moveaxis(windows[::stride, ::stride], 2, -1)


def complete(features, size, stride):
    """Repeats the last row and column until patches cover the map."""
    missing = [
        next(m for m in range(stride) if (n + m - size) % stride == 0)
        for n in features.shape[:2]
    ]
    return np.pad(features, [(0, missing[0]), (0, missing[1]), (0, 0)], "edge")


def brute_matches(content, styles, size, stride):
    content = patches_of(complete(content, size, stride), size, stride)
    style = np.concatenate(
        [
            patches_of(s, size, stride).reshape(-1, size * size * s.shape[-1])
            for s in styles
        ]
    )
    norms = np.linalg.norm(style, axis=1)
    correlations = content.reshape(*content.shape[:2], -1) @ style.T
    correlations = correlations / np.maximum(norms, 1e-8)
    return correlations.argmax(-1), style


def brute_swap(content, styles, size, stride):
    """The definition, patch by patch."""
    matches, style = brute_matches(content, styles, size, stride)
    padded = complete(content, size, stride)
    total, count = np.zeros(padded.shape), np.zeros(padded.shape[:2])
    for row, column in np.ndindex(*matches.shape):
        window = np.s_[
            row * stride : row * stride + size,
            column * stride : column * stride + size,
        ]
        patch = style[matches[row, column]]
        total[window] += patch.reshape(size, size, -1)
        count[window] += 1
    mean = total / count[:, :, None]
    return mean[: content.shape[0], : content.shape[1]]


class StyleSwapTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_equals_brute_force(self):
        content, style = random_features((2, 13, 17, 4), (2, 11, 15, 4), positive=False)
        for size, stride in GRIDS:
            options = dict(patch_size=size, stride=stride)
            matches = self.variant(partial(match_patches, **options))(content, style)
            swapped = self.variant(partial(style_swap, **options))(content, style)
            assert swapped.shape == content.shape
            for i in range(2):
                expected, _ = brute_matches(content[i], [style[i]], size, stride)
                np.testing.assert_array_equal(matches[i], expected)
                np.testing.assert_allclose(
                    swapped[i],
                    brute_swap(content[i], [style[i]], size, stride),
                    rtol=1e-5,
                    atol=1e-6,
                )

    @chex.variants(with_jit=True)
    def test_several_styles_of_different_sizes(self):
        content, *styles = random_features(
            (1, 12, 9, 3), (1, 7, 14, 3), (1, 15, 6, 3), (1, 5, 5, 3)
        )
        for size, stride in ((3, 1), (3, 2), (5, 3)):
            options = dict(patch_size=size, stride=stride)
            matches = self.variant(partial(match_patches, **options))(content, styles)
            swapped = self.variant(partial(style_swap, **options))(content, styles)
            single = [style[0] for style in styles]
            expected, patches = brute_matches(content[0], single, size, stride)
            # Not all from one style, or the test would show nothing.
            assert len(np.unique(np.digitize(expected, [len(patches) // 2]))) > 1
            np.testing.assert_array_equal(matches[0], expected)
            np.testing.assert_allclose(
                swapped[0],
                brute_swap(content[0], single, size, stride),
                rtol=1e-5,
                atol=1e-6,
            )

    @chex.variants(with_jit=True)
    def test_patches_of_zeros(self):
        content, style = random_features((1, 8, 9, 3), (1, 8, 9, 3))
        style[:, 2:6, 3:8] = 0
        content[:, :4, :4] = 0
        swapped = self.variant(style_swap)(content, style)
        assert np.isfinite(swapped).all()
        np.testing.assert_allclose(
            swapped[0], brute_swap(content[0], [style[0]], 3, 1), rtol=1e-5, atol=1e-6
        )
        # Everything is zero: nothing to compare, and nothing breaks.
        nothing = self.variant(style_swap)(content, np.zeros_like(style))
        np.testing.assert_array_equal(nothing, 0)

    @chex.variants(with_jit=True)
    def test_alpha_mixes_with_the_content(self):
        content, style = random_features((1, 8, 9, 3), (1, 7, 6, 3))
        swap = self.variant(style_swap)
        swapped = brute_swap(content[0], [style[0]], 3, 1)
        for alpha in (0.0, 0.25, 1.0):
            np.testing.assert_allclose(
                swap(content, style, alpha=alpha)[0],
                (1 - alpha) * content[0] + alpha * swapped,
                rtol=1e-5,
                atol=1e-6,
            )


@pytest.mark.parametrize("block", [1, 20, 50])
@pytest.mark.parametrize("grid", [(1, 1), (3, 1), (3, 2), (5, 3)])
def test_every_match_is_right_whatever_the_blocks(monkeypatch, block, grid):
    """Blocks of one row up to several, the last ones overlapping."""
    monkeypatch.setattr(module, "_BLOCK", block)
    size, stride = grid
    content, *styles = random_features(
        (1, 23, 10, 6), (1, 19, 9, 6), (1, 14, 12, 6), seed=1
    )
    found = match_patches(content, styles, patch_size=size, stride=stride)
    expected, _ = brute_matches(content[0], [s[0] for s in styles], size, stride)
    np.testing.assert_array_equal(found[0], expected)


def test_a_style_swapped_with_itself_stays():
    (style,) = random_features((1, 16, 16, 8))
    for scale in (1.0, 1e-3, 1e3):
        np.testing.assert_allclose(style_swap(scale * style, style), style, rtol=1e-5)


def test_of_equal_patches_the_first_is_taken():
    (tile,) = random_features((1, 4, 4, 3))
    style = np.tile(tile, (1, 3, 3, 1))
    found = match_patches(tile, style, patch_size=4, stride=4)
    np.testing.assert_array_equal(found, [[[0]]])


def test_no_gradient_passes():
    content, style = random_features((1, 6, 6, 2), (1, 6, 6, 2))
    gradients = jax.grad(lambda c, s: style_swap(c, s).sum(), argnums=(0, 1))(
        content, style
    )
    chex.assert_trees_all_equal(gradients, (0 * content, 0 * style))


def test_half_precision_is_matched_in_single():
    content, style = random_features((1, 12, 12, 16), (1, 12, 12, 16))
    content, style = (jnp.asarray(x, jnp.bfloat16) for x in (content, style))
    swapped = style_swap(content, style)
    assert swapped.dtype == jnp.bfloat16
    expected = brute_swap(
        *(
            np.asarray(x[0], np.float32) if i == 0 else [np.asarray(x[0], np.float32)]
            for i, x in enumerate((content, style))
        ),
        3,
        1,
    )
    np.testing.assert_allclose(np.asarray(swapped[0], np.float32), expected, rtol=0.02)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_works_where_jax_uses_double_precision(dtype):
    content, style, other = (
        x.astype(dtype)
        for x in random_features((1, 12, 9, 6), (1, 8, 10, 6), (1, 7, 7, 6))
    )
    with jax.enable_x64(True):
        swapped = style_swap(content, [style, other], patch_size=3, stride=2)
    assert swapped.dtype == dtype
    expected = brute_swap(content[0], [style[0], other[0]], 3, 2)
    np.testing.assert_allclose(swapped[0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (dict(patch_size=0), "patch_size must be 1 or more, not 0"),
        (dict(stride=0), "stride must be from 1 to patch_size"),
        (dict(patch_size=1, stride=2), "leave no gaps, not 2"),
        (dict(patch_size=6), "the style's features have 5 x 6 positions, too few"),
        (dict(patch_size=9), "the content's features have 8 x 8 positions, too few"),
    ],
)
def test_impossible_sizes_are_refused(options, sentence):
    content, style = random_features((1, 8, 8, 2), (1, 6, 5, 2))
    with pytest.raises(NstjaxError) as raised:
        style_swap(content, style, **options)
    assert sentence in str(raised.value)


def test_no_style_is_refused():
    with pytest.raises(NstjaxError, match="at least one style"):
        style_swap(jnp.ones((1, 4, 4, 2)), [])


@pytest.mark.parametrize("grid", GRIDS)
def test_equals_convolutions_in_pytorch(grid):
    """irasin's form: style patches as kernels, one-hot, transposed convolution.

    With a stride, the content's patches have it too, as in rtqichen's code.
    """
    torch = pytest.importorskip("torch")
    from torch.nn import functional

    size, stride = grid
    # Odd sides that patches cover to the end.
    sides = [size + stride * n for n in (6, 8)]
    content, style = random_features((1, *sides, 5), (1, 13, 17, 5), seed=2)
    c, s = (torch.from_numpy(x).permute(0, 3, 1, 2) for x in (content, style))
    patches = s.unfold(2, size, stride).unfold(3, size, stride)
    patches = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, 5, size, size)
    kernels = patches / patches.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)
    scores = functional.conv2d(c, kernels, stride=stride)
    best = scores.argmax(1, keepdim=True)
    chosen = torch.zeros_like(scores).scatter_(1, best, 1)
    total = functional.conv_transpose2d(chosen, patches, stride=stride)
    overlap = functional.conv_transpose2d(
        chosen, torch.ones_like(patches), stride=stride
    )
    expected = (total / overlap).permute(0, 2, 3, 1)
    options = dict(patch_size=size, stride=stride)
    np.testing.assert_array_equal(match_patches(content, style, **options), best[:, 0])
    np.testing.assert_allclose(
        style_swap(content, style, **options), expected, rtol=1e-5, atol=1e-6
    )
