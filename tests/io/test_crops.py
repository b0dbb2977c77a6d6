"""Crops against Pillow's resampling of the whole picture, sliced."""

import io

import numpy as np
import pytest
from PIL import Image

from nstjax.errors import NstjaxError
from nstjax.io.crops import Crop, cut


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Pixels without any symmetry: shifts, flips and turns all show."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def smooth(height: int, width: int) -> np.ndarray:
    """A picture that a JPEG keeps to within a level or two."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [
        np.sin(x / width * 5 + y / height * 2),
        np.cos(y / height * 7),
        np.sin(x / width * 3 - y / height * 4),
    ]
    return np.uint8(127.5 + 100 * np.stack(waves, -1))


def encoded(pixels: np.ndarray, file_format: str, **options) -> Image.Image:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, file_format, **options)
    return Image.open(io.BytesIO(buffer.getvalue()))


class TestBox:
    def test_the_middle_at_the_base_scale(self):
        # The short side of 100 becomes 50, so 30 px of crop are 60 of picture.
        assert Crop(30, 50).box(200, 100, None) == (70, 20, 130, 80)

    @pytest.mark.parametrize("size", [(40, 40), (300, 20), (33, 1001)])
    def test_random_ones_lie_inside(self, size):
        crop, random = Crop(16, 32, largest_scale=2.0), np.random.default_rng(0)
        boxes = np.array([crop.box(*size, random) for _ in range(500)])
        left, upper, right, lower = boxes.T
        assert left.min() >= 0 and upper.min() >= 0
        assert right.max() <= size[0] and lower.max() <= size[1]
        np.testing.assert_allclose(right - left, lower - upper)

    def test_random_ones_reach_every_corner(self):
        crop, random = Crop(16, 32), np.random.default_rng(0)
        boxes = np.array([crop.box(64, 32, random) for _ in range(2000)])
        np.testing.assert_allclose(boxes.min(0)[:2], [0, 0], atol=0.2)
        np.testing.assert_allclose(boxes.max(0)[2:], [64, 32], atol=0.2)

    def test_scales_are_log_uniform(self):
        crop, random = Crop(16, 32, largest_scale=4.0), np.random.default_rng(0)
        boxes = np.array([crop.box(32, 32, random) for _ in range(4000)])
        zooms = np.sort(np.log(16 / (boxes[:, 2] - boxes[:, 0])))
        expected = np.linspace(0, np.log(4), len(zooms))
        np.testing.assert_allclose(zooms, expected, atol=0.05)


class TestCut:
    def test_no_scaling_is_a_slice(self):
        pixels = noise(40, 60)
        result = cut(Image.fromarray(pixels), Crop(20, 40), None)
        np.testing.assert_array_equal(result, pixels[10:30, 20:40])

    @pytest.mark.parametrize("short_side", [20, 40, 120])
    def test_scaling_is_that_of_the_whole_picture(self, short_side):
        pixels = noise(40, 60)
        whole = Image.fromarray(pixels).resize(
            (short_side * 3 // 2, short_side), Image.Resampling.BICUBIC
        )
        size = short_side // 2
        top, left = (short_side - size) // 2, (short_side * 3 // 2 - size) // 2
        result = cut(Image.fromarray(pixels), Crop(size, short_side), None)
        expected = np.asarray(whole)[top : top + size, left : left + size]
        # Coordinates are rounded in another order.
        assert np.abs(result.astype(int) - expected).max() <= 1

    def test_random_crops_are_regions_of_the_picture(self):
        pixels = noise(40, 60)
        crop = Crop(16, 40)
        for seed in range(10):
            box = crop.box(60, 40, np.random.default_rng(seed))
            expected = Image.fromarray(pixels).resize(
                (16, 16), Image.Resampling.BICUBIC, box=box
            )
            result = cut(Image.fromarray(pixels), crop, np.random.default_rng(seed))
            np.testing.assert_array_equal(result, np.asarray(expected))

    def test_half_of_the_crops_are_mirrored(self):
        pixels = noise(32, 32)
        mirrored = 0
        for seed in range(400):
            random = np.random.default_rng(seed)
            result = cut(Image.fromarray(pixels), Crop(32, 32, flip=True), random)
            is_mirrored = np.array_equal(result, pixels[:, ::-1])
            assert is_mirrored or np.array_equal(result, pixels)
            mirrored += is_mirrored
        # Four standard deviations of a fair coin.
        assert abs(mirrored - 200) < 40

    def test_validation_is_never_mirrored(self):
        pixels = noise(32, 32)
        result = cut(Image.fromarray(pixels), Crop(32, 32, flip=True), None)
        np.testing.assert_array_equal(result, pixels)

    @pytest.mark.parametrize("short_side", [24, 50, 100])
    @pytest.mark.parametrize("size", [(777, 1001), (805, 803)])
    def test_a_jpeg_decoded_small_is_the_same_picture(self, size, short_side):
        jpeg = encoded(smooth(*size), "JPEG", quality=98, subsampling=0)
        full = Image.fromarray(np.asarray(jpeg.convert("RGB")))
        jpeg = encoded(smooth(*size), "JPEG", quality=98, subsampling=0)
        for random in (None, *map(np.random.default_rng, range(5))):
            state = random and random.bit_generator.state
            crop = Crop(short_side, short_side)
            expected = cut(full, crop, random)
            if random:
                random.bit_generator.state = state
            jpeg = encoded(smooth(*size), "JPEG", quality=98, subsampling=0)
            result = cut(jpeg, crop, random)
            assert jpeg.size[0] < size[1]  # it was indeed decoded small
            error = np.abs(result.astype(int) - expected)
            assert error.mean() < 0.6 and error.max() <= 4

    def test_a_jpeg_just_large_enough_is_decoded_in_full(self):
        jpeg = encoded(smooth(96, 96), "JPEG")
        cut(jpeg, Crop(50, 50), None)
        assert jpeg.size == (96, 96)

    @pytest.mark.parametrize("file_format", ["JPEG", "TIFF", "WEBP", "PNG"])
    @pytest.mark.parametrize(
        ("orientation", "turned"),
        [(3, lambda a: a[::-1, ::-1]), (6, lambda a: np.rot90(a, -1))],
    )
    def test_is_upright(self, file_format, orientation, turned):
        pixels = smooth(40, 40)
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = encoded(pixels, file_format, exif=exif)
        result = cut(image, Crop(40, 40), None)
        assert np.abs(result.astype(int) - turned(pixels)).max() < 20

    def test_the_same_region_whichever_way_it_is_stored(self):
        pixels = smooth(40, 64)
        exif = Image.Exif()
        exif[0x0112] = 6  # a quarter turn clockwise makes it upright
        image = encoded(np.rot90(pixels).copy(), "JPEG", exif=exif, quality=98)
        result = cut(image, Crop(20, 40), None)
        assert np.abs(result.astype(int) - pixels[10:30, 22:42]).max() < 12

    def test_transparency_is_white(self):
        pixels = np.concatenate([noise(32, 32), np.zeros((32, 32, 1), np.uint8)], -1)
        pixels[:16, :, 3] = 255
        result = cut(Image.fromarray(pixels), Crop(32, 32), None)
        np.testing.assert_array_equal(result[:16], pixels[:16, :, :3])
        assert (result[16:] == 255).all()

    def test_16_bits(self):
        levels = np.random.default_rng(0).integers(0, 2**16, (32, 32), np.uint16)
        result = cut(encoded(levels, "PNG"), Crop(32, 32), None)
        expected = np.rint(levels / 65535 * 255)[..., None].repeat(3, -1)
        np.testing.assert_array_equal(result, expected)

    def test_grey_and_palette(self):
        grey = noise(32, 32)[..., 0]
        result = cut(Image.fromarray(grey), Crop(32, 32), None)
        np.testing.assert_array_equal(result, grey[..., None].repeat(3, -1))
        palette = Image.fromarray(noise(32, 32)).quantize(16)
        result = cut(palette, Crop(32, 32), None)
        np.testing.assert_array_equal(result, np.asarray(palette.convert("RGB")))


@pytest.mark.parametrize(
    "options",
    [
        {"size": 65, "short_side": 64},
        {"size": 0, "short_side": 64},
        {"size": 32, "short_side": 64, "largest_scale": 0.5},
        {"size": 32, "short_side": 64, "largest_scale": float("nan")},
    ],
)
def test_impossible_crops_are_refused(options):
    with pytest.raises(NstjaxError, match="short side"):
        Crop(**options)
