"""What every table shares: column types, naming of constraints, no lazy loading."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import BigInteger, DateTime, Identity, LargeBinary, MetaData, SmallInteger, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

Key = Annotated[int, mapped_column(Identity(), primary_key=True)]
BigKey = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
Small = Annotated[int, mapped_column(SmallInteger)]
Big = Annotated[int, mapped_column(BigInteger)]
Json = dict[str, Any]


class Base(DeclarativeBase):
    """Times are UTC with time zone, texts are unbounded, dicts are JSONB."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 -- SQLAlchemy reads this name as a class attribute
        datetime: DateTime(timezone=True),
        str: Text,
        bytes: LargeBinary,
        dict[str, Any]: JSONB,
    }
