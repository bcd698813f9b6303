"""Where things lie on the server is its operator's alone: clients are told of files without it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_QUOTED = re.compile(r"(?P<quote>['\"])(?P<path>/[^'\"\n]+)(?P=quote)")
_PLACE = re.compile(r"(?<=, at )(?P<path>[^\n]+?\.py)(?=:\d+)")
"""As :func:`autoprune.user_code.raised` tells it."""
_BARE = re.compile(r"(?<![\w./<])(?P<path>(?:/[^\s/'\":;,()]+){2,})")


def without_folders(text: str) -> str:
    """A text in which every absolute path, and every place in code, is its last part alone."""
    return _BARE.sub(_last, _PLACE.sub(_last, _QUOTED.sub(_last, text)))


def _last(found: re.Match[str]) -> str:
    quote = found.groupdict().get("quote", "")
    return f"{quote}{PurePosixPath(found['path']).name}{quote}"
