"""What a file's numbers mean: orientation, profiles, alpha, depth, modes."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps

from nstjax.errors import NstjaxError
from nstjax.io.images import read_image

# Linear RGB to XYZ under D50, columns red, green, blue (B. Lindbloom; Apple).
_SRGB_TO_XYZ = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
_P3_TO_XYZ = np.array(
    [
        [0.51512, 0.29198, 0.15710],
        [0.24120, 0.69225, 0.06657],
        [-0.00105, 0.04189, 0.78407],
    ]
)


def read(path):
    return read_image(path, min_side=1)


def saved(tmp_path, image, name, **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


def levels(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encode_srgb(linear):
    """The sRGB curve of IEC 61966-2-1."""
    linear = np.clip(linear, 0, 1)
    return np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
    )


def png(samples, *, depth, color_type, chunks=()):
    """A PNG file written by hand, for the kinds that Pillow does not write."""

    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    rows = b"".join(b"\0" + packed(row, depth) for row in samples)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            *(chunk(*c) for c in chunks),
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        ]
    )


def packed(row, depth):
    """A row of samples as PNG and TIFF store them, the most significant bit first."""
    if depth >= 8:
        return row.astype(f">u{depth // 8}").tobytes()
    bits = (row.reshape(-1, 1) >> np.arange(depth)[::-1]) & 1
    return np.packbits(bits.astype(np.uint8)).tobytes()


def icc_profile(device_class, space, connection_space, tags):
    """An ICC version 2 profile written by hand."""
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    header = struct.pack(">I4sI", offset + len(body), b"\0" * 4, 0x02400000)
    header += device_class + space + connection_space + b"\0" * 12 + b"acsp"
    header = header.ljust(68, b"\0") + fixed_points(0.9642, 1, 0.8249)
    return header.ljust(128, b"\0") + table + body


def fixed_points(*values):
    return struct.pack(f">{len(values)}i", *(round(v * 65536) for v in values))


def gamma_curve(gamma):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def rgb_profile(to_xyz, gamma):
    tags = {b"wtpt": b"XYZ \0\0\0\0" + fixed_points(0.9642, 1, 0.8249)}
    for i, name in enumerate((b"r", b"g", b"b")):
        tags[name + b"XYZ"] = b"XYZ \0\0\0\0" + fixed_points(*to_xyz[:, i])
        tags[name + b"TRC"] = gamma_curve(gamma)
    return icc_profile(b"mntr", b"RGB ", b"XYZ ", tags)


def grey_profile(gamma):
    tags = {
        b"wtpt": b"XYZ \0\0\0\0" + fixed_points(0.9642, 1, 0.8249),
        b"kTRC": gamma_curve(gamma),
    }
    return icc_profile(b"mntr", b"GRAY", b"XYZ ", tags)


def black_ink_profile():
    """A CMYK profile in which only K leaves a mark: L* = 100 (1 - K)."""
    identity = bytes(range(256))
    # Grid of 2 x 2 x 2 x 2 colours, K fastest, in 8-bit Lab with a* = b* = 0.
    grid = bytes([255, 128, 128, 0, 128, 128]) * 8
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0])
    table += fixed_points(1, 0, 0, 0, 1, 0, 0, 0, 1)
    table += identity * 4 + grid + identity * 3
    return icc_profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table})


# Orientation ----------------------------------------------------------------

# The EXIF standard says where the stored row 0 and column 0 lie in the upright
# picture: stored[r, c] as a function of the upright u and its last y and x.
_STORED_FROM_UPRIGHT = {
    1: lambda u, y, x, r, c: u[r, c],  # row 0 top, column 0 left
    2: lambda u, y, x, r, c: u[r, x - c],  # top, right
    3: lambda u, y, x, r, c: u[y - r, x - c],  # bottom, right
    4: lambda u, y, x, r, c: u[y - r, c],  # bottom, left
    5: lambda u, y, x, r, c: u[c, r],  # left, top
    6: lambda u, y, x, r, c: u[c, x - r],  # right, top
    7: lambda u, y, x, r, c: u[y - c, x - r],  # right, bottom
    8: lambda u, y, x, r, c: u[y - c, r],  # left, bottom
}
_SAVE_OPTIONS = {
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "JPEG": {"quality": 100, "subsampling": 0},
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", _SAVE_OPTIONS)
def test_every_exif_orientation_comes_upright(tmp_path, file_format, orientation):
    upright = levels((2, 3, 3))
    height, width = (2, 3) if orientation < 5 else (3, 2)
    stored = np.array(
        [
            [
                _STORED_FROM_UPRIGHT[orientation](upright, 1, 2, r, c)
                for c in range(width)
            ]
            for r in range(height)
        ]
    )
    # Flat blocks of 16 x 16 pixels survive JPEG.
    image = Image.fromarray(stored.repeat(16, axis=0).repeat(16, axis=1))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(
        tmp_path,
        image,
        "p",
        format=file_format,
        exif=exif,
        **_SAVE_OPTIONS[file_format],
    )
    expected = upright.repeat(16, axis=0).repeat(16, axis=1) / 255
    atol = 3 / 255 if file_format == "JPEG" else 1e-7
    image = read(path)
    assert image.flags.c_contiguous
    np.testing.assert_allclose(image, expected, atol=atol)
    with Image.open(path) as opened:
        pillow = np.asarray(ImageOps.exif_transpose(opened)) / 255
    np.testing.assert_allclose(image, pillow, atol=1e-7)


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0MM\0*",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0not a TIFF header at all",
        # One entry, orientation, of an unknown type, then of 2^32 - 1 values.
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\xff\xff\x01\0\0\0\x06\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xff\xff\xff\xff\x06\0\0\0",
        # Orientations that do not exist.
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x00\0\0\0\0\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09\0\0\0\0\0\0\0",
    ],
)
@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "JPEG"])
def test_damaged_exif_is_not_fatal(tmp_path, file_format, exif):
    pixels = np.full((20, 30, 3), 200, np.uint8)
    path = saved(tmp_path, Image.fromarray(pixels), "p", format=file_format, exif=exif)
    np.testing.assert_allclose(read(path), pixels / 255, atol=1 / 255)


# Colour profiles ------------------------------------------------------------


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP"])
def test_wide_gamut_profile_is_converted_to_srgb(tmp_path, file_format):
    gamma = 563 / 256
    # Colours near grey, which sRGB can show.
    pixels = (100 + levels((16, 16, 3)) // 4).astype(np.uint8)
    path = saved(
        tmp_path,
        Image.fromarray(pixels),
        "p",
        format=file_format,
        icc_profile=rgb_profile(_P3_TO_XYZ, gamma),
        **_SAVE_OPTIONS[file_format],
    )
    linear = (pixels / 255) ** gamma @ _P3_TO_XYZ.T @ np.linalg.inv(_SRGB_TO_XYZ).T
    expected = encode_srgb(linear)
    assert np.abs(expected - pixels / 255).max() > 10 / 255
    np.testing.assert_allclose(read(path), expected, atol=1.5 / 255)


def test_a_profile_can_be_ignored(tmp_path):
    pixels = levels((16, 16, 3))
    profile = rgb_profile(_P3_TO_XYZ, 563 / 256)
    path = saved(tmp_path, Image.fromarray(pixels), "p.png", icc_profile=profile)
    assert np.abs(read(path) - pixels / 255).max() > 10 / 255
    found = read_image(path, color_managed=False)
    np.testing.assert_allclose(found, pixels / 255, atol=1e-6)


def test_srgb_profile_changes_nothing_to_speak_of(tmp_path):
    pixels = levels((16, 16, 3))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = saved(tmp_path, Image.fromarray(pixels), "p.png", icc_profile=profile)
    np.testing.assert_allclose(read(path), pixels / 255, atol=1.01 / 255)


def test_profile_leaves_alpha_alone(tmp_path):
    pixels = np.full((16, 16, 4), 128, np.uint8)
    pixels[..., 3] = np.arange(16) * 17
    path = saved(
        tmp_path,
        Image.fromarray(pixels),
        "p.png",
        icc_profile=rgb_profile(_SRGB_TO_XYZ, 1.0),
    )
    alpha = np.arange(16)[:, None] / 15
    expected = encode_srgb(128 / 255) * alpha + 1 - alpha
    np.testing.assert_allclose(read(path)[0], expected.repeat(3, 1), atol=1.5 / 255)


@pytest.mark.parametrize("depth", [8, 16])
def test_grey_profile_is_converted(tmp_path, depth):
    white = 2**depth - 1
    samples = np.linspace(0, white, 256).astype(int).reshape(16, 16)
    gamma = 461 / 256
    # A name, its end, and 0 for zlib.
    embedded = (b"iCCP", b"grey\0\0" + zlib.compress(grey_profile(gamma)))
    path = tmp_path / "p.png"
    path.write_bytes(png(samples, depth=depth, color_type=0, chunks=[embedded]))
    expected = encode_srgb((samples / white) ** gamma)[..., None].repeat(3, axis=2)
    assert np.abs(expected - (samples / white)[..., None]).max() > 15 / 255
    np.testing.assert_allclose(read(path), expected, atol=1 / 255)


def test_cmyk_profile_is_used(tmp_path):
    inks = levels((16, 16, 4))
    path = saved(
        tmp_path,
        Image.frombytes("CMYK", (16, 16), inks.tobytes()),
        "p.tif",
        icc_profile=black_ink_profile(),
    )
    lightness = 100 * (1 - inks[..., 3] / 255)
    f = (lightness + 16) / 116  # CIE 1976
    linear = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    expected = encode_srgb(linear)[..., None].repeat(3, axis=2)
    np.testing.assert_allclose(read(path), expected, atol=2 / 255)


@pytest.mark.parametrize(
    "profile",
    [
        b"no profile",
        grey_profile(1.0),
        black_ink_profile(),
        rgb_profile(_P3_TO_XYZ, 1)[:200],
    ],
    ids=["garbage", "grey", "cmyk", "truncated"],
)
def test_unusable_profile_is_ignored(tmp_path, profile):
    pixels = levels((16, 16, 3))
    path = saved(tmp_path, Image.fromarray(pixels), "p.png", icc_profile=profile)
    np.testing.assert_allclose(read(path), pixels / 255, atol=1e-7)


# Modes, depth and alpha -----------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_alpha_is_blended_with_white(tmp_path, suffix):
    pixels = levels((16, 16, 4))
    options = {"lossless": True, "exact": True} if suffix == "webp" else {}
    path = saved(tmp_path, Image.fromarray(pixels), f"p.{suffix}", **options)
    color, alpha = pixels[..., :3] / 255, pixels[..., 3:] / 255
    np.testing.assert_allclose(read(path), color * alpha + 1 - alpha, atol=1e-6)


def test_grey_with_alpha(tmp_path):
    pixels = levels((16, 16, 2))
    path = saved(tmp_path, Image.frombytes("LA", (16, 16), pixels.tobytes()), "p.png")
    grey, alpha = pixels[..., :1] / 255, pixels[..., 1:] / 255
    expected = (grey * alpha + 1 - alpha).repeat(3, axis=2)
    np.testing.assert_allclose(read(path), expected, atol=1e-6)


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "webp"])
def test_grey(tmp_path, suffix):
    pixels = np.full((16, 16), 77, np.uint8)
    path = saved(tmp_path, Image.fromarray(pixels), f"p.{suffix}")
    np.testing.assert_allclose(read(path), np.full((16, 16, 3), 77 / 255), atol=1e-7)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_one_bit(tmp_path, suffix):
    bits = levels((16, 20)) > 127
    path = saved(tmp_path, Image.fromarray(bits), f"p.{suffix}")
    np.testing.assert_array_equal(read(path), bits[..., None].repeat(3, axis=2))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_palette(tmp_path, suffix):
    palette = levels((256, 3))
    indices = levels((16, 16), seed=1)
    image = Image.fromarray(indices)
    image.putpalette(palette.tobytes())
    path = saved(tmp_path, image, f"p.{suffix}")
    np.testing.assert_allclose(read(path), palette[indices] / 255, atol=1e-7)


def test_palette_with_transparency(tmp_path):
    palette = levels((256, 3))
    opacity = levels(256, seed=1)
    indices = levels((16, 16), seed=2)
    image = Image.fromarray(indices)
    image.putpalette(palette.tobytes())
    path = saved(tmp_path, image, "p.png", transparency=opacity.tobytes())
    alpha = opacity[indices][..., None] / 255
    expected = palette[indices] / 255 * alpha + 1 - alpha
    np.testing.assert_allclose(read(path), expected, atol=1e-6)


def test_color_marked_transparent(tmp_path):
    pixels = np.full((16, 16, 3), 50, np.uint8)
    pixels[:8] = 10, 20, 30
    path = saved(tmp_path, Image.fromarray(pixels), "p.png", transparency=(10, 20, 30))
    expected = np.full((16, 16, 3), 50 / 255)
    expected[:8] = 1
    np.testing.assert_allclose(read(path), expected, atol=1e-7)


def test_cmyk_without_profile(tmp_path):
    inks = levels((16, 16, 4))
    image = Image.frombytes("CMYK", (16, 16), inks.tobytes())
    path = saved(tmp_path, image, "p.tif")
    expected = (1 - inks[..., :3] / 255) * (1 - inks[..., 3:] / 255)
    np.testing.assert_allclose(read(path), expected, atol=1 / 255)


def test_cmyk_jpeg(tmp_path):
    image = Image.new("CMYK", (16, 16), (200, 100, 0, 50))
    path = saved(tmp_path, image, "p.jpg", quality=100, subsampling=0)
    expected = (1 - np.array([200, 100, 0]) / 255) * (1 - 50 / 255)
    np.testing.assert_allclose(
        read(path), np.broadcast_to(expected, (16, 16, 3)), atol=3 / 255
    )


def test_png_of_16_bit_grey_keeps_its_precision(tmp_path):
    samples = np.arange(65536).reshape(256, 256)
    path = tmp_path / "p.png"
    path.write_bytes(png(samples, depth=16, color_type=0))
    expected = (samples / 65535)[..., None].repeat(3, axis=2)
    np.testing.assert_allclose(read(path), expected, atol=1e-7)


@pytest.mark.parametrize(
    ("photometric", "byteorder"),
    [("minisblack", "<"), ("minisblack", ">"), ("miniswhite", "<")],
)
def test_tiff_of_16_bit_grey_keeps_its_precision(tmp_path, photometric, byteorder):
    samples = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    path = tmp_path / "p.tif"
    tifffile.imwrite(path, samples, photometric=photometric, byteorder=byteorder)
    grey = samples / 65535 if photometric == "minisblack" else 1 - samples / 65535
    np.testing.assert_allclose(read(path), grey[..., None].repeat(3, axis=2), atol=1e-6)


def test_tiff_of_12_bit_grey(tmp_path):
    samples = np.arange(4096).reshape(64, 64)
    even, odd = samples[:, ::2], samples[:, 1::2]
    packed = np.stack([even >> 4, (even & 15) << 4 | odd >> 8, odd & 255], axis=-1)
    tags = {
        256: 64,  # width
        257: 64,  # height
        258: 12,  # bits per sample
        259: 1,  # no compression
        262: 1,  # black is zero
        273: 8,  # where the pixels begin
        277: 1,  # samples per pixel
        278: 64,  # rows per strip
        279: packed.size,
    }
    path = tmp_path / "p.tif"
    path.write_bytes(
        struct.pack("<2sHI", b"II", 42, 8 + packed.size)
        + packed.astype(np.uint8).tobytes()
        + struct.pack("<H", len(tags))
        + b"".join(struct.pack("<HHII", t, 4, 1, v) for t, v in tags.items())
        + b"\0\0\0\0"
    )
    expected = (samples / 4095)[..., None].repeat(3, axis=2)
    np.testing.assert_allclose(read(path), expected, atol=1e-6)


def test_16_bit_rgb_png_keeps_the_upper_8_bits(tmp_path):
    samples = np.random.default_rng(0).integers(0, 65536, (16, 16, 3), np.uint16)
    path = tmp_path / "p.png"
    path.write_bytes(png(samples, depth=16, color_type=2))
    np.testing.assert_allclose(read(path), samples // 256 / 255, atol=1e-7)


def test_lab_is_refused(tmp_path):
    path = saved(tmp_path, Image.new("LAB", (16, 16)), "p.tif")
    with pytest.raises(NstjaxError, match=f"^{path} has Pillow's colour mode LAB,"):
        read(path)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_transparent_grey_of_every_depth(tmp_path, depth):
    samples = np.random.default_rng(depth).integers(0, 2**depth, (16, 16))
    key = samples[3, 4]
    path = tmp_path / "p.png"
    chunks = [(b"tRNS", struct.pack(">H", key))]
    path.write_bytes(png(samples, depth=depth, color_type=0, chunks=chunks))
    expected = np.where(samples == key, 1, samples / (2**depth - 1))[..., None]
    np.testing.assert_allclose(read(path), np.repeat(expected, 3, 2), atol=1e-7)
    behind = np.where(samples == key, 0, samples / (2**depth - 1))[..., None]
    on_black = read_image(path, min_side=1, background=0)
    np.testing.assert_allclose(on_black, np.repeat(behind, 3, 2), atol=1e-7)


def test_transparent_rgb_of_16_bits_is_refused(tmp_path):
    samples = np.full((16, 16, 3), 300)
    path = tmp_path / "p.png"
    chunks = [(b"tRNS", struct.pack(">3H", 300, 300, 300))]
    path.write_bytes(png(samples, depth=16, color_type=2, chunks=chunks))
    with pytest.raises(NstjaxError, match="one transparent colour of 16 bits"):
        read(path)


def test_a_profile_of_megabytes(tmp_path):
    profile = rgb_profile(_SRGB_TO_XYZ, 2.2)
    noise = np.random.default_rng(0).bytes(1_500_000)
    # Profiles may be followed by private tags; their size is in their head.
    profile = struct.pack(">I", len(profile) + len(noise)) + profile[4:] + noise
    image = Image.fromarray(levels((16, 16, 3)))
    path = saved(tmp_path, image, "p.png", icc_profile=profile)
    expected = encode_srgb((levels((16, 16, 3)) / 255) ** 2.2)
    np.testing.assert_allclose(read(path), expected, atol=0.02)


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_first_of_several_frames_is_read(tmp_path, suffix):
    first, second = levels((16, 16, 3)), levels((16, 16, 3), seed=1)
    options = {"lossless": True} if suffix == "webp" else {}
    path = saved(
        tmp_path,
        Image.fromarray(first),
        f"p.{suffix}",
        save_all=True,
        append_images=[Image.fromarray(second)],
        **options,
    )
    np.testing.assert_allclose(read(path), first / 255, atol=1e-7)


def test_jpeg_with_a_second_picture_inside_is_read(tmp_path):
    first, second = (
        np.full((16, 16, 3), 60, np.uint8),
        np.full((16, 16, 3), 90, np.uint8),
    )
    path = tmp_path / "phone.jpg"
    buffer = io.BytesIO()
    Image.fromarray(first).save(
        buffer, "MPO", save_all=True, append_images=[Image.fromarray(second)]
    )
    path.write_bytes(buffer.getvalue())
    np.testing.assert_allclose(read(path), first / 255, atol=1 / 255)
