"""The breakages: what is changed in a copy of the product, and which fast part of the proof has to find it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """`old` stands once in `file` and becomes `new`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Faults that one site goes through, judged as those of `make chaos`. Without any, one batch is worked."""

    kind: str
    variant: str = "cursor"
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One breakage. It is found by a sweep, or where kills of a process cannot show it by a test.

    Where `shortest` is given, the sweep is made shorter, and these of its lines have to be left.
    """

    name: str
    breakage: str
    edits: tuple[Edit, ...]
    found_by: Sweep | str
    shortest: tuple[str, ...] = ()


SYNCS = "tests/e2e/test_syncs.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="chunk-unsynced",
        breakage="a chunk gets its name without an fsync of its content",
        edits=(
            Edit(
                file="activities/disk/directory.py",
                old='            os.fsync(fd)\n            failpoint("file.sync.after")\n',
                new='            failpoint("file.sync.after")\n',
            ),
        ),
        found_by=SYNCS,
    ),
    Mutant(
        name="names-unsynced",
        breakage="the name of a chunk is not synced before the journal says that it is saved",
        edits=(Edit(file="activities/save_page.py", old="        folder.sync()\n", new=""),),
        found_by=SYNCS,
    ),
    Mutant(
        name="rename-before-receipt",
        breakage="a duplicate is set aside before the receipt that explains it is written",
        edits=(
            Edit(
                file="daemon/intake/admit/duplicates.py",
                old='        write_whole(receipt, json.dumps(named, indent=1).encode() + b"\\n")\n',
                new="",
            ),
            Edit(
                file="daemon/intake/admit/duplicates.py",
                old='        failpoint("duplicate.moved")\n',
                new='        failpoint("duplicate.moved")\n'
                '        write_whole(receipt, json.dumps(named, indent=1).encode() + b"\\n")\n',
            ),
        ),
        found_by=Sweep(
            kind="daemon-kill",
            lines=("daemon claim.receipted:1:kill", "daemon duplicate.moved:1:kill"),
        ),
    ),
    Mutant(
        name="last-writer-wins",
        breakage="whoever writes a file of the output last has it, not who was first",
        edits=(
            Edit(
                file="activities/disk/directory.py",
                old="os.link(existing, name, src_dir_fd=self.fd, dst_dir_fd=self.fd, follow_symlinks=False)",
                new="os.rename(existing, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)",
            ),
        ),
        found_by="tests/unit/output/test_output_folder.py",
    ),
    Mutant(
        name="cursor-one-off",
        breakage="the cursor counts one row too few behind a page",
        edits=(
            Edit(
                file="activities/source/source_file.py",
                old="row=at.row + records, line",
                new="row=at.row + records - 1, line",
            ),
        ),
        found_by=Sweep(kind="worker-kill"),
    ),
    Mutant(
        name="part-file-forgotten",
        breakage="a page that is tried again calls the API for all of its rows",
        edits=(
            Edit(
                file="activities/enrich_page.py",
                old="                if row.number in part.done:\n                    continue\n",
                new="",
            ),
        ),
        found_by=Sweep(
            kind="worker-kill",
            variant="long-pages",
            lines=(
                "worker folder.make.before:1:kill",
                "worker page.read:1:kill",
                "worker part.write.after:40:kill",
                "worker tidy.remove:1:kill",
            ),
        ),
        shortest=("worker part.write.after:40:kill",),
    ),
    Mutant(
        name="manifest-early",
        breakage="the manifest is written while the last chunks are still being made",
        edits=(
            Edit(
                file="workflows/batch.py",
                old="return self._batch.all_saved and self._pages.is_idle and not self._batch.waits_for_answer",
                new="return self._batch.state.cursor is None",
            ),
        ),
        found_by=Sweep(kind="worker-kill"),
    ),
    Mutant(
        name="content-ignored",
        breakage="two files of one name are one batch, whatever they hold",
        edits=(
            Edit(
                file="workflows/ids.py",
                old='"name+content": f"name+content:{shown}\\n{sha256}"',
                new='"name+content": f"name+content:{shown}\\n"',
            ),
        ),
        found_by=Sweep(kind="daemon-kill"),
    ),
    Mutant(
        name="no-fencing",
        breakage="a worker that was stopped goes on as if it still had its pages",
        edits=(
            Edit(
                file="activities/stall_detector.py",
                old="        if self.clock() - self._ticked_at > longer_than_s:\n            return True\n",
                new="        return False\n",
            ),
        ),
        found_by=Sweep(
            kind="worker-stop",
            lines=("worker call.sent:1:stop", "worker call.answered:2:stop", "worker part.write.before:3:stop"),
        ),
    ),
    Mutant(
        name="another-key",
        breakage="a row that is called again has another idempotency key",
        edits=(
            Edit(
                file="activities/enrich_page.py",
                old='f"{self._batch_id}-{number}", source, body)',
                new='f"{self._batch_id}-{number}{id(self)}", source, body)',
            ),
        ),
        found_by=Sweep(kind="worker-kill", lines=("worker call.answered:3:kill",)),
    ),
    Mutant(
        name="torn-line-believed",
        breakage="a line of the row log that was torn is taken for a row",
        edits=(
            Edit(
                file="activities/disk/checked_lines.py",
                old='return found if raw[: _CRC_CHARS + 1] == b"%08x\\t" % crc32(found) else None',
                new="return found",
            ),
        ),
        found_by=Sweep(
            kind="short-write",
            lines=("worker part.write.before:2:short", "worker part.write.before:3:short"),
        ),
    ),
    Mutant(
        name="damage-believed",
        breakage="what the journal notes is taken to be on disk still",
        edits=(
            Edit(
                file="activities/manifest/first_generation.py",
                old="if saved is not None and matches(folder, saved, since_ns=checked.since(number)):",
                new="if saved is not None:",
            ),
        ),
        found_by=Sweep(kind="damage", lines=("damaged torn", "damaged deleted", "damaged emptied", "damaged flipped")),
    ),
)
