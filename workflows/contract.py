"""The activity contract: the names, requests and results that workflows and activities agree on.

Workflows call these abstract methods by reference, so mypy checks both sides and no workflow imports an activity.
`activities.adapter.BatchActivities` implements them; a test holds the two together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from temporalio import activity

from workflows.requests import (
    EnrichedPage,
    EnrichPage,
    FileSource,
    KeepControlState,
    LoadedPages,
    LoadPages,
    SavedChunk,
    SavePage,
    WriteManifest,
    WrittenManifest,
)


class Activities(ABC):
    """Everything a batch does to the world. Each method is idempotent: doing it twice leaves what once left."""

    @abstractmethod
    @activity.defn(name="load_next_csv_page")
    async def load_next_csv_page(self, request: LoadPages) -> LoadedPages:
        """Find the next pages, up to `max_pages`, at the cursor."""

    @abstractmethod
    @activity.defn(name="load_csv_chunks")
    async def load_csv_chunks(self, request: LoadPages) -> LoadedPages:
        """Find all pages of a small file."""

    @abstractmethod
    @activity.defn(name="load_fallback_pages")
    async def load_fallback_pages(self, request: LoadPages) -> LoadedPages:
        """Find up to `max_pages` pages of the generation before that hold fallback rows, from `cursor.page` on."""

    @abstractmethod
    @activity.defn(name="enrich_chunk")
    async def enrich_chunk(self, request: EnrichPage) -> EnrichedPage:
        """Call the API once for each row of the page that has no durable answer yet."""

    @abstractmethod
    @activity.defn(name="save_chunk")
    async def save_chunk(self, request: SavePage) -> SavedChunk:
        """Make the chunk file, and the rejected file where there is one, from the durable rows."""

    @abstractmethod
    @activity.defn(name="write_manifest")
    async def write_manifest(self, request: WriteManifest) -> WrittenManifest:
        """Hash what is on disk and write the completion manifest, last and atomically."""

    @abstractmethod
    @activity.defn(name="file_source")
    async def file_source(self, request: FileSource) -> None:
        """Move the claimed file to where finished sources go, and close the receipt."""

    @abstractmethod
    @activity.defn(name="conclude_batch")
    async def conclude_batch(self, request: WriteManifest) -> WrittenManifest:
        """Write the manifest and, where that makes the batch complete, file the source."""

    @abstractmethod
    @activity.defn(name="keep_control_state")
    async def keep_control_state(self, request: KeepControlState) -> None:
        """Put the pause, the limits and the cancel of a running batch on disk."""
