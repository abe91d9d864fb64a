"""Examples of each command, for its help: lines that can be typed as they stand, with what they are for."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "list": (
        ("batchctl list --state paused", "what waits for a person"),
        ("batchctl list --all --limit 0", "every batch, and the files that are none"),
    ),
    "feeds": (("batchctl feeds", "whose files wait, and for which API"),),
    "status": (
        ("batchctl status users.csv", "the latest batch of that file"),
        ("batchctl status users-4a99 --json", "for a script, by the beginning of an id"),
    ),
    "wait": (("batchctl wait users.csv --timeout 600", "exit code 5 after ten minutes"),),
    "watch": (
        ("batchctl watch", "all that have not ended; Ctrl-C ends the watching alone"),
        ("batchctl watch users.csv", "also right after the file was dropped"),
    ),
    "pause": (
        ("batchctl pause users.csv --reason lunch", "one batch"),
        ("batchctl pause --api people", "all that call this API"),
    ),
    "resume": (
        ("batchctl resume users.csv", "one batch"),
        ("batchctl resume --all --dry-run", "what the API refused, after a token has expired"),
        ("batchctl resume --all --paused-by person", "what 'pause --all' stopped"),
    ),
    "cancel": (("batchctl cancel users.csv --reason 'wrong file' --wait", "what is done is kept"),),
    "submit": (("batchctl submit /data/users.csv --wait", "and the exit code of its batch"),),
    "retry-failed": (("batchctl retry-failed users.csv", "when the API is well again"),),
    "rerun": (("batchctl rerun users.csv --reason 'new prices'", "as a batch of its own"),),
    "try": (
        ("batchctl try users.csv", "the requests, unsent"),
        ("batchctl try users.csv --rows 1 --send", "one row, and how it would stand"),
    ),
    "dialect": (("batchctl dialect users.csv", "why it is refused, and what to set"),),
    "schema": (("batchctl schema users.csv --rows 0", "from all of its rows"),),
    "explain": (("batchctl explain users.csv", "why it is not taken, or what became of it"),),
    "verify": (
        ("batchctl verify users.csv", "the result of its latest batch"),
        ("batchctl verify /tmp/batch-users-4a9964649433", "a folder, on any host"),
    ),
    "export": (("batchctl export users.csv --csv --output users.out.csv", "one table"),),
    "set": (("batchctl set --api people concurrency=8 rate=5", "until each batch ends"),),
    "doctor": (("batchctl doctor", "exit code 1 where something keeps batches from being worked"),),
    "chaos": (("batchctl chaos --rows 2000 --seed 15", "the same kills again, in the same order"),),
    "completion": (("batchctl completion bash > ~/.local/share/bash-completion/completions/batchctl", "for good"),),
    "config": (("batchctl config check", "every mistake, before a reload"),),
    "config check": (("batchctl config check new.toml && mv new.toml batchd.toml", "before it takes hold"),),
    "config show": (("batchctl config show --origin", "what holds, and where it comes from"),),
    "reload": (("batchctl reload", "after the file was changed; all of it, or nothing"),),
}
SIDE_BY_SIDE = 48
"""Up to this length a line has what it is for beside it, else below."""

WINDOW = 80


def examples_of(command: str) -> str:
    """Return the end of the help of a command."""
    longest = max((len(line) for line, _ in EXAMPLES[command] if len(line) <= SIDE_BY_SIDE), default=0)
    lines = ["examples:"]
    for line, what in EXAMPLES[command]:
        beside = f"  {line:<{longest}}  # {what}"
        lines += [beside] if len(line) <= longest and len(beside) < WINDOW else [f"  {line}", f"      # {what}"]
    return "\n".join(lines)
