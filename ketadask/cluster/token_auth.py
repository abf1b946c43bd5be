"""Admission to the dashboard by a token; imported only where there is one."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

from bokeh.server.auth_provider import AuthProvider
from tornado.web import HTTPError

_COOKIE = "ketadask-token"


class TokenAuth(AuthProvider):
    """Show pages to whoever gives the token in the address; a cookie remembers it."""

    def __init__(self, token: str) -> None:
        self._token = token
        super().__init__()

    @property
    def get_user(self) -> Callable[[Any], Any]:
        """Return the function that admits a request; None refuses it."""
        return self._admit

    def _admit(self, request: Any) -> str | None:
        word = request.get_argument("token", None)
        if word is not None and self._is_token(word):
            request.set_cookie(_COOKIE, word, httponly=True, samesite="Strict")
            return "owner"
        return "owner" if self._is_token(request.get_cookie(_COOKIE, "")) else None

    def _is_token(self, word: str) -> bool:
        return hmac.compare_digest(word.encode(), self._token.encode())

    @property
    def get_login_url(self) -> Callable[[Any], str]:
        """Return the function that refuses a request without the token."""
        return _refuse


def _refuse(request: Any) -> str:
    raise HTTPError(403, reason="use the address with the token that the run printed")
