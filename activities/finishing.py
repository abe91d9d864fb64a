"""The last look at a batch: the source is read again whole, the chunks are hashed, the manifest is written."""

from __future__ import annotations
