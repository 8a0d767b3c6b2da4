"""Hashes settings and files, in one form.

The digests name run folders, studies and cells. A stored study is found again by its digest. If you change how a digest
is made, no existing run folder is found any more (ADR 4).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

DIGITS = 10
"""Hex digits in the name of a folder: 40 bits. A clash becomes likely only above a million folders in one place."""


def digest(content: object, digits: int = DIGITS, sort_keys: bool = False) -> str:
    """Returns the first hex digits of the sha256 of some content.

    Bytes are hashed as they are, anything else as JSON. ``sort_keys`` makes the digest independent of the order of
    keys.
    """
    data = content if isinstance(content, bytes) else json.dumps(content, sort_keys=sort_keys).encode()
    return hashlib.sha256(data).hexdigest()[:digits]


def content_version(files: Iterable[Path]) -> str:
    """Returns the version of files that have no other version.

    It is the sha256 over their contents, in their order.
    """
    return f"sha256-{digest(b''.join(path.read_bytes() for path in files), 16)}"
