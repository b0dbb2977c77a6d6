"""TIFF files of every layout, written by hand, so that no reader's view is tested.

What is written here follows the TIFF 6.0 specification's sections 2 to 8 and 16, 18.
"""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from nstjax.errors import NstjaxError
from nstjax.io.datasets import open_picture
from nstjax.io.images import read_image, read_size

_HEIGHT, _WIDTH = 20, 32
_SIZES = {1: "B", 3: "H", 4: "I"}
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6


def samples(*shape, bits=8, seed=0):
    random = np.random.default_rng(seed)
    return random.integers(0, 2**bits, (_HEIGHT, _WIDTH, *shape), dtype=np.int64)


def packed(planes, bits, order):
    """Planes [N, H, W * samples] as bytes; rows begin at whole bytes."""
    if bits >= 8:
        return planes.astype(f"{order}u{bits // 8}").tobytes()
    spread = (planes[..., None] >> np.arange(bits)[::-1]) & 1
    rows = spread.reshape(*planes.shape[:2], -1).astype(np.uint8)
    return np.packbits(rows, axis=-1).tobytes()


def write(
    path, array, bits, photometric, *, order="<", separate=False, deflate=False, **tags
):
    """Writes [H, W, N]; `tags` are further ones, as tag_NUMBER=(type, values)."""
    count = array.shape[2]
    planes = np.moveaxis(array, 2, 0) if separate else array.reshape(1, _HEIGHT, -1)
    strips = [packed(plane[None], bits, order) for plane in planes]
    if deflate:
        strips = [zlib.compress(strip) for strip in strips]
    entries = {
        256: (4, [_WIDTH]),
        257: (4, [_HEIGHT]),
        258: (3, [bits] * count),
        259: (3, [8 if deflate else 1]),
        262: (3, [photometric]),
        273: (4, [0] * len(strips)),
        277: (3, [count]),
        278: (4, [_HEIGHT]),
        279: (4, [len(strip) for strip in strips]),
        284: (3, [2 if separate else 1]),
    }
    entries |= {int(name.removeprefix("tag_")): tag for name, tag in tags.items()}
    start = 8 + 2 + 12 * len(entries) + 4

    def encode(kind, values):
        return struct.pack(f"{order}{len(values)}{_SIZES[kind]}", *values)

    long = sum(
        len(e) + len(e) % 2 for t in entries.values() if len(e := encode(*t)) > 4
    )
    at = np.cumsum([start + long, *(len(strip) for strip in strips)])
    entries[273] = (4, at[:-1].tolist())
    directory, body = b"", b""
    for number, (kind, values) in sorted(entries.items()):
        field = encode(kind, values)
        if len(field) > 4:
            offset = struct.pack(f"{order}I", start + len(body))
            body += field + b"\0" * (len(field) % 2)
            field = offset
        head = struct.pack(f"{order}HHI", number, kind, len(values))
        directory += head + field.ljust(4, b"\0")
    magic = b"II*\0" if order == "<" else b"MM\0*"
    count = struct.pack(f"{order}H", len(entries))
    head = magic + struct.pack(f"{order}I", 8) + count + directory + bytes(4)
    path.write_bytes(head + body + b"".join(strips))


def on_white(colours, alpha):
    return colours * alpha + 1 - alpha


# For each kind: photometric, samples, ExtraSamples, and the picture that numbers in
# [0, 1] stand for.
_KINDS = {
    "black is zero": (_BLACK_IS_ZERO, 1, None, lambda x: x),
    "white is zero": (_WHITE_IS_ZERO, 1, None, lambda x: 1 - x),
    "rgb": (_RGB, 3, None, lambda x: x),
    "rgb and alpha": (_RGB, 4, 2, lambda x: on_white(x[..., :3], x[..., 3:])),
    "rgb and more": (_RGB, 4, 0, lambda x: x[..., :3]),
    "grey and alpha": (
        _BLACK_IS_ZERO,
        2,
        2,
        lambda x: on_white(x[..., :1], x[..., 1:]),
    ),
    "cmyk": (_CMYK, 4, None, lambda x: (1 - x[..., :3]) * (1 - x[..., 3:])),
}


