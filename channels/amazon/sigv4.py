"""AWS Signature Version 4 for one POST with a JSON body; pure, checked against botocore's."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from urllib.parse import urlsplit

from msgspec import Struct

ALGORITHM = "AWS4-HMAC-SHA256"


class Keys(Struct, frozen=True, kw_only=True):
    """AWS keys; `session_token` is "" for keys that last."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""

    def __repr__(self) -> str:
        return "Keys(***)"


def signed(
    url: str,
    headers: dict[str, str],
    body: bytes,
    *,
    keys: Keys,
    region: str,
    service: str,
    now: datetime,
) -> dict[str, str]:
    """The headers (small letters) with those that AWS asks for, the signature among them.

    `url` has a plain path and no query; `now` is UTC (AWS refuses a clock wrong by 5 minutes).
    Rule: AWS General Reference, "Create a signed AWS API request".
    """
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    named = {**headers, "host": urlsplit(url).netloc, "x-amz-date": stamp}
    if keys.session_token:
        named["x-amz-security-token"] = keys.session_token
    names = ";".join(sorted(named))
    lines = "".join(f"{name}:{named[name].strip()}\n" for name in sorted(named))
    path = urlsplit(url).path or "/"
    request = "\n".join(["POST", path, "", lines, names, hashlib.sha256(body).hexdigest()])
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"{ALGORITHM}\n{stamp}\n{scope}\n{digest}"
    key = f"AWS4{keys.secret_access_key}".encode()
    for part in (stamp[:8], region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    named["authorization"] = (
        f"{ALGORITHM} Credential={keys.access_key_id}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return named
