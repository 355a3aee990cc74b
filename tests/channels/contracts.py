"""The marketplaces' published models, and checks of real calls against them."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
from graphql import GraphQLSchema, build_client_schema
from jsonschema import Draft4Validator, FormatChecker

# The models lie beside the repository, in a folder shared by the project's workshops.
CONTRACTS = Path(__file__).resolve().parents[3] / "shared" / "contracts"
COMPOSED = ("allOf", "oneOf", "anyOf", "additionalProperties")

AMAZON_MODELS = (
    "orders_2026-01-01",
    "ordersV0",
    "listingsItems_2021-08-01",
    "feeds_2021-06-30",
)
FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time")
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@cache
def amazon_model(name: str) -> dict[str, Any]:
    """One Swagger 2.0 model, made strict: members that it does not name are errors."""
    model = json.loads((CONTRACTS / "amazon" / name).read_text("utf-8"))
    model["definitions"] = {key: _strict(one) for key, one in model["definitions"].items()}
    return dict(model)


@cache
def shopify_schema() -> GraphQLSchema:
    """Shopify's Admin schema 2026-10."""
    with gzip.open(CONTRACTS / "shopify" / "admin_2026-10.json.gz") as file:
        return build_client_schema(json.load(file)["data"], assume_valid=True)


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(one) for key, one in schema.items()}
    if isinstance(strict.get("properties"), dict) and not any(key in strict for key in COMPOSED):
        strict["additionalProperties"] = False
    return strict


class Operation:
    """One operation of a model."""

    def __init__(self, model: str, method: str, path: str) -> None:
        self.model = amazon_model(model)
        self.spec: dict[str, Any] = self.model["paths"][path][method.lower()]
        self.name: str = self.spec["operationId"]
        self._parameters = {(one["in"], one["name"]): one for one in self.spec["parameters"]}

    def check(self, response: httpx.Response, path_values: Mapping[str, str]) -> None:
        """Raise for the first thing in a request or its answer that the model does not know."""
        self.check_request(response.request, path_values)
        self._check_answer(response)

    def check_request(self, request: httpx.Request, path_values: Mapping[str, str]) -> None:
        """Raise for the first thing in a request that the model does not know."""
        for name, value in path_values.items():
            assert ("path", name) in self._parameters, f"{self.name}: {name}"
            assert value, f"{self.name}: {name} is empty"
        given = dict(request.url.params)
        for name, value in given.items():
            assert ("query", name) in self._parameters, f"{self.name}: unknown parameter {name}"
            self._check_parameter(self._parameters["query", name], value)
        for (place, name), parameter in self._parameters.items():
            if parameter.get("required") and place == "query":
                assert name in given, f"{self.name}: {name} is required"
            if place == "body":
                self._validate(parameter["schema"], json.loads(request.content))

    def _check_answer(self, response: httpx.Response) -> None:
        declared = self.spec["responses"].get(str(response.status_code))
        assert declared is not None, f"{self.name} may not answer {response.status_code}"
        self._validate(declared["schema"], response.json())
        for header in declared.get("headers", {}):
            assert header.lower() in response.headers, f"{self.name}: {header} is missing"

    def _check_parameter(self, parameter: dict[str, Any], text: str) -> None:
        values = text.split(",") if parameter["type"] == "array" else [text]
        schema = parameter["items"] if parameter["type"] == "array" else parameter
        assert len(values) <= parameter.get("maxItems", len(values)), parameter["name"]
        for value in values:
            typed = int(value) if schema["type"] == "integer" else value
            kept = {"type", "enum", "maximum", "minimum", "format"} & set(schema)
            self._validate({key: schema[key] for key in kept}, typed)

    def _validate(self, schema: dict[str, Any], value: Any) -> None:
        whole = {**schema, "definitions": self.model["definitions"]}
        Draft4Validator(whole, format_checker=FORMATS).validate(value)


class Recorder(httpx.AsyncBaseTransport):
    """Keeps every answer of a client with its request, and every request that got no answer."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.answers: list[httpx.Response] = []
        self.unanswered: list[httpx.Request] = []
        self._inner = client._transport
        client._transport = self

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Let the request through; its answer is read whole, kept, and given out anew."""
        await request.aread()
        self.unanswered.append(request)
        response = await self._inner.handle_async_request(request)
        content = b"".join([part async for part in response.aiter_raw()])
        await response.aclose()
        self.unanswered.remove(request)
        kept = httpx.Response(
            response.status_code, headers=response.headers, content=content, request=request
        )
        self.answers.append(kept)
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=httpx.ByteStream(content),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close the transport underneath."""
        await self._inner.aclose()


def operation_of(request: httpx.Request, prefix: str) -> tuple[Operation, dict[str, str]] | None:
    """The operation that a request of our client meant, with the values in its path."""
    method = request.method
    path = request.url.raw_path.decode().partition("?")[0].removeprefix(prefix)
    for model in AMAZON_MODELS:
        for template, methods in amazon_model(f"{model}.json")["paths"].items():
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
            match = re.fullmatch(pattern, path)
            if match and method.lower() in methods:
                values = {name: unquote(text) for name, text in match.groupdict().items()}
                return Operation(f"{model}.json", method, template), values
    return None
