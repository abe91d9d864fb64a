"""A `batchd.toml` of several feeds for tests of batchctl, with receipts of their batches."""

from __future__ import annotations

from pathlib import Path

from batchctl_runner import BatchctlRunner

from activities.registry.receipts import Receipt
from daemon.config.configuration import load_configuration
from workflows.ids import batch_id, identity_key

APIS = '[api.people]\nurl = "http://127.0.0.1:1/"\n[api.places]\nurl = "http://127.0.0.1:1/"\n'


class DescribedFeeds:
    """Feeds `contacts` (people), `leads` (people) and `sites` (places), each with an inbox and an output root."""

    def __init__(self, runner: BatchctlRunner, root: Path, names: dict[str, str]) -> None:
        self.runner, self.root, self.file = runner, root, root / "batchd.toml"
        self.configure(names)

    def configure(self, names: dict[str, str]) -> None:
        sections = []
        for name, api in names.items():
            for folder in (self.inbox(name), self.output_root(name)):
                folder.mkdir(parents=True, exist_ok=True)
            places = f'inbox = "{self.inbox(name)}"\noutput_root = "{self.output_root(name)}"'
            sections.append(f'[feed.{name}]\napi = "{api}"\nsettle_s = 0\n{places}\n')
        self.file.write_text(APIS + "".join(sections))

    def inbox(self, feed: str) -> Path:
        return self.root / "in" / feed

    def output_root(self, feed: str) -> Path:
        return self.root / "results" / feed

    def receipt(self, feed: str, name: str = "users.csv", **facts: object) -> Receipt:
        """Write the receipt of a batch of a feed that is in the file."""
        identity = batch_id(name.encode(), identity_key("name+content", name=name.encode(), sha256="5" * 64, feed=feed))
        terms = load_configuration(self.file, {}, files=False).settings_of(feed).terms()
        folders = {"inbox": str(self.inbox(feed)), "output_dir": str(self.output_root(feed) / f"batch-{identity}")}
        return self.runner.receipt(name, **{"id": identity, "terms": terms, **folders, **facts})

    def completed(self, feed: str, name: str = "users.csv", **facts: object) -> Receipt:
        return self.runner.completed(name, **self._facts(self.receipt(feed, name, state="running")), **facts)

    @staticmethod
    def _facts(receipt: Receipt) -> dict[str, object]:
        return {"id": receipt.id, "terms": receipt.terms, "inbox": receipt.inbox, "output_dir": receipt.output_dir}
