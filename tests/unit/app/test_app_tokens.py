"""The keys of agents that come by HTTP: shown once, kept as what they hash to, for a while and for some tools."""

from __future__ import annotations

import pytest
from tests.support.opened import Opened

from rota.app.tokens import create_token, list_tokens, revoke_token, token_of
from rota.model.errors import ConflictError, NotFoundError, RotaError


def test_a_key_opens_until_it_is_revoked(opened: Opened) -> None:
    token, key = create_token(opened.app, "laptop", agent="claude")
    assert token_of(opened.app, key) == token
    assert (token.agent, token.scopes) == ("claude", ("*",))
    assert key not in str(list_tokens(opened.app))
    revoke_token(opened.app, "laptop")
    assert token_of(opened.app, key) is None
    with pytest.raises(NotFoundError):
        revoke_token(opened.app, "laptop")


@pytest.mark.parametrize("key", ["", "rota_", "x" * 10_000, "rota_\ud800"])
def test_what_is_no_key_opens_nothing(opened: Opened, key: str) -> None:
    create_token(opened.app, "laptop")
    assert token_of(opened.app, key) is None


def test_a_key_expires(opened: Opened) -> None:
    _, key = create_token(opened.app, "guest", days=1)
    assert token_of(opened.app, key) is not None
    opened.clock.advance(86_400)
    assert token_of(opened.app, key) is None


def test_a_name_is_taken_once_and_a_scope_means_a_tool(opened: Opened) -> None:
    create_token(opened.app, "laptop", scopes=("look", "job_*"))
    with pytest.raises(ConflictError, match="already"):
        create_token(opened.app, "laptop")
    with pytest.raises(RotaError, match="no tool is meant"):
        create_token(opened.app, "other", scopes=("jobs",))
    with pytest.raises(RotaError, match="no name"):
        create_token(opened.app, "a b")
