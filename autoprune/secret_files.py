"""Secrets that stand in files, as containers are given them: ``$NAME_FILE`` names the file."""

from __future__ import annotations

import os
from pathlib import Path

from autoprune.errors import InputError


def read_secret(variable: str) -> str | None:
    """The text of the file that an environment variable names; None where it names none.

    Line breaks at its end are not part of it: whoever writes a secret by hand leaves one.

    Raises:
        InputError: the file cannot be read, is empty, or is no text. Its content is never told.
    """
    named = os.environ.get(variable)
    if not named:
        return None
    try:
        secret = Path(named).expanduser().read_bytes().decode().rstrip("\n")
    except OSError as error:
        raise InputError(
            f"${variable} names {named}, which cannot be read ({error.strerror}): name a file that "
            f"this user may read, or unset {variable}"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"${variable} names {named}, which is no text in UTF-8") from None
    if not secret or not secret.isprintable():
        what = "holds characters that cannot be printed" if secret else "is empty"
        raise InputError(
            f"${variable} names {named}, which {what}: write the secret alone into it, as one line"
        )
    return secret
