"""The admin: login limits, Content-Security-Policy, cookies and error pages."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.test import Client, RequestFactory
from django.views.defaults import server_error
from pytest_django import Settings

from config import login
from mms.runtime import wakeup

LOGIN = "/admin/login/"
STATIC = "/static/"
LOADED = re.compile(r'(?:<link|<script|<img)[^>]*\s(?:href|src)="([^"]+)"')
WAIT = b"Too many attempts to log in"
# Inline scripts and event handlers, which the policy forbids.
INLINE = re.compile(
    rb"<script(?![^>]*\ssrc=)[^>]*>\s*\S|<[^>]*\son(?:click|change|submit|load|error|input)=", re.IGNORECASE
)


@pytest.fixture
def olga(db: None, settings: Settings) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the default is slow on purpose
    with wakeup.connection() as counts:
        counts.delete(*(counts.keys("login:*") or ["login:none"]))
    return User.objects.create_superuser("olga", password="right")


def attempt(password: str, user: str = "olga", address: str = "192.0.2.1") -> bytes:
    """Return the login page, or b"" after a successful login."""
    reply = Client().post(LOGIN, {"username": user, "password": password}, REMOTE_ADDR=address)
    assert reply.status_code in {200, 302}
    return bytes(reply.content)


def test_sixth_attempt_is_refused_even_with_right_password(olga: User) -> None:
    guesses = [attempt("wrong") for _ in range(5)]
    assert not any(WAIT in page for page in guesses)
    assert WAIT in attempt("right")
    assert WAIT in attempt("right", user="OLGA")


def test_other_addresses_may_still_log_in(olga: User) -> None:
    for _ in range(6):
        attempt("wrong")
    assert attempt("right", address="192.0.2.2") == b""


def test_address_is_limited_across_user_names(olga: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "LIMITS", (5, 6, 100))
    for number in range(6):
        assert WAIT not in attempt("wrong", user=f"user{number}")
    assert WAIT in attempt("right")


def test_successful_login_resets_the_count(olga: User) -> None:
    for _ in range(3):
        assert [attempt("wrong") == b"", attempt("right") == b""] == [False, True]


def test_broker_outage_locks_nobody_out(olga: User, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1"
    for _ in range(6):
        attempt("wrong")
    assert attempt("right") == b""


@pytest.mark.parametrize("page", ["", "mms/message/", "billing/account/add/", "mms/carrier/add/", "auth/user/add/"])
def test_pages_have_no_inline_scripts(olga: User, client: Client, page: str) -> None:
    client.force_login(olga)
    reply = client.get(f"/admin/{page}")
    policy = dict(part.split(" ", 1) for part in reply["Content-Security-Policy"].split("; "))
    assert reply.status_code == 200
    assert not INLINE.search(reply.content)
    assert (policy["default-src"], policy["frame-ancestors"], policy["base-uri"]) == ("'none'",) * 3
    assert "unsafe-inline" not in policy["script-src"]


def test_cookies_are_http_only_secure_and_same_site(olga: User, settings: Settings) -> None:
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True  # SECURE_COOKIES
    cookies = Client().post(LOGIN, {"username": "olga", "password": "right"}, secure=True).cookies
    session = cookies[settings.SESSION_COOKIE_NAME]
    assert (session["httponly"], session["secure"], session["samesite"]) == (True, True, "Lax")
    assert cookies[settings.CSRF_COOKIE_NAME]["secure"]


@pytest.mark.parametrize("page", [LOGIN, "/admin/", "/admin/billing/account/add/", "/nowhere"])
def test_every_loaded_file_exists(olga: User, client: Client, page: str) -> None:
    if page != LOGIN:
        client.force_login(olga)
    loaded = LOADED.findall(client.get(page).content.decode())
    assert "/static/config/icon.svg" in loaded
    files = {address.removeprefix(STATIC) for address in loaded if address.startswith(STATIC)}
    assert [name for name in files if not finders.find(name)] == []


def test_error_pages_explain_and_link_back(olga: User, db: None) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_user("eva", is_staff=True))
    replies: dict[int, Any] = {
        403: client.get("/admin/mms/message/"),
        404: client.get("/nowhere"),
        0: client.post("/admin/logout/"),
        500: server_error(RequestFactory().get("/admin/")),
    }
    assert {code: reply.status_code for code, reply in replies.items()} == {403: 403, 404: 404, 0: 403, 500: 500}
    headings = [re.search("<h1>(.*)</h1>", reply.content.decode()) for reply in replies.values()]
    assert [found and found[1] for found in headings] == [
        "Permission denied",
        "Not found",
        "The form has expired",
        "Something went wrong",
    ]
    assert all(b'<a href="/admin/">' in reply.content for reply in replies.values())


def test_empty_list_gives_the_reason(olga: User, client: Client) -> None:
    client.force_login(olga)
    assert b"There are no carriers yet." in client.get("/admin/mms/carrier/").content
    assert b"No carrier matches this search" in client.get("/admin/mms/carrier/?q=acme").content
