"""The batch function that engines call in their workers."""

import dataclasses
import json
import os
import socket
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence, Sized
from typing import Any

from nstjax import __version__
from nstjax.cluster import files
from nstjax.cluster.checks import (
    check_apart,
    check_options,
    check_worker,
    path_of,
    styles_of,
)
from nstjax.cluster.copies import Copies
from nstjax.errors import NstjaxError, describe
from nstjax.methods.base import NETWORK_OPTIONS
from nstjax.ops.cpu import xla

COLUMNS = ("content", "output", "status", "message", "seconds", "worker")
THERE_ALREADY = "already existed"
# Options of `nstjax.stylize` that do not belong to the method.
_OF_PICTURES = ("size", "seed", "style_blend", "max_memory", "background")
# Options for writing files, including the EXIF data that they keep.
_OF_FILES = ("quality", "chroma", "exif")
# Options that decide which networks are loaded.
_OF_NETWORKS = ("method", "depth_weight", *NETWORK_OPTIONS)
# How many recently used items a worker keeps: sets of options, of networks, and remote
# styles.
_MOST_OPTIONS, _MOST_NETWORKS, _MOST_STYLES = 64, 4, 64
# The fraction of its share of the memory that a worker may use.
_FILLED = 0.6


@dataclasses.dataclass(frozen=True)
class _Item:
    """A row to paint, from local files."""

    number: int
    content: str
    styles: tuple[str, ...]
    output: str


