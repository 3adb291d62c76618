"""Values to JSON and back, by their type hints. Secrets never pass: they are written as nothing."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeVar, cast

from app.model.secret import Secret

T = TypeVar("T")

_CLASS = "$"
"""Key that names the class where a field may hold one of several dataclasses."""


def encode(value: Any) -> Any:
    """Return a JSON-able copy of a value. A Secret becomes ``None``, half a surrogate pair a question mark.

    Bytes are written as text, each byte the character of its number (readable, and found by a search for a secret).
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {_CLASS: type(value).__name__, **fields}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="replace").decode()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Secret):
        return None
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (frozenset, set)):
        return sorted(encode(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if type(value) is int and not -(1 << 63) <= value < 1 << 64:
        return float(value) if abs(value) < 1 << 1000 else str(value)  # JSON writers know 64 bits only
    return value


def decode(kind: type[T], data: Any) -> T:
    """Build a value of that type; raises ValueError where the data is not of its shape.

    Unknown fields are ignored, missing ones take their default.
    """
    try:
        return cast(T, _decode(kind, data))
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a {kind.__name__}: {error}") from error


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _decode(kind: Any, data: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(typing.get_args(kind), data)
    if origin is not None:
        return _decode_generic(origin, typing.get_args(kind), data)
    if kind is Any:
        return data
    if kind is Secret:
        return Secret("")
    if kind is datetime:
        moment = datetime.fromisoformat(data)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    if kind is bytes:
        return data.encode("latin-1", "replace")
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(cast(type, kind), data)
    if issubclass(kind, Enum):
        return kind(data)
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise ValueError(f"{kind.__name__} expected, not {type(data).__name__}")
    return data


def _decode_dataclass(kind: type, data: Any) -> Any:
    if not isinstance(data, dict):
        raise ValueError(f"{kind.__name__} expected, not {type(data).__name__}")
    hints = _hints(kind)
    names = [field.name for field in dataclasses.fields(kind) if hints[field.name] is not Secret]
    return kind(**{name: _decode(hints[name], data[name]) for name in names if name in data})


def _decode_union(choices: tuple[Any, ...], data: Any) -> Any:
    if data is None:
        if type(None) in choices:
            return None
        raise ValueError("a value is missing")
    real = [choice for choice in choices if choice is not type(None)]
    if len(real) == 1:
        return _decode(real[0], data)
    name = data.get(_CLASS) if isinstance(data, dict) else type(data).__name__
    for choice in real:
        if getattr(choice, "__name__", "") == name:
            return _decode(choice, data)
    raise ValueError(f"unknown kind of value “{name}”")


def _decode_generic(origin: Any, args: tuple[Any, ...], data: Any) -> Any:
    if origin is tuple or origin is frozenset:
        if not isinstance(data, list):
            raise ValueError(f"a list was expected, not {type(data).__name__}")
        if origin is tuple and args[-1] is not Ellipsis:
            return tuple(_decode(arg, item) for arg, item in zip(args, data, strict=True))
        return origin(_decode(args[0], item) for item in data)
    if not isinstance(data, dict):
        raise ValueError(f"a table was expected, not {type(data).__name__}")
    return {key: _decode(args[1], item) for key, item in data.items()}
