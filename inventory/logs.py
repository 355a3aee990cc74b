"""Logs: one JSON object a line (or readable text), with ids, and with every secret taken out."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from inventory.config import Settings

HIDDEN = "[hidden]"
SECRET_NAMES = re.compile(
    r"authori[sz]ation|token|secret|passw(or)?d|credential|cookie|signature"
    r"|(^|[-_.])(api|access|private|licen[sc]e|service|secret)?[-_]?key$",
    re.IGNORECASE,
)
# A secret inside a sentence or an address: a bearer header, one of our keys, a password in a URL.
SECRET_TEXTS = re.compile(
    r"(?P<before>bearer\s+|basic\s+|esa\s+)[^\s,;\"']+"
    r"|(?P<address>://[^\s/:@]*:)[^\s/@]+(?=@)"
    r"|hk_[A-Za-z0-9_-]{8,}|whsec_[A-Za-z0-9+/=_-]{8,}|shp(at|ss|ca|ua)_[A-Za-z0-9]{8,}",
    re.IGNORECASE,
)
SECRET_CHARACTERS_MIN = 8
SECRETS_MAX = 10_000
DEPTH_MAX = 8


class Secrets:
    """Values that must never be written, wherever they turn up. Holds at most 10,000."""

    def __init__(self) -> None:
        self._values: dict[str, None] = {}

    def add(self, values: Iterable[str]) -> None:
        """Hide these from now on. Texts under 8 characters would hide ordinary words: left out."""
        for value in values:
            if len(value) >= SECRET_CHARACTERS_MIN:
                self._values[value] = None
        while len(self._values) > SECRETS_MAX:
            del self._values[next(iter(self._values))]

    def hide_in(self, text: str) -> str:
        """The text without them."""
        for value in self._values:
            if value in text:
                text = text.replace(value, HIDDEN)
        return SECRET_TEXTS.sub(
            lambda found: (found["before"] or found["address"] or "") + HIDDEN, text
        )


SECRETS = Secrets()


def texts_in(value: Any) -> list[str]:
    """Every text in a JSON value, such as the credentials of a channel."""
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in texts_in(item)]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in texts_in(item)]
    return [value] if isinstance(value, str) else []


def redact(value: Any, *, depth: int = 0) -> Any:
    """The same value with secrets hidden: by the name of their field, and by what they are."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping) and depth < DEPTH_MAX:
        return {
            name: HIDDEN if SECRET_NAMES.search(str(name)) else redact(item, depth=depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)) and depth < DEPTH_MAX:
        return [redact(item, depth=depth + 1) for item in value]
    return f"[{len(value)} bytes]" if isinstance(value, bytes) else SECRETS.hide_in(str(value))


def _redacted(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    hidden = redact({name: item for name, item in event.items() if not name.startswith("_")})
    return {**event, **hidden}


def configure(*, level: str = "INFO", as_json: bool | None = None) -> None:
    """Send all logs of this process to standard error; JSON unless that is a terminal."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *shared],
            # Redaction comes last, so that it also sees what the others have added: tracebacks too.
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _redacted,
                _renderer(as_json=not sys.stderr.isatty() if as_json is None else as_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    _calm_others()


def _renderer(*, as_json: bool) -> Processor:
    if as_json:
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )


def _calm_others() -> None:
    """Have libraries log through us; what we log ourselves, or at every call, they leave out."""
    for name in ("uvicorn", "uvicorn.error", "celery", "litestar"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    # Each request has a line of our own, with its route and without what a caller typed.
    access = logging.getLogger("uvicorn.access")
    access.handlers, access.propagate = [], False
    for name in ("httpx", "httpcore", "alembic"):
        logging.getLogger(name).setLevel("WARNING")


def hide(*, secret_key: str, urls: Iterable[str] = ()) -> None:
    """Never write the secret key, nor the passwords in these addresses."""
    passwords = [unquote(urlsplit(url).password or "") for url in urls]
    raw = [urlsplit(url).password or "" for url in urls]
    SECRETS.add([secret_key, *secret_key.split(","), *passwords, *raw])


def setup(settings: Settings) -> None:
    """What every process of the house does first: logs as the settings say, without secrets."""
    configure(level=settings.log_level)
    hide(secret_key=settings.secret_key, urls=(settings.database_url, settings.redis_url))
