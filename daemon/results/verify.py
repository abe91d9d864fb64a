"""The offline proof of a result: manifest, digests, every row once, nothing else in the folder.

It needs nothing but the folder, and for the comparison with the source that file. Memory is bounded by the manifest
and one page, whatever the batch holds; every file is read once.
"""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from activities.batch_schema import BatchSchema
from activities.disk.atomic_files import TEMPORARY
from activities.disk.directory import Directory
from activities.disk.modes import OTHERS, file_mode_in, folder_mode_in
from activities.manifest.document import schema_files
from activities.manifest.reader import saved_pages
from activities.output.names import (
    generation_of_data,
    generation_of_manifest,
    generation_of_work,
    manifest_name,
    sums_name,
)
from activities.output.output_folder import OutputFolder, is_hidden_of_ours
from activities.output.page_journal import FileFacts, unchanged
from daemon.results.manifest_checks import GENERATIONS, MANIFEST, check_arithmetic, check_parent, checked_manifest
from daemon.results.page_checks import FILES, PageVerification
from daemon.results.schema_checks import SchemaVerification
from daemon.results.source_checks import SourceComparison
from daemon.results.verdict import Findings, Verdict
from workflows.errors import OutputRefused, SourceError

NOTHING_ELSE, PERMISSIONS, SOURCE = "nothing else", "permissions", "source"


def verify(directory: Path, *, source: Path | None = None) -> Verdict:
    """Prove a result folder, whoever owns it and wherever it was copied; with `source`, cell by cell.

    Raises:
        OutputRefused: there is no such folder, or it may not be read.
        TransientError: the disk fails.
    """
    with OutputFolder.existing(directory) as folder:
        return _Verification(folder).verdict(source)


