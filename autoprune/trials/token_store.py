"""Access tokens of the service: 256 random bits each, of which the database holds the hash."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from sqlalchemy import Engine, select, update

from autoprune.errors import InputError
from autoprune.trials.database import Database
from autoprune.trials.inserting import insert_new
from autoprune.trials.models import AccessToken, utc_now

PREFIX = "autoprune_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class TokenRecord:
    """A token as it is listed; ``revoked`` is when it ceased to be good, None while it is."""

    name: str
    sha256: str
    created: str
    revoked: str | None


class TokenStore:
    """Tokens by name.

    A revoked token keeps its row: that there was one is what makes the service ask for tokens, and
    revoking the last of them must not open it.

    Args:
        engine: of :func:`autoprune.trials.engine.connect`.
    """

    def __init__(self, engine: Engine) -> None:
        self._database = Database(engine)

    def create(self, name: str) -> str:
        """Make a token; what is returned can be read nowhere again.

        Raises:
            InputError: the name is taken, also by a revoked token, or cannot be used.
        """
        if not _NAME.fullmatch(name):
            raise InputError(
                f"a token cannot be called {name!r}: expected up to 64 letters, digits, dots, "
                "hyphens and underscores, the first a letter or a digit"
            )
        token = PREFIX + secrets.token_urlsafe(32)
        row = {"name": name, "sha256": hash_of_token(token), "created": utc_now()}
        with self._database.write() as session:
            if not insert_new(session, AccessToken, row, "name"):
                raise InputError(
                    f"there is a token {name!r} already, or was one: take another name; "
                    "'autoprune token list' shows them"
                )
        return token

    def tokens(self) -> list[TokenRecord]:
        """All tokens, also revoked ones, oldest first."""
        rows = select(AccessToken).order_by(AccessToken.created, AccessToken.name)
        with self._database.read() as session:
            return [
                TokenRecord(row.name, row.sha256, row.created, row.revoked)
                for row in session.scalars(rows)
            ]

    def revoke(self, name: str) -> None:
        """End a token; again changes nothing.

        Raises:
            InputError: there is no token of that name.
        """
        with self._database.write() as session:
            if session.get(AccessToken, name) is None:
                raise InputError(f"no token {name!r}: 'autoprune token list' shows those there are")
            session.execute(
                update(AccessToken)
                .where(AccessToken.name == name, AccessToken.revoked.is_(None))
                .values(revoked=utc_now())
            )


def hash_of_token(token: str) -> str:
    """What the database holds of a token: 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def owner_of(token: str, tokens: list[TokenRecord]) -> str | None:
    """The name of a token that is good, None for any other text.

    Every hash is compared, each in constant time.
    """
    given, found = hash_of_token(token), None
    for record in tokens:
        if hmac.compare_digest(record.sha256, given) and record.revoked is None:
            found = record.name
    return found