class BatchPainter:
    """Paints batches of rows: picklable, for Ray, Beam, Spark or a pool of processes.

        painter = BatchPainter(style="painting.jpg")
        painter([{"content": "photo.jpg", "output": "painted/photo.png"}])

    It loads networks in the process that first calls it, once for each set of options,
    and encodes a style once for each size. Existing pictures are not painted again
    unless `overwrite` is set; files appear only when they are complete. Copies in the
    same process share one painter, which paints one batch at a time.
    """

    def __init__(
        self,
        *,
        style: str | os.PathLike | Sequence[str | os.PathLike] | None = None,
        overwrite: bool = False,
        batch_size: int | None = None,
        threads: int | None = None,
        memory_share: float = 1.0,
        version: str = __version__,
        **options: Any,
    ) -> None:
        """Stores the options; nothing is loaded yet.

        Args:
            style: a file, a URL or an example's name, or several to blend; used for
                rows without a style.
            overwrite: whether existing outputs are painted again.
            batch_size: how many pictures of the same size are painted together; by
                default 4, or 8 for each accelerator.
            threads: how many cores jax uses; by default all that the process may use.
                It has an effect only if jax has not been imported before.
            memory_share: this worker's share of the machine's memory, above 0 and at
                most 1. Larger pictures are painted in tiles.
            version: the version of nstjax that planned the work; workers must have the
                same.
            **options: options for all rows, unless a row has its own: ``method``,
                ``preset``, ``size``, ``seed``, ``style_blend``, ``max_memory`` and
                the method's own, as for `nstjax.stylize`; ``quality``, ``chroma``
                and ``exif`` as on the command line, and ``background`` as three
                numbers in [0, 1].

        Raises:
            NstjaxError: if another version of nstjax planned the work, or an option
                cannot be used for any row.
        """
        if version != __version__:
            raise NstjaxError(
                f"a worker has nstjax {__version__}, the work was planned by "
                f"{version}; install the same on all machines"
            )
        check_worker(batch_size, threads, memory_share)
        check_options(options)
        self._settings = {
            "style": style,
            "overwrite": overwrite,
            "batch_size": batch_size,
            "threads": threads,
            "memory_share": memory_share,
            "version": version,
        } | options
        self._style = None if style is None else styles_of(style)
        self._overwrite = overwrite
        self._batch_size, self._threads = batch_size, threads
        self._share, self._options = memory_share, options
        self._ready = False
        self._turn = threading.Lock()
        self._prepared: OrderedDict[str, _Prepared] = OrderedDict()
        self._networks: OrderedDict[str, Any] = OrderedDict()
        self._styles: Copies | None = None

    def __reduce__(self) -> Any:
        # Loaded networks are not pickled.
        return _make, (self._settings,)

    def __call__(self, batch: Any) -> Any:
        """Paints rows and writes their pictures.

        Args:
            batch: a list of rows, each a mapping, or one mapping of columns:
                ``content`` (a file, URL or example), ``output`` (a file or URL), and
                optionally ``style`` (one or several) and ``options`` (a mapping, or
                its JSON).

        Returns:
            For each row, in the same form: ``content``, ``output``, ``status``
            ("done" or "failed"), ``message`` (a sentence saying why it failed, or that
            it already existed), ``seconds``, and ``worker`` (host and process).
        """
        by_columns = isinstance(batch, Mapping)
        rows = _rows_of(batch) if by_columns else list(batch)
        with self._turn:
            records = self._records_of(rows)
        if by_columns:
            return {name: [r[name] for r in records] for name in COLUMNS}
        return records

    def _records_of(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        self._begin()
        worker = f"{socket.gethostname()}:{os.getpid()}"
        unknown = ("", "", "failed", "", 0.0, worker)
        records: list[dict[str, Any]] = [
            dict(zip(COLUMNS, unknown, strict=True)) for _ in rows
        ]

        def fail(number: int, error: Exception) -> None:
            reason = describe(error)
            records[number]["message"] = reason

        def done(number: int, seconds: float, message: str = "") -> None:
            found = {"status": "done", "seconds": round(seconds, 4), "message": message}
            records[number].update(found)

        groups: dict[str, list[_Item]] = {}
        for number, row in enumerate(rows):
            try:
                for name in ("content", "output"):
                    records[number][name] = path_of(row, name)
                content, output = (records[number][n] for n in ("content", "output"))
                if not self._overwrite and files.exists(output):
                    done(number, 0.0, THERE_ALREADY)
                    continue
                styles = _styles_of(row, self._style)
                if self._overwrite:
                    check_apart(output, (content, *styles))
                item = _Item(number, content, styles, output)
                groups.setdefault(_options_of(row), []).append(item)
            except Exception as error:  # any error concerns this row only
                fail(number, error)
        for text, items in groups.items():
            self._paint(text, items, done, fail)
        return records

    def _begin(self) -> None:
        """Prepares the process, before jax is imported in it."""
        if self._ready:
            return
        if "jax" not in sys.modules:
            if self._threads:
                # How many threads XLA starts.
                os.environ["NPROC"] = str(self._threads)
            if self._share < 1:
                # Several workers may have parts of one GPU.
                os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
            from nstjax.weights.store.compile_cache import set_compile_cache

            xla.set_flags()
            set_compile_cache()
        self._ready = True

    def _paint(
        self,
        text: str,
        items: Sequence[_Item],
        done: Callable[[int, float], None],
        fail: Callable[[int, Exception], None],
    ) -> None:
        """Paints rows of the same options."""
        from nstjax.io.exif import read_exif
        from nstjax.io.images import check_output, write_image
        from nstjax.methods import batches
        from nstjax.methods import plan as planning

        if self._styles is None:
            self._styles = Copies(_MOST_STYLES)
        kept = self._styles
        with Copies() as copies:
            try:
                prepared = self._prepare(text)
                copies.fetch(item.content for item in items)
                kept.fetch(style for item in items for style in item.styles)
            except Exception as error:
                for item in items:
                    fail(item.number, error)
                return
            local = []
            for item in items:
                try:
                    content = copies.local(item.content)
                    styles = tuple(map(kept.local, item.styles))
                    local.append(_Item(item.number, content, styles, item.output))
                except NstjaxError as error:
                    fail(item.number, error)

            def plan(item: _Item, styles: Any) -> Any:
                planned = prepared.plan(item.content, styles)
                if not files.is_remote(item.output):
                    size = planned.output_size
                    check_output(item.output, overwrite=self._overwrite, size=size)
                return planned

            def write(item: _Item, planned: Any, image: Any) -> None:
                how = dict(prepared.files)
                exif = how.pop("exif", "drop")
                if exif != "drop" and os.path.isfile(item.content):
                    how["exif"] = read_exif(item.content, location=exif == "keep")
                image = planning.finish(planned, image)
                with copies.written(item.output) as path:
                    image = planning.with_opacity(planned, image, path)
                    write_image(path, image, overwrite=self._overwrite, **how)

            batches.paint_many(
                local,
                styles=prepared.styles,
                plan=plan,
                write=write,
                on_done=lambda item, _, seconds: done(item.number, seconds),
                on_failed=lambda item, error: fail(
                    item.number, copies.named(kept.named(error))
                ),
                batch_size=self._batch_size or batches.default_batch_size(),
                max_memory=prepared.max_memory,
            )

    def _prepare(self, text: str) -> "_Prepared":
        """The prepared options, networks and styles for rows with the same options."""
        if text in self._prepared:
            self._prepared.move_to_end(text)
            return self._prepared[text]
        from nstjax.methods.options import method_options
        from nstjax.methods.plan import load_networks

        given = self._options | json.loads(text)
        check_options(given)
        of_pictures = {name: given.pop(name, None) for name in _OF_PICTURES}
        of_files = {name: given.pop(name, None) for name in _OF_FILES}
        of_files = {name: v for name, v in of_files.items() if v is not None}
        method, preset = given.pop("method", None), given.pop("preset", None)
        leaves = method_options(method or "adain", preset or "best", options=given)
        key = json.dumps([leaves.get(name) for name in _OF_NETWORKS], default=str)
        if key not in self._networks:
            self._networks[key] = load_networks(leaves)
            _drop(self._networks, _MOST_NETWORKS)
        self._prepared[text] = _Prepared(
            leaves, self._networks[key], of_files, share=self._share, **of_pictures
        )
        _drop(self._prepared, _MOST_OPTIONS)
        return self._prepared[text]


class _Prepared:
    """Options, networks and encoded styles of rows that have the same options.

    Attributes:
        styles: the styles that were read and encoded last.
        files: the options for writing files.
        max_memory: how many bytes the process may use, or None for the default share.
    """

    def __init__(
        self,
        leaves: Mapping[str, Any],
        networks: Any,
        files: Mapping[str, Any],
        *,
        share: float,
        size: Any,
        seed: int | None,
        style_blend: Sequence[float] | None,
        max_memory: int | str | None,
        background: Sequence[float] | None,
    ) -> None:
        from nstjax.methods.batches import StyleCache
        from nstjax.methods.memory.amounts import available_memory, parse_amount

        self._leaves, self._networks = leaves, networks
        self._size, self._seed, self._blend = size, seed or 0, style_blend
        self._background, self.files = background, files
        self.max_memory = None if max_memory is None else parse_amount(max_memory)
        available = available_memory()
        self._is_share = False
        if self.max_memory is None and share < 1 and available is not None:
            self.max_memory = int(_FILLED * share * available)
            self._is_share = True
        self.styles = StyleCache(networks, leaves)

    def plan(self, content: str, styles: Any) -> Any:
        from nstjax.methods.plan import make_plan

        try:
            return make_plan(
                content,
                styles,
                options=self._leaves,
                size=self._size,
                seed=self._seed,
                blend=self._blend,
                max_memory=self.max_memory,
                background=self._background,
                networks=self._networks,
            )
        except NstjaxError as error:
            if not self._is_share:
                raise
            # The user did not give the amount that the message mentions.
            remedy = ", fewer --workers, or a larger --max-memory for each"
            text = str(error).replace(" or a larger --max-memory", remedy)
            raise NstjaxError(text) from error


# The painters in this process, by copy: engines may send a copy with each batch.
_painters: dict[str, BatchPainter] = {}


def _make(settings: dict[str, Any]) -> BatchPainter:
    key = json.dumps(settings, sort_keys=True, default=str)
    return _painters.setdefault(key, BatchPainter(**settings))


def _rows_of(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        dict(zip(columns, values, strict=True))
        for values in zip(*columns.values(), strict=True)
    ]


def _options_of(row: Mapping[str, Any]) -> str:
    """A row's options as canonical JSON.

    Raises:
        NstjaxError: if they are not options.
    """
    options = row.get("options")
    # In pandas, a missing value is NaN.
    if options is None or options == "" or isinstance(options, float):
        return "{}"
    try:
        given = json.loads(options) if isinstance(options, str) else dict(options)
        # Engines give every row all columns that occur in any row.
        kept = {name: value for name, value in given.items() if value is not None}
        return json.dumps(kept, sort_keys=True, default=os.fspath)
    except (ValueError, TypeError, AttributeError) as error:
        raise NstjaxError(
            f'{options!r} are not options; give a JSON object such as {{"alpha": 0.5}}'
        ) from error


def _styles_of(
    row: Mapping[str, Any], default: tuple[str, ...] | None
) -> tuple[str, ...]:
    given = row.get("style")
    # Engines use NaN, or an empty list, for a missing style.
    absent = given is None or isinstance(given, float)
    if absent or (isinstance(given, Sized) and not len(given)):
        if default is None:
            raise NstjaxError("the picture has no style; give the row one, or --style")
        return default
    return styles_of(given)


def _drop(kept: OrderedDict, most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)
