"""The last steps of a batch: decide on one manifest, list the digests, let the manifest appear, tidy up.

Two attempts may overlap, and each would write another time of day. So the manifest is first decided under a hidden
name, where the first writer wins; the list of digests, which covers the manifest too, follows from the decided one;
and the decided one gets its real name last. A kill between any two steps leaves nothing that the next attempt does
not finish, and `manifest.json` is never there without all it vouches for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import orjson

from activities.disk.atomic_files import TEMPORARY
from activities.disk.directory import Directory
from activities.disk.failpoints import failpoint
from activities.disk.hashing import Stored
from activities.manifest.document import ManifestDocument
from activities.manifest.reader import read_result
from activities.output.names import generation_of_data, generation_of_work, manifest_name, sums_name
from activities.output.output_folder import is_hidden_of_ours
from workflows.errors import BatchdError, OutputRefused
from workflows.requests import WrittenManifest


def finished_once(folder: Directory, generation: int, attempt: Callable[[], WrittenManifest]) -> WrittenManifest:
    """Return what the manifest of a generation says, written by `attempt` where nobody was first.

    An attempt may fail because another one finished and tidied up under its hands; then that one's manifest counts.
    """
    if (done := finished(folder, generation)) is not None:
        return done
    try:
        return attempt()
    except BatchdError:
        if (done := finished(folder, generation)) is not None:
            return done
        raise


def finished(folder: Directory, generation: int) -> WrittenManifest | None:
    """Return what the manifest of a generation says, and tidy up behind it; None where there is none."""
    if not folder.exists(manifest_name(generation)):
        return None
    tidy(folder, generation)
    return read_result(folder, generation)


def publish(folder: Directory, document: ManifestDocument) -> WrittenManifest:
    """Make the manifest appear and return what it says. Where another attempt was first, its manifest stays.

    Raises:
        StorageFull: there is no room; the batch is not complete yet.
    """
    decided_name = f".{document.name}"
    decided = _decided(folder, document, decided_name)
    if not folder.exists(document.name):
        _list_digests(folder, document, decided)
        failpoint("manifest.link.before")
        folder.link(decided_name, document.name)
        folder.sync()
        failpoint("manifest.link.after")
    tidy(folder, document.generation)
    return read_result(folder, document.generation)


def tidy_late(folder: Directory, generation: int) -> None:
    """Tidy up behind an attempt at a page, where the manifest appeared while it stood still: nobody else will."""
    if folder.exists(manifest_name(generation)):
        tidy(folder, generation)


def tidy(folder: Directory, generation: int) -> None:
    """Remove what a generation that has its manifest needs no more: marker, journal, parts and temporary files.

    What a later generation has begun stays: its retry may be running while a late attempt of this one tidies up. A
    temporary file may be either's; a retry has a part file of its own before it has one, so it shows.
    """
    names = folder.names()
    later = any((generation_of_work(name) or 0) > generation for name in names)
    for name in names:
        is_a_later_ones = later if name.startswith(TEMPORARY) else (generation_of_work(name) or 0) > generation
        if is_hidden_of_ours(name) and not is_a_later_ones:
            failpoint("tidy.remove")
            folder.remove(name)
    folder.sync()


def remove_unlisted(folder: Directory, document: ManifestDocument) -> None:
    """Remove chunks of this generation that were never journalled: of an attempt that was killed and given up."""
    listed = {each.file for each in document.files()}
    for name in folder.names():
        if generation_of_data(name) == document.generation and name not in listed:
            folder.remove(name)


def digest_lines(document: ManifestDocument, manifest_sha256: str) -> Iterator[bytes]:
    """Yield the lines that `sha256sum -c` checks."""
    for each in document.files():
        yield f"{each.sha256}  {each.file}\n".encode()
    yield f"{manifest_sha256}  {document.name}\n".encode()


def _decided(folder: Directory, document: ManifestDocument, name: str) -> Stored:
    stored = folder.write_once(name, document.blocks())
    if stored.same or folder.exists(document.name) or _lists_the_same(folder, document, name):
        return stored
    # An earlier attempt was killed here, and pages were worked again since: what it decided is no longer true.
    folder.remove(sums_name(document.generation))
    folder.remove(name)
    return folder.write_once(name, document.blocks())


def _lists_the_same(folder: Directory, document: ManifestDocument, name: str) -> bool:
    try:
        return document.same_files(orjson.loads(folder.read(name) or b"null"))
    except (OutputRefused, ValueError, TypeError, KeyError):
        return False


def _list_digests(folder: Directory, document: ManifestDocument, decided: Stored) -> None:
    name = sums_name(document.generation)
    stored = folder.write_once(name, digest_lines(document, decided.sha256))
    if not stored.same and not folder.exists(document.name):
        folder.remove(name)
        folder.write_once(name, digest_lines(document, decided.sha256))
