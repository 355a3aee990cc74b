"""How each chat wants to be told: pure, from what is said to the body of one POST.

Nothing that a shop names (SKUs, channels) may call people or hide a link: what a chat would read as
a mention or a tag is written with wide brackets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from inventory.outgoing.wording import Said

# The shortest of the limits that the chats document (Slack's text object, 3,000 characters).
TEXT_CHARACTERS_MAX = 2_800
SLACK_HEADER_MAX = 150
WIDE = str.maketrans({"<": "＜", ">": "＞", "[": "［", "]": "］"})


def _plain(said: Said) -> str:
    return "\n".join(said.lines)[:TEXT_CHARACTERS_MAX]


def slack(said: Said) -> dict[str, Any]:
    """Slack "Sending messages using incoming webhooks": plain text, so nothing is a mention."""
    title = said.title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    header = {"type": "plain_text", "text": said.title[:SLACK_HEADER_MAX], "emoji": False}
    blocks: list[dict[str, Any]] = [{"type": "header", "text": header}]
    if said.facts:
        text = {"type": "plain_text", "text": _plain(said), "emoji": False}
        blocks.append({"type": "section", "text": text})
    return {"text": title, "blocks": blocks}


def teams(said: Said) -> dict[str, Any]:
    """Microsoft Teams, workflow "When a Teams webhook request is received": one adaptive card.

    Workflows read adaptive cards only; the older message cards are not sent.
    """
    title = {
        "type": "TextBlock",
        "text": said.title.translate(WIDE),
        "weight": "Bolder",
        "size": "Medium",
        "wrap": True,
    }
    facts = [
        {"title": label.translate(WIDE), "value": value.translate(WIDE)}
        for label, value in said.facts
    ]
    body: list[dict[str, Any]] = [title]
    if facts:
        body.append({"type": "FactSet", "facts": facts})
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def google_chat(said: Said) -> dict[str, Any]:
    """Google Chat "Build a Google Chat app as a webhook": `text`; <users/all> would call all."""
    return {"text": f"*{said.title.translate(WIDE)}*\n{_plain(said).translate(WIDE)}".strip()}


def line_works(said: Said) -> dict[str, Any]:
    """LINE WORKS Incoming Webhook: `title` and `body.text`. UNCONFIRMED: the limits of both."""
    text = _plain(said).translate(WIDE) or said.title.translate(WIDE)
    return {"title": said.title.translate(WIDE), "body": {"text": text}}


def chatwork(said: Said) -> str:
    """Chatwork API v2 "POST /rooms/{room_id}/messages", a form; [toall] would call everyone."""
    inner = _plain(said).translate(WIDE)
    body = f"[info][title]{said.title.translate(WIDE)}[/title]{inner}[/info]"
    return urlencode({"body": body, "self_unread": "1"})


JSON: Mapping[str, Callable[[Said], dict[str, Any]]] = {
    "slack": slack,
    "teams": teams,
    "google_chat": google_chat,
    "line_works": line_works,
}


def content(kind: str, said: Said) -> tuple[str, bytes]:
    """The content type and the body for a chat of this kind; `KeyError` for no chat."""
    if kind == "chatwork":
        return "application/x-www-form-urlencoded", chatwork(said).encode()
    return "application/json; charset=utf-8", msgspec.json.encode(JSON[kind](said))
