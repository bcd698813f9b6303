"""Column types that give back exactly what was stored, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import json
import math
from typing import Any

from sqlalchemy import Dialect, Double
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType


def json_text(content: object) -> str:
    """JSON as it is stored: floats in their shortest exact form.

    Raises:
        ValueError: NaN or an infinity, which JSON has no word for.
    """
    return json.dumps(content, separators=(",", ":"), allow_nan=False)


def storable(text: str | None) -> str | None:
    """Free text without what a database refuses: NUL characters and lone surrogates."""
    if text is None:
        return None
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


class _WithoutAffinity(UserDefinedType[float]):
    """A SQLite column that stores a value as it comes."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """BLOB is the one declared type that makes SQLite convert nothing."""
        return "BLOB"


class ExactFloat(TypeDecorator[float]):
    """A double that comes back bit for bit.

    A REAL column of SQLite stores -0.0 as the integer 0, and any column of it stores NaN as NULL: a
    job resumed from such a database would not have the digest of one never interrupted. So on
    SQLite the column has no affinity, and NaN is the text ``nan``; SQL still sees numbers.
    """

    impl = Double
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """DOUBLE PRECISION, but for SQLite."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(_WithoutAffinity())
        return dialect.type_descriptor(Double())

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | str | None:
        """What is stored."""
        if value is None:
            return None
        number = float(value)
        return "nan" if dialect.name == "sqlite" and math.isnan(number) else number

    def process_result_value(self, value: Any, dialect: Dialect) -> float | None:  # noqa: ARG002
        """What was stored."""
        return None if value is None else float(value)
