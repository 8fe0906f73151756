"""What happened in a Python process, told to the test as JSON in a Redis list: {"what": .., ..}."""
import json
import os

import redis

_redis = redis.Redis.from_url(os.environ["EVENTS_REDIS_URL"])


def tell(what, **details):
    _redis.rpush(os.environ["RECORDS"], json.dumps(dict(details, what=what), default=repr))


def line(text):
    """A line beside the records, where there are too many for those."""
    _redis.rpush(os.environ["RECORDS"] + ":lines", text)
