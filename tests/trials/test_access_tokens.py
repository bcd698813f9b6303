"""Tokens are known by their hash alone, and a revoked one keeps its name."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from autoprune.errors import InputError
from autoprune.trials.token_store import TokenStore, owner_of


def test_a_token_is_known_by_its_hash(engine: Engine) -> None:
    store = TokenStore(engine)
    token, other = store.create("ci"), store.create("page")
    assert owner_of(token, store.tokens()) == "ci"
    assert owner_of(other, store.tokens()) == "page"
    for wrong in ("", token[:-1], token + "x", token.upper(), store.tokens()[0].sha256, "\udcff"):
        assert owner_of(wrong, store.tokens()) is None
    with engine.connect() as connection:
        rows = str(connection.execute(text("SELECT * FROM access_tokens")).all())
    assert token not in rows


def test_a_revoked_token_is_no_good_and_its_name_stays_taken(engine: Engine) -> None:
    store = TokenStore(engine)
    token = store.create("ci")
    store.revoke("ci")
    [record] = store.tokens()
    store.revoke("ci")
    assert store.tokens() == [record], "revoking again changes nothing"
    assert owner_of(token, store.tokens()) is None
    with pytest.raises(InputError, match="take another name"):
        store.create("ci")
    with pytest.raises(InputError, match="no token 'nobody'"):
        store.revoke("nobody")


@pytest.mark.parametrize("name", ["", " ", "a b", "-x", "x" * 65, "é", "a\n", "a/b"])
def test_a_name_that_cannot_be_shown_is_refused(engine: Engine, name: str) -> None:
    with pytest.raises(InputError, match="expected up to 64"):
        TokenStore(engine).create(name)
