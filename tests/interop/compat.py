"""What zc_events 0.3.10 finds missing in a Python and a pika of today, put back before it is imported.

Nothing of the package itself is touched.
"""
import collections
import collections.abc

import pika.adapters.blocking_connection

for name in ("Callable", "Mapping", "Sequence", "Sized"):
    if not hasattr(collections, name):
        setattr(collections, name, getattr(collections.abc, name))

_channel = pika.adapters.blocking_connection.BlockingChannel
_publish = _channel.basic_publish


def _publish_as_pika_0_10(self, *args, **kwargs):
    """pika 0.10 returned whether it was delivered, which without confirms is always true; 1.x returns nothing."""
    _publish(self, *args, **kwargs)
    return True


_channel.basic_publish = _publish_as_pika_0_10