class _Verification:
    """One run over one folder."""

    def __init__(self, folder: Directory) -> None:
        self._folder = folder
        self._names = folder.names()
        self._generations = sorted({each for each in map(generation_of_manifest, self._names) if each})
        self._findings = Findings()
        self._listed: dict[str, FileFacts] = {}

    def verdict(self, source: Path | None) -> Verdict:
        """Make every check."""
        newest = self._check_manifests()
        if newest is not None:
            self._check_pages(newest, source)
        unfinished = self._check_unfinished(newest)
        self._check_nothing_else(unfinished)
        self._check_permissions()
        return self._result(newest)

    def _check_manifests(self) -> dict[str, Any] | None:
        if not self._generations:
            self._findings.problem(MANIFEST, f"there is no {manifest_name()}: the batch is not complete")
        newest: dict[str, Any] | None = None
        for generation in self._generations:
            parent, newest = newest, checked_manifest(self._folder, generation, self._findings)
            self._findings.checked(GENERATIONS)
            if newest is not None:
                if generation == 1 or generation - 1 in self._generations:
                    check_parent(self._folder, newest, parent, self._findings)
                self._list(newest)
        self._check_none_is_missing()
        return newest

    def _check_none_is_missing(self) -> None:
        for expected, generation in enumerate(self._generations, start=1):
            if generation != expected:
                missing, newest = manifest_name(expected), manifest_name(self._generations[-1])
                self._findings.problem(GENERATIONS, f"{missing} is missing, {newest} is there")
                return

    def _list(self, manifest: dict[str, Any]) -> None:
        for saved in saved_pages(manifest):
            self._list_files(saved.files())
        self._list_files(schema_files(manifest))

    def _list_files(self, files: list[FileFacts]) -> None:
        for each in files:
            if self._listed.setdefault(each.file, each) != each:
                self._findings.problem(GENERATIONS, f"{each.file} is listed differently by two generations")

    def _check_pages(self, manifest: dict[str, Any], source: Path | None) -> None:
        check_arithmetic(manifest, self._findings)
        pages = saved_pages(manifest)
        with ExitStack() as stack:
            schema = stack.enter_context(SchemaVerification.open(self._folder, manifest, self._findings))
            verification = PageVerification(self._folder, manifest, self._findings, schema)
            comparison = self._opened(stack, source, manifest, schema.schema) if source else None
            if comparison:
                schema.expect_source(min(manifest["counts"]["records"], manifest["source"]["bytes"]))
            for saved in pages:
                in_source = None
                if comparison is not None:
                    try:
                        in_source = comparison.page(saved.page)
                    except SourceError as error:
                        self._findings.problem(SOURCE, f"page {saved.page.number}: {error}")
                for different in verification.check(saved, in_source):
                    self._findings.problem(SOURCE, different)
            schema.check_keys(is_whole=manifest["status"] != "cancelled")
        current = {each.file for saved in pages for each in saved.files()}
        for name, facts in self._listed.items():
            if name not in current and not unchanged(self._folder, facts):
                self._findings.problem(FILES, f"{name} is missing or not the file the manifest lists")

    def _opened(
        self, stack: ExitStack, source: Path, manifest: dict[str, Any], schema: BatchSchema | None
    ) -> SourceComparison | None:
        self._findings.checked(SOURCE)
        try:
            return stack.enter_context(SourceComparison.open(source, manifest, schema))
        except (SourceError, OutputRefused) as error:
            self._findings.problem(SOURCE, str(error))
            return None

    def _check_unfinished(self, newest: dict[str, Any] | None) -> set[str]:
        """Return the files of a generation that a retry is making, or was making when it was given up."""
        later = self._generations[-1] + 1 if self._generations else 0
        if not any(generation_of_work(name) == later and self._is_plain(name) for name in self._names):
            return set()
        command = f"batchctl retry-failed {newest['id'] if newest else 'ID'}"
        what = f"generation {later} is being made or was given up; '{command}' finishes it"
        self._findings.problem(GENERATIONS, what, warning=True)
        return {name for name in self._names if _belongs_to(name, later) and self._is_plain(name)}

    def _is_plain(self, name: str) -> bool:
        """Return whether a name is a plain file's, or was: a retry that goes on removes what it needs no more."""
        mode = self._folder.mode(name)
        return not mode or stat.S_ISREG(mode)

    def _check_nothing_else(self, unfinished: set[str]) -> None:
        self._findings.checked(NOTHING_ELSE)
        own = {name for each in self._generations for name in (manifest_name(each), sums_name(each))}
        for name in self._names:
            if name in self._listed or name in own or name in unfinished:
                continue
            if is_hidden_of_ours(name):
                self._findings.problem(NOTHING_ELSE, f"{name!a} is a temporary file: the work is not over")
            else:
                self._findings.problem(NOTHING_ELSE, f"{name!a} is listed by no manifest")

    def _check_permissions(self) -> None:
        self._findings.checked(PERMISSIONS)
        mode = os.fstat(self._folder.fd).st_mode
        if mode & OTHERS & ~folder_mode_in(mode):
            self._findings.problem(PERMISSIONS, "the folder is open to others (not mode 0700)", warning=True)
        for name in self._names:
            if self._folder.mode(name) & OTHERS & ~file_mode_in(mode):
                self._findings.problem(PERMISSIONS, f"{name!a} is open to others (not mode 0600)", warning=True)

    def _result(self, manifest: dict[str, Any] | None) -> Verdict:
        checks = self._findings.checks()
        counts = manifest["counts"] if manifest else {}
        return Verdict(
            ok=all(each.ok for each in checks),
            directory=str(self._folder.path),
            id=manifest["id"] if manifest else "",
            status=manifest["status"] if manifest else "",
            generation=manifest["generation"] if manifest else 0,
            records=counts.get("records", 0),
            enriched=counts.get("enriched", 0),
            not_found=counts.get("not_found", 0),
            fallback=counts.get("fallback", 0),
            rejected=counts.get("rejected", 0),
            files=len(self._listed),
            bytes=sum(each.bytes for each in self._listed.values()),
            checks=checks,
        )


def _belongs_to(name: str, generation: int) -> bool:
    """Return whether a file may be there while a generation is being made. A temporary one may be anybody's."""
    made = generation in {generation_of_work(name), generation_of_data(name)}
    return made or name == sums_name(generation) or name.startswith(TEMPORARY)
