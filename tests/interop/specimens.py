"""Keyword arguments that JSON on a test's line cannot say, and those of the load."""
import datetime
import decimal
import json
import uuid


def by_name(name):
    return dict(SPECIMENS[name]())


SPECIMENS = {
    "nan": lambda: {"x": float("nan")},
    "infinity": lambda: {"x": float("inf")},
    "huge_integer": lambda: {"x": 2**70},
    "surrogate": lambda: {"x": "\ud83c"},
    "rich": lambda: {
        "when": datetime.datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=datetime.timezone.utc),
        "naive": datetime.datetime(2026, 1, 2, 3, 4, 5),
        "day": datetime.date(2026, 1, 2),
        "time": datetime.time(3, 4, 5),
        "amount": decimal.Decimal("1.20"),
        "id": uuid.UUID("00000000-0000-0000-0000-000000000001"),
        "text": b"caf\xc3\xa9",
        "binary": b"\xff\xfe",
    },
}


def numbered(number):
    """An event of the load. `expected` in the test's Rust makes the same."""
    return {
        "n": number,
        "name": "café / 中 \U0001f355 {}".format(number * 7919 % 1000),
        "half": number / 2,
        "tags": [str(number % 10), None, number % 3 == 0],
        "meta": {"id": number * 1000003, "deep": {"list": [[], {}, number]}},
    }


def line(payload):
    return json.dumps(payload, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
