"""A mail server on this machine that keeps what is handed in and answers as a test tells it."""

from __future__ import annotations

import asyncio
import base64
import ssl
from dataclasses import dataclass, field
from typing import Self


@dataclass
class MailServer:
    """Speaks enough SMTP. `tls` is used from the start, or after STARTTLS where `starttls`.

    `answers` gives other lines than usual for a verb: {"RCPT": "550 no such mailbox"}; the greeting
    is that of no verb. To `silent_at` it says nothing.
    """

    tls: ssl.SSLContext | None = None
    starttls: bool = False
    answers: dict[str, str] = field(default_factory=dict)
    hold: asyncio.Event | None = None
    silent_at: str | None = None
    connections: int = 0
    said: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    secured: list[bool] = field(default_factory=list)
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Start listening on a port of the system's choice."""
        tls = None if self.starttls else self.tls
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        assert self._server is not None
        self._server.close()

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        secured = self.tls is not None and not self.starttls
        try:
            await self._session(reader, writer, secured=secured)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _session(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, secured: bool
    ) -> None:
        if self.hold is not None:
            await self.hold.wait()
        writer.write(self.answers.get("", "220 mail.example ESMTP").encode() + b"\r\n")
        while line := (await reader.readline()).decode().strip():
            self.said.append(line)
            verb = line.split(" ", 1)[0].upper()
            if verb == self.silent_at:
                await reader.read()
                return
            if verb == "STARTTLS":
                writer.write(b"220 go ahead\r\n")
                await writer.drain()
                assert self.tls is not None
                await writer.start_tls(self.tls)
                secured = True
                continue
            if verb == "DATA" and verb not in self.answers:
                writer.write(b"354 go on\r\n")
                self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
                self.secured.append(secured)
            writer.write((self._answer(verb, secured=secured) + "\r\n").encode())
            await writer.drain()
            if verb == "QUIT":
                return

    def _answer(self, verb: str, *, secured: bool) -> str:
        if verb in self.answers:
            return self.answers[verb]
        if verb == "EHLO":
            offered = ["250-mail.example", "250-AUTH PLAIN LOGIN"]
            if self.starttls and not secured:
                offered.append("250-STARTTLS")
            return "\r\n".join([*offered, "250 8BITMIME"])
        return {"AUTH": "235 welcome", "QUIT": "221 bye"}.get(verb, "250 ok")

    def login(self) -> str | None:
        """User name and password as they were told, where they were."""
        for line in self.said:
            if line.startswith("AUTH PLAIN "):
                return base64.b64decode(line.split(" ")[2]).decode().replace("\0", " ").strip()
        return None
