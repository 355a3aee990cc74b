"""The channels: connecting a shop, its rules, and the switches that stop publishing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import audit, penalties
from inventory.catalogue import given, mark_stale
from inventory.desk.prices import prices_of
from inventory.errors import AlreadyExists, BadInput, NotFound, SettingWrong, WrongState
from inventory.fields import ChannelCode, Code, Count, Percent, Url, small_json, web_address
from inventory.locations import location_ids, maybe_short
from inventory.models import Channel, Listing, Switch
from inventory.security import Vault
from inventory.vocabulary import Kind

FROZEN = "frozen"
LOCATIONS_MAX = 50

ConnectionCheck = Callable[[Kind, str, dict[str, Any], dict[str, Any]], None]
Policy = Literal["review", "auto", "auto_at_deadline"]
Hours = Annotated[int, Meta(ge=0, le=24 * 31)]
Days = Annotated[int, Meta(ge=0, le=365)]
Locations = Annotated[tuple[Code, ...], Meta(min_length=1, max_length=LOCATIONS_MAX)]


class NewChannel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One shop to be connected. `settings` and `credentials` are those of its kind's adapter.

    `locations` is the order in which its sales take stock, null for all sellable locations.
    Unless it is `live`, the shop is only looked at: nothing is published to it and no order of it
    is given up until somebody lets it go live. An own store is live at once: it asks us.
    """

    code: ChannelCode
    kind: Literal["rakuten", "yahoo", "amazon", "shopify", "eccube", "own_store"]
    base_url: Url = ""
    settings: dict[str, Any] = {}
    credentials: dict[str, Any] = {}
    locations: Locations | None = None
    safety_stock: Count = 0
    safety_percent: Percent = 0
    quantity_max: Count | None = None
    quantity_floor: Count = 0
    desk_policy: Policy = "review"
    desk_hours: Hours = 24
    ship_days: Days | None = None
    metrics: dict[str, Any] = {}
    costs: dict[str, Any] = {}
    live: bool = False

    def __repr__(self) -> str:
        """Without the credentials."""
        return f"NewChannel(code={self.code!r}, kind={self.kind!r})"


class ChannelChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall be different about a channel; what is left out stays."""

    base_url: Url | UnsetType = UNSET
    settings: dict[str, Any] | UnsetType = UNSET
    credentials: dict[str, Any] | UnsetType = UNSET
    locations: Locations | UnsetType | None = UNSET
    safety_stock: Count | UnsetType = UNSET
    safety_percent: Percent | UnsetType = UNSET
    quantity_max: Count | UnsetType | None = UNSET
    quantity_floor: Count | UnsetType = UNSET
    desk_policy: Policy | UnsetType = UNSET
    desk_hours: Hours | UnsetType = UNSET
    ship_days: Days | UnsetType | None = UNSET
    metrics: dict[str, Any] | UnsetType = UNSET
    costs: dict[str, Any] | UnsetType = UNSET

    def __repr__(self) -> str:
        """Without the credentials."""
        return f"ChannelChange({', '.join(sorted(given(self)))})"


async def channel_by_code(session: AsyncSession, code: str, *, lock: bool = False) -> Channel:
    """The channel. Raises `NotFound`."""
    query = select(Channel).where(Channel.code == code)
    channel = await session.scalar(query.with_for_update(key_share=True) if lock else query)
    if channel is None:
        raise NotFound(f"no channel {code!r}")
    return channel


def _checked(
    kind: str,
    base_url: str,
    settings: dict[str, Any],
    credentials: dict[str, Any],
    check: ConnectionCheck,
) -> None:
    if base_url:
        web_address(base_url, name="base_url")
    small_json(settings, name="settings")
    small_json(credentials, name="credentials")
    check(Kind(kind), base_url, settings, credentials)


def _checked_metrics(kind: str, metrics: dict[str, Any], costs: dict[str, Any]) -> None:
    small_json(metrics, name="metrics")
    small_json(costs, name="costs")
    try:
        penalties.rules_of(Kind(kind), metrics)
        prices_of(Kind(kind), costs)
    except SettingWrong as error:
        raise BadInput(str(error)) from None


async def connect(
    session: AsyncSession,
    new: NewChannel,
    *,
    vault: Vault,
    check: ConnectionCheck,
    by: str,
    now: datetime,
) -> Channel:
    """Connect a shop; its credentials are sealed before they are stored.

    `check` refuses what the kind's adapter could not use. Raises `BadInput`, `AlreadyExists`,
    `UnknownLocation`; `WrongState` for a location that is not sellable.
    """
    _checked(new.kind, new.base_url, new.settings, new.credentials, check)
    _checked_metrics(new.kind, new.metrics, new.costs)
    values = given(new) | {"connected_at": now}
    del values["locations"], values["live"]
    live = new.live or Kind(new.kind) is Kind.OWN_STORE
    values |= {"live_at": now if live else None, "frozen": not live}
    values["credentials"] = vault.seal(new.credentials) if new.credentials else None
    if new.locations is not None:
        values["location_ids"] = await location_ids(session, new.locations)
    channel_id = await session.scalar(
        insert(Channel).values(values).on_conflict_do_nothing().returning(Channel.id)
    )
    if channel_id is None:
        raise AlreadyExists(f"the channel {new.code!r} is there already")
    detail = {"channel": new.code, "kind": new.kind, "base_url": new.base_url, "live": live}
    audit.note(session, by=by, action="channel.connected", detail=detail, now=now)
    if new.locations is not None:
        await mark_stale(session, await maybe_short(session), now)
    return await channel_by_code(session, new.code)


async def change_channel(
    session: AsyncSession,
    code: str,
    change: ChannelChange,
    *,
    vault: Vault,
    check: ConnectionCheck,
    by: str,
    now: datetime,
) -> Channel:
    """Change a channel's rules, settings or credentials.

    Raises `NotFound`, `BadInput`, `UnknownLocation`; `WrongState` for the house itself, and for a
    location that is not sellable.
    """
    channel = await _locked(session, code)
    values = given(change)
    if values.keys() & {"base_url", "settings", "credentials"}:
        _reconnect(channel, change, vault, check)
    _checked_metrics(
        channel.kind,
        *({} if isinstance(each, UnsetType) else each for each in (change.metrics, change.costs)),
    )
    if not isinstance(change.locations, UnsetType):
        named = change.locations
        channel.location_ids = None if named is None else await location_ids(session, named)
    for name in values.keys() - {"credentials", "locations", "base_url", "settings"}:
        setattr(channel, name, values[name])
    shown = {name: value for name, value in values.items() if name != "credentials"}
    if "credentials" in values:
        shown["credentials_replaced"] = True
    audit.note(session, by=by, action="channel.changed", detail={"channel": code} | shown, now=now)
    also = await maybe_short(session) if "locations" in values else ()
    await _mark_listed(session, channel.id, now, also=also)
    return channel


def _reconnect(
    channel: Channel, change: ChannelChange, vault: Vault, check: ConnectionCheck
) -> None:
    if not isinstance(change.credentials, UnsetType):
        credentials = change.credentials
    else:
        credentials = vault.open(channel.credentials) if channel.credentials else {}
    if not isinstance(change.base_url, UnsetType):
        channel.base_url = change.base_url
    if not isinstance(change.settings, UnsetType):
        channel.settings = change.settings
    _checked(channel.kind, channel.base_url, channel.settings, credentials, check)
    channel.credentials = vault.seal(credentials) if credentials else None
    # Whoever waits for a person to renew the key need not wait any longer.
    channel.pull_due_at = None


async def _locked(session: AsyncSession, code: str) -> Channel:
    channel = await channel_by_code(session, code, lock=True)
    if channel.kind == Kind.HOUSE:
        raise WrongState(f"the channel {code!r} is the house itself and has no rules")
    return channel


async def _mark_listed(
    session: AsyncSession, channel_id: int | None, now: datetime, *, also: Sequence[int] = ()
) -> None:
    listed = select(Listing.sku_id).distinct()
    if channel_id is not None:
        listed = listed.where(Listing.channel_id == channel_id)
    await mark_stale(session, [*await session.scalars(listed), *also], now)


async def set_frozen(
    session: AsyncSession, code: str, *, frozen: bool, by: str, now: datetime
) -> Channel:
    """Stop publishing on a channel, or go on; sales are recorded all the same.

    Raises `NotFound`; `WrongState` for the house, and for a channel that never went live.
    """
    channel = await _locked(session, code)
    if channel.shadow and not frozen:
        raise WrongState(f"the channel {code!r} was never live: look at its shadow, then let it go")
    channel.frozen = frozen
    action = "channel.frozen" if frozen else "channel.unfrozen"
    audit.note(session, by=by, action=action, detail={"channel": code}, now=now)
    await _mark_listed(session, channel.id, now)
    return channel


async def go_live(session: AsyncSession, code: str, *, by: str, now: datetime) -> Channel:
    """Let a shop that was only looked at be published to; today's numbers go out.

    Raises `NotFound`, `WrongState` where it is live already.
    """
    channel = await _locked(session, code)
    if not channel.shadow:
        raise WrongState(f"the channel {code!r} is live already")
    channel.live_at, channel.frozen = now, False
    audit.note(session, by=by, action="channel.live", detail={"channel": code}, now=now)
    # What its orders make short is a case from now on, also of parts that it sells in kits.
    await _mark_listed(session, channel.id, now, also=await maybe_short(session))
    return channel


async def set_all_frozen(session: AsyncSession, *, frozen: bool, by: str, now: datetime) -> None:
    """Stop publishing on every channel, or go on where a channel is not frozen by itself."""
    values = {"name": FROZEN, "value": {"on": frozen, "by": by}, "changed_at": now}
    await session.execute(
        insert(Switch)
        .values(values)
        .on_conflict_do_update(
            index_elements=["name"],
            set_={"value": values["value"], "changed_at": now},
        )
    )
    action = "house.frozen" if frozen else "house.unfrozen"
    audit.note(session, by=by, action=action, detail={}, now=now)
    await _mark_listed(session, None, now)


async def all_frozen(session: AsyncSession) -> bool:
    """Whether publishing is stopped on every channel."""
    value = await session.scalar(select(Switch.value).where(Switch.name == FROZEN))
    return bool(value and value.get("on"))
