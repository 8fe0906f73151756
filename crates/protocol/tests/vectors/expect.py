#!/usr/bin/env python3
"""Writes ../expectations.json: what each vector of this folder means, by Python's own json,
zlib, bz2, datetime and uuid. Knows nothing of the Rust code. Python 3.11 or later, no packages.

Floats are written as {"$f64": <the 16 hex digits of the double>}, so that no reader rounds them;
points in time as microseconds since 1970.
"""
import base64
import bz2
import datetime
import decimal
import json
import pathlib
import struct
import uuid
import zlib

HERE = pathlib.Path(__file__).parent
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class Refused(Exception):
    pass


def constant(word):
    raise Refused("not_a_number")


def integer(text):
    number = int(text)
    if not -(2**63) <= number < 2**64:
        raise Refused("integer_out_of_range")
    return number


def rich(o):
    """kombu.utils.json.object_hook, the values in plain JSON."""
    if o.keys() != {"__type__", "__value__"}:
        return o
    kind, value = o["__type__"], o["__value__"]
    if kind == "datetime":
        datetime.datetime.fromisoformat(value)
        return value
    if kind == "date":
        datetime.datetime.fromisoformat(value)
        return value
    if kind == "decimal":
        decimal.Decimal(value)
        return value
    if kind == "uuid":
        return str(uuid.UUID(**value))
    if kind == "bytes":
        return value
    if kind == "base64":
        base64.b64decode(value, validate=True)
        return value
    raise Refused("rich_type")


def loads(data, hook=None):
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("invalid_utf8")
    try:
        return json.loads(text, parse_constant=constant, parse_int=integer, object_hook=hook)
    except json.JSONDecodeError:
        raise Refused("malformed")


def tagged(value):
    if isinstance(value, float):
        return {"$f64": struct.pack(">d", value).hex()}
    if isinstance(value, list):
        return [tagged(item) for item in value]
    if isinstance(value, dict):
        return {key: tagged(item) for key, item in value.items()}
    return value


def moment(text):
    if text is None:
        return None
    at = datetime.datetime.fromisoformat(text)
    if at.tzinfo is None:
        at = at.replace(tzinfo=datetime.timezone.utc)
    return (at - EPOCH) // datetime.timedelta(microseconds=1)


def body_of(vector):
    if vector.get("body_utf8") is not None:
        return vector["body_utf8"].encode("utf-8")
    return base64.b64decode(vector["body_b64"])


def message(vector):
    properties = vector["properties"]
    headers = properties["headers"] or {}
    body = body_of(vector)
    if properties["content_type"] != "application/json":
        raise Refused("content_type")
    compression = headers.get("compression")
    if compression == "application/x-gzip":
        body = zlib.decompress(body)
    elif compression == "application/x-bz2":
        body = bz2.decompress(body)
    elif compression:
        raise Refused("compression")
    body = loads(body, hook=rich)
    if "task" in headers:
        args, kwargs, _embed = body
        meta, response_key, protocol = headers, None, 2
    else:
        args, kwargs = body.get("args", []), body.get("kwargs", {})
        meta, response_key, protocol = body, body.get("response_key"), 1
    expected = {
        "protocol": protocol,
        "task": meta["task"],
        "id": meta["id"],
        "root_id": headers.get("root_id"),
        "parent_id": headers.get("parent_id"),
        "args": tagged(args),
        "kwargs": tagged(kwargs),
        "retries": meta.get("retries", 0),
        "eta": moment(meta.get("eta")),
        "expires": moment(meta.get("expires")),
        "response_key": response_key,
        "priority": properties["priority"],
        "origin": headers.get("origin") or None,
        "event_type": args[0] if args else None,
        "task_id": kwargs.get("task_id", meta["id"]),
        "peek": not compression and bool(args),
    }
    if args and args[0].endswith("_request") and "response_key" in kwargs:
        expected["request"] = {
            "response_key": kwargs["response_key"],
            "method": kwargs["method"],
            "pk": kwargs["pk"] if "pk" in kwargs else kwargs["id"],
            "user_id": kwargs["user_id"],
            "roles": kwargs["roles"],
            "query_string": kwargs["query_string"],
            "related_resource": kwargs["related_resource"],
            "relationship": kwargs.get("relationship"),
            "body": tagged(kwargs["body"]),
        }
    if len(args) > 1 and isinstance(args[1], dict) and "_backend" in args[1]:
        call = args[1]
        expected["call"] = {
            "key": call["_backend"]["key"],
            "method": call["_backend"]["method"],
            "data": tagged(call["data"]),
            "headers": tagged(call["headers"]),
            "id": call["id"],
            "response_key": call["response_key"],
        }
    return expected


def reply(vector):
    value = base64.b64decode(vector["value_b64"])
    if vector["encoding"].startswith("zlib"):
        stored = loads(zlib.decompress(value))
        body = stored["body"]
        # A text of JSON, an empty text, null, or a value that is not wrapped in a text.
        document = loads(body.encode("utf-8")) if isinstance(body, str) and body else body or None
        return {"status": stored["status"], "document": tagged(document)}
    stored = loads(value)
    return {name: tagged(stored[name]) for name in ("data", "has_errors", "errors")}


def expectation(name, vector):
    group = name.split("_")[0]
    if group in ("topology", "behaviours"):
        return {"kind": group}
    if name.startswith("consumer_malformed"):
        return {"kind": "malformed", "cases": len(vector["cases"])}
    if name.startswith("consumer_outcomes"):
        return {"kind": "outcomes", "cases": len(vector["outcomes"])}
    if name.startswith("redis_monitor"):
        return {"kind": "monitor", "commands": len(vector["commands"])}
    if group == "redis":
        if vector.get("raised") or not vector.get("value_b64"):
            return {"kind": "unanswered", "why": vector.get("raised") or vector["notes"]}
        kind = "reply" if vector["encoding"].startswith("zlib") else "call_reply"
        try:
            return {"kind": kind, "expect": reply(vector)}
        except Refused as refused:
            return {"kind": kind, "refused": str(refused)}
    if vector.get("raised"):
        return {"kind": "raised", "why": vector["raised"]}
    if not vector.get("properties"):
        return {"kind": "nothing_sent", "why": vector["notes"]}
    try:
        return {"kind": "message", "expect": message(vector)}
    except Refused as refused:
        return {"kind": "message", "refused": str(refused)}


def main():
    expectations = {}
    for path in sorted(HERE.glob("*.json")):
        expectations[path.stem] = expectation(path.stem, json.loads(path.read_text("utf-8")))
    out = HERE.parent / "expectations.json"
    out.write_text(json.dumps(expectations, indent=1, sort_keys=True, ensure_ascii=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
