"""Bodies read straight into their shape, and bodies that are one thing or many of it."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any, ClassVar

import msgspec
from litestar.dto import AbstractDTO
from litestar.dto.data_structures import DTOFieldDefinition
from litestar.exceptions import SerializationException, ValidationException
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

# Where msgspec says that something stands in a document.
PLACE = re.compile(r" - at `\$\.?(?P<place>.*)`$", re.DOTALL)


class Read(AbstractDTO[Any]):
    """Reads a body as `one` in a single pass: where a door is to be quick, half the work.

    Subclasses name the shape.
    """

    one: ClassVar[msgspec.json.Decoder[Any]]

    def decode_bytes(self, value: bytes) -> Any:
        """The body. Raises `ValidationException`, `SerializationException` for what is no JSON."""
        try:
            return self.decode(value)
        except msgspec.ValidationError as error:
            raise ValidationException(extra=[_wrong_part(str(error))]) from error
        except msgspec.DecodeError as error:
            raise SerializationException(str(error)) from error

    def decode(self, value: bytes) -> Any:
        """The body. Raises msgspec's `DecodeError`."""
        return self.one.decode(value)

    @classmethod
    def create_for_field_definition(cls, *_: Any, **__: Any) -> None:
        """Nothing is made out of the shapes: they are what they are."""

    @classmethod
    def create_openapi_schema(
        cls,
        field_definition: FieldDefinition,
        handler_id: str,  # noqa: ARG003 -- the framework passes it by name
        schema_creator: Any,
    ) -> Reference | Schema:
        """Both shapes, as the handler's annotation names them."""
        schema: Reference | Schema = schema_creator.for_field_definition(field_definition)
        return schema

    @classmethod
    def generate_field_definitions(
        cls,
        model_type: type[Any],  # noqa: ARG003 -- the framework passes it by name
    ) -> Generator[DTOFieldDefinition, None, None]:
        """None: no shape is derived from another."""
        yield from ()

    @classmethod
    def detect_nested_field(
        cls,
        field_definition: FieldDefinition,  # noqa: ARG003 -- the framework passes it by name
    ) -> bool:
        """Never: no shape is derived from another."""
        return False


class OneOrMany(Read):
    """Reads a body as `one`, or as `many` where it has the member that only many have.

    Neither shape needs a tag that says which it is.
    """

    many: ClassVar[msgspec.json.Decoder[Any]]
    member: ClassVar[str]

    def decode(self, value: bytes) -> Any:
        """The body. Raises msgspec's `DecodeError`."""
        try:
            return self.one.decode(value)
        except msgspec.ValidationError:
            if not self._is_many(value):
                raise
        return self.many.decode(value)

    def _is_many(self, value: bytes) -> bool:
        try:
            return self.member in msgspec.json.decode(value, type=dict[str, msgspec.Raw])
        except msgspec.ValidationError:
            return False


def _wrong_part(message: str) -> dict[str, str]:
    place = PLACE.search(message)
    said = message[: place.start()] if place else message
    return {"message": said, "key": (place["place"] if place else "") or "data", "source": "body"}
