"""Folders of pictures as TFDS datasets in array_record files, without TensorFlow.

One file instead of a hundred thousand reads faster from network disks and spinning
disks, and any TFDS dataset with a feature "image" can be read in the same way.
"""

import contextlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from PIL import Image

from nstjax.errors import NstjaxError
from nstjax.io.decoding import decode_pixels
from nstjax.io.images import open_picture
from nstjax.io.levels import to_uint8

# The formats that TFDS decodes to [H, W, 3] from the file's own bytes.
_KEPT_FORMATS = ("JPEG", "PNG")
_JPEG_QUALITY = 95


class PictureFolder(tfds.core.GeneratorBasedBuilder):
    """Pictures as ``{"image": [H, W, 3] uint8, "filename": text}``, one split.

    JPEG and PNG files in RGB are copied byte for byte; others are re-encoded.

    Args:
        files: the pictures.
        source: the folder that file names are given relative to.
        short_side: larger pictures are scaled to this shorter side; 0 keeps their size.
        on_unreadable: called with every skipped file.
        options: `tfds.core.DatasetBuilder`'s.
    """

    VERSION = tfds.core.Version("1.0.0")
    # The place of checksums of downloads. To find it, TFDS 4.9.10 needs a package that
    # it does not declare (tensorflow/datasets issue 11212).
    code_path = None

    def __init__(
        self,
        *,
        files: list[Path],
        source: Path,
        short_side: int = 0,
        on_unreadable: Callable[[Path], None] = lambda file: None,
        **options: Any,
    ) -> None:
        self._files, self._source = files, source
        self._short_side = short_side
        self._on_unreadable = on_unreadable
        super().__init__(**options)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="A folder of pictures.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "filename": tfds.features.Text(),
                }
            ),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator]:
        del dl_manager  # nothing is downloaded
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[bytes, dict[str, Any]]]:
        for file in self._files:
            try:
                data = _picture_bytes(file, self._short_side)
            except Exception:  # Pillow raises nearly anything for damaged files
                self._on_unreadable(file)
                continue
            # Bytes, since names need not be valid text.
            name = os.fsencode(file.relative_to(self._source).as_posix())
            yield name, {"image": io.BytesIO(data), "filename": name}


def prepare_folder(
    files: list[Path], source: Path, destination: Path, *, short_side: int = 0
) -> tuple[int, list[Path]]:
    """Writes pictures as one TFDS directory, atomically.

    Args:
        files, source, short_side: see `PictureFolder`.
        destination: the directory, for `tfds.builder_from_directory`.

    Returns:
        The number of pictures written, and the unreadable files that were skipped.

    Raises:
        NstjaxError: if the destination exists or cannot be written, or no
            picture can be read.
    """
    if os.path.lexists(destination):
        raise NstjaxError(f"{destination} exists; choose another name")
    unreadable: list[Path] = []
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=destination.parent, prefix=f".{destination.name}."
        ) as folder:
            builder = PictureFolder(
                files=files,
                source=source,
                short_side=short_side,
                on_unreadable=unreadable.append,
                data_dir=folder,
                file_format="array_record",
            )
            # Its messages about downloading would be confusing.
            with contextlib.redirect_stdout(io.StringIO()):
                builder.download_and_prepare()
            os.rename(builder.data_dir, destination)
    except OSError as error:
        raise NstjaxError(
            f"{destination} cannot be written ({error.strerror or error}); choose "
            "another place"
        ) from error
    except Exception as error:
        if len(unreadable) == len(files):
            raise NstjaxError(f"no picture in {source} can be read") from error
        # array_record, in C++, can raise almost anything if a disk is full.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise NstjaxError(
            f"{destination} cannot be written ({reason[:200]}); make room, or choose "
            "another place"
        ) from error
    return len(files) - len(unreadable), unreadable


def open_prepared(directory: Path) -> Any:
    """Opens the train split of a TFDS directory written as array_record.

    Returns:
        A sequence of examples; the value of "image" in each is the bytes of an encoded
        picture, so that the reader decodes only as much as it needs.

    Raises:
        NstjaxError: if the directory cannot be read, as with the file format tfrecord,
            or has no feature "image".
    """
    try:
        builder = tfds.builder_from_directory(str(directory))
        if "image" not in builder.info.features:
            raise NstjaxError(
                f"the TFDS directory {directory} has no feature named 'image'"
            )
        decoders = {"image": tfds.decode.SkipDecoding()}
        source = builder.as_data_source(split="train", decoders=decoders)
    except NstjaxError:
        raise
    except Exception as error:
        raise NstjaxError(
            f"the TFDS directory {directory} cannot be read without TensorFlow; "
            "prepare it with file_format='array_record' and a train split"
        ) from error
    return source


def _picture_bytes(file: Path, short_side: int) -> bytes:
    data = file.read_bytes()
    with open_picture(io.BytesIO(data)) as image:
        kept = image.format in _KEPT_FORMATS and image.mode == "RGB"
        if kept and not 0 < short_side < min(image.size):
            image.load()  # raises if the file is damaged
            return data
        lossy = image.format == "JPEG"
        if short_side:
            image.draft("RGB", (short_side, short_side))
        pixels = decode_pixels(image)
    picture = Image.fromarray(to_uint8(pixels))
    if 0 < short_side < min(picture.size):
        scale = short_side / min(picture.size)
        size = [round(side * scale) for side in picture.size]
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    if lossy:
        picture.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    else:
        picture.save(buffer, "PNG")
    return buffer.getvalue()
