"""What happened in a Python process, told to the test as JSON in a Redis list: {"what": .., ..}."""
import json
import os

import redis

_redis = redis.Redis.from_url(os.environ["EVENTS_REDIS_URL"])


def tell(what, **details):
    try:
        record = json.dumps(dict(details, what=what), default=repr, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        # NaN, and halves of characters: nothing that every JSON has.
        record = json.dumps({"what": what, "unspeakable": ascii(details)})
    _redis.rpush(os.environ["RECORDS"], record)


def line(text):
    """A line beside the records, where there are too many for those."""
    _redis.rpush(os.environ["RECORDS"] + ":lines", text)
