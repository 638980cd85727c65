"""Signing in and out in a browser, and the API keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from mainstem.api.services import Plane, Services
from mainstem.control.keys import told
from mainstem.control.sessions import SESSION_S, TICKET_S, Session
from mainstem.control.validation import invalid

open_router = APIRouter(tags=["session"])
"""Needs no key."""
router = APIRouter(tags=["session"])


class SignIn(BaseModel):
    """An API key, or the ticket of a sign-in link."""

    apiKey: str = Field(default="", max_length=1024)
    ticket: str = Field(default="", max_length=1024)


class SessionInfo(BaseModel):
    """Who is signed in, by the cookie."""

    signedIn: bool
    csrfToken: str = Field(default="", description="for the header X-CSRF-Token of every call that changes something")
    key: str = Field(default="", description="the end of the key")
    expires: int = Field(default=0, description="seconds since 1970; longer once half of the time is over")


class Ticket(BaseModel):
    """A sign-in link for a browser."""

    ticket: str
    path: str = Field(description="behind this server's address", examples=["/signin#ticket=…"])
    expiresInSeconds: int


class KeyName(BaseModel):
    """What a new key is for."""

    name: str = Field(min_length=1, max_length=255)


class ApiKey(BaseModel):
    """An API key, of which only the end is known."""

    id: str
    name: str
    lastFour: str
    created: int = Field(description="seconds since 1970")
    revoked: int | None = Field(description="since when it is useless")


class NewApiKey(ApiKey):
    """A key that was made just now."""

    key: str = Field(description="shown once")


def _session(request: Request) -> Session | None:
    found = getattr(request.state, "session", None)
    return found if isinstance(found, Session) else None


Who = Annotated[Session | None, Depends(_session)]


@open_router.post("/session", response_model=SessionInfo)
def sign_in(body: SignIn, request: Request, response: Response, plane: Plane) -> SessionInfo:
    """Begin a session: the answer sets a cookie, HttpOnly and SameSite=Strict."""
    if not body.apiKey and not body.ticket:
        raise invalid({"apiKey": "is required, or ticket"})
    session, cookie = plane.sessions.begin(body.apiKey) if body.apiKey else plane.sessions.redeem(body.ticket)
    _set_cookie(request, response, plane, cookie)
    return _info(session)


@open_router.get("/session", response_model=SessionInfo)
def session(who: Who, request: Request, response: Response, plane: Plane) -> SessionInfo:
    """Who is signed in; renews the cookie once half of its time is over."""
    if who is None:
        return SessionInfo(signedIn=False)
    renewed = plane.sessions.renewed(who)
    if renewed is not None:
        who, cookie = renewed
        _set_cookie(request, response, plane, cookie)
    return _info(who)


@router.delete("/session", response_model=SessionInfo)
def sign_out(who: Who, response: Response, plane: Plane) -> SessionInfo:
    """End the session, for good."""
    if who is not None:
        plane.sessions.end(who)
    response.delete_cookie(plane.cookie)
    return SessionInfo(signedIn=False)


@router.post("/session/tickets", response_model=Ticket)
def make_ticket(request: Request, plane: Plane) -> Ticket:
    """A sign-in link that works once, for a while: for programs that open a browser."""
    ticket = plane.sessions.ticket(key_digest=str(request.state.key_digest))
    return Ticket(ticket=ticket, path=f"/signin#ticket={ticket}", expiresInSeconds=TICKET_S)


@router.get("/api-keys", response_model=list[ApiKey])
def list_keys(plane: Plane) -> list[ApiKey]:
    """All keys of the store, revoked ones too."""
    return [ApiKey(**told(record)) for record in plane.keys.all()]


@router.post("/api-keys", response_model=NewApiKey)
def create_key(body: KeyName, plane: Plane) -> NewApiKey:
    """Make a key; its text is in this answer alone."""
    record, text = plane.keys.create(body.name)
    return NewApiKey(**told(record), key=text)


@router.delete("/api-keys/{key_id}", response_model=ApiKey)
def revoke_key(key_id: str, plane: Plane) -> ApiKey:
    """Make a key useless, and with it the sessions that began with it."""
    plane.keys.revoke(key_id)
    return next(ApiKey(**told(record)) for record in plane.keys.all() if record.id == key_id)


def _info(session: Session) -> SessionInfo:
    return SessionInfo(signedIn=True, csrfToken=session.csrf, key=session.key_hint, expires=session.expires_s)


def _set_cookie(request: Request, response: Response, plane: Services, cookie: str) -> None:
    response.set_cookie(
        plane.cookie,
        cookie,
        max_age=SESSION_S,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
