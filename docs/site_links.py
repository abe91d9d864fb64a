"""For `make site`: a link that leads out of `docs/` becomes the name of the file, which the site does not have."""

from __future__ import annotations

import posixpath
import re
from typing import Any

OUTWARD = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)\s]*)\)")


def on_page_markdown(markdown: str, *, page: Any, **_: object) -> str:
    """Return the text of a page without links that lead out of the folder. Called by MkDocs."""

    def named(link: re.Match[str]) -> str:
        text, target = link.groups()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page.file.src_uri), target.partition("#")[0]))
        if not path.startswith(".."):
            return link.group(0)
        name = path.removeprefix("../")
        return text if name in text else f"{text} (`{name}`)"

    return OUTWARD.sub(named, markdown)