@pytest.mark.parametrize("kind", _KINDS)
def test_every_depth_layout_order_and_compression(tmp_path, kind):
    photometric, count, extra, meaning = _KINDS[kind]
    tags = {} if extra is None else {"tag_338": (3, [extra])}
    path = tmp_path / "p.tif"
    for bits in (1, 2, 4, 8, 16) if count == 1 else (8, 16):
        array = samples(count, bits=bits)
        expected = np.broadcast_to(
            meaning(array / (2**bits - 1)), (*array.shape[:2], 3)
        )
        # Pillow rounds the products to 8 bits.
        tolerance = 1.01 / 255 if photometric == _CMYK else 1e-6
        for separate in (False, True)[: min(count, 2)]:
            for order in "<>":
                for deflate in (False, True):
                    where = (bits, separate, order, deflate)
                    layout = {"order": order, "separate": separate, "deflate": deflate}
                    write(path, array, bits, photometric, **layout, **tags)
                    read = read_image(path)
                    np.testing.assert_allclose(
                        read, expected, atol=tolerance, err_msg=str(where)
                    )
                    # For training, the upper 8 bits.
                    levels = np.asarray(open_picture(path).convert("RGBA"), int)
                    alpha = levels[..., 3:] / 255
                    found = on_white(levels[..., :3] / 255, alpha)
                    np.testing.assert_allclose(
                        found, expected, atol=2.1 / 255, err_msg=str(where)
                    )


def test_premultiplied_alpha(tmp_path):
    for bits in (8, 16):
        array = samples(4, bits=bits)
        array[..., :3] = np.minimum(array[..., :3], array[..., 3:])
        path = tmp_path / "p.tif"
        write(path, array, bits, _RGB, tag_338=(3, [1]))
        share = array / (2**bits - 1)
        expected = share[..., :3] + 1 - share[..., 3:]
        # Pillow divides by alpha in 8 bits.
        np.testing.assert_allclose(read_image(path), expected, atol=1.1 / 255)


@pytest.mark.parametrize("factor", [1, 256, 257])
def test_colour_tables_of_8_and_16_bits(tmp_path, factor):
    for bits in (1, 2, 4, 8):
        indices = samples(1, bits=bits)
        table = np.random.default_rng(1).integers(0, 256, (3, 2**bits))
        table[0, 0] = 255
        colours = (3, (table * factor).ravel().tolist())
        path = tmp_path / "p.tif"
        write(path, indices, bits, _PALETTE, tag_320=colours)
        expected = table.T[indices[..., 0]] / 255
        np.testing.assert_allclose(read_image(path), expected, atol=1e-6)


def test_what_is_not_read_is_refused_by_name(tmp_path):
    path = tmp_path / "p.tif"
    number_kinds = {2: "signed", 3: "floating-point"}
    for bits in (8, 16, 32):
        for kind, name in number_kinds.items():
            write(
                path, samples(1, bits=bits), bits, _BLACK_IS_ZERO, tag_339=(3, [kind])
            )
            with pytest.raises(NstjaxError, match=name):
                read_image(path)
    write(path, samples(3, bits=32), 32, _RGB)
    with pytest.raises(NstjaxError, match="TIFF picture of an unsupported kind"):
        read_image(path)
    write(path, samples(1), 8, _YCBCR, tag_277=(3, [3]), tag_258=(3, [8, 8, 8]))
    with pytest.raises(
        NstjaxError, match="uncompressed TIFF file with subsampled colour"
    ):
        read_image(path)


def test_compressions_that_only_pillow_reads(tmp_path):
    path = tmp_path / "p.tif"
    grey = samples(bits=16).astype(np.uint16)
    Image.fromarray(grey).save(path, compression="tiff_lzw")
    expected = np.repeat(grey[..., None] / 65535, 3, 2)
    np.testing.assert_allclose(read_image(path), expected, atol=1e-6)
    both = Image.fromarray(samples(2).astype(np.uint8), "LA")
    both.save(path, compression="tiff_lzw")
    with pytest.raises(NstjaxError, match=r"grey with alpha.*LZW"):
        read_image(path)


def test_sizes_are_checked_before_pixels(tmp_path):
    path = tmp_path / "p.tif"
    sides = {"tag_256": (4, [100_000]), "tag_257": (4, [100_000])}
    write(path, samples(3, bits=16), 16, _RGB, **sides)
    with pytest.raises(NstjaxError, match="more than 134,217,728 pixels"):
        read_image(path)


def test_orientation_and_profile_of_16_bits(tmp_path):
    path = tmp_path / "p.tif"
    array = samples(3, bits=16)
    write(path, array, 16, _RGB, tag_274=(3, [6]))
    expected = np.rot90(array / 65535, -1)
    np.testing.assert_allclose(read_image(path), expected, atol=1e-6)


@pytest.mark.parametrize("layout", [(8, 3, _RGB), (16, 3, _RGB), (16, 2, 1)])
@pytest.mark.parametrize("order", "<>")
def test_the_size_is_read_without_the_pixels(tmp_path, layout, order):
    bits, count, photometric = layout
    path = tmp_path / "p.tif"
    write(path, samples(count, bits=bits), bits, photometric, order=order)
    pixels = _HEIGHT * _WIDTH * count * bits // 8
    path.write_bytes(path.read_bytes()[:-pixels])
    assert read_size(path) == (_WIDTH, _HEIGHT)
