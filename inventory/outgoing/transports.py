"""What goes out for one message: a signed webhook, a post to a chat, or a mail. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from msgspec import Struct

from inventory.outgoing import chats, dispatch
from inventory.outgoing.dispatch import Due
from inventory.outgoing.endpoints import Reach
from inventory.outgoing.outbound import Answer, Outbound
from inventory.outgoing.signing import Keys, signature
from inventory.outgoing.wording import said

AGENT = "Hikiate-Webhooks/1"


class Post(Struct, frozen=True, kw_only=True):
    """One POST. Without a readable repr: addresses and headers hold tokens."""

    url: str
    headers: dict[str, str]
    content: bytes

    def __repr__(self) -> str:
        """Without anything of it."""
        return "Post()"


def post(due: Due, reach: Reach, keys: Sequence[Keys], now: datetime) -> Post:
    """The POST for a webhook, signed by `keys` (the newest first), or for a chat."""
    if due.kind == "webhook":
        content = dispatch.payload(due)
        signed = signature(keys, message_id=due.message_id, now=now, content=content)
        headers = {
            "content-type": "application/json",
            "webhook-id": due.message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signed,
        }
        return Post(url=reach.url, headers=headers | {"user-agent": AGENT}, content=content)
    url, token = reach.url, {}
    if due.kind == "chatwork":
        url = f"{reach.url.rstrip('/')}/v2/rooms/{reach.room}/messages"
        token = {"x-chatworktoken": reach.token}
    kind, content = chats.content(due.kind, said(due.event, due.body))
    headers = {"content-type": kind, "user-agent": AGENT} | token
    return Post(url=url, headers=headers, content=content)


def mail(due: Due, reach: Reach, now: datetime) -> EmailMessage:
    """The mail for a message; its Message-ID is the message's, the same at each try."""
    words = said(due.event, due.body)
    message = EmailMessage()
    message["Subject"] = words.title
    message["From"] = _mailbox(reach.sender)
    message["To"] = [_mailbox(each) for each in reach.recipients]
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{due.message_id}@{reach.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n".join([words.title, "", *words.lines, ""]))
    return message


def _mailbox(text: str) -> Address:
    user, _, domain = text.rpartition("@")
    return Address(username=user, domain=domain)


async def send(
    out: Outbound, due: Due, reach: Reach, keys: Sequence[Keys], now: datetime
) -> Answer:
    """Make one try; whatever happens is in the answer."""
    if due.kind == "email":
        return await out.mail(
            reach.url,
            mail(due, reach, now),
            username=reach.username,
            password=reach.password,
        )
    made = post(due, reach, keys, now)
    return await out.post(made.url, headers=made.headers, content=made.content)
