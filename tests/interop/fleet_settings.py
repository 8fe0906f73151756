"""The settings of a Python service, as zc_events reads them (ZC_EVENTS_SETTINGS) and its README prescribes them."""
import os

from kombu import Exchange, Queue

import jobs

SERVICE_NAME = os.environ["SERVICE_NAME"]
BROKER_URL = os.environ["BROKER_URL"]
EVENTS_REDIS_URL = os.environ["EVENTS_REDIS_URL"]
EVENTS_EXCHANGE = os.environ["EVENTS_EXCHANGE"]
NOTIFICATIONS_EXCHANGE = os.environ["NOTIFICATIONS_EXCHANGE"]
DEFAULT_QUEUE_NAME = SERVICE_NAME + "-default"
JOB_MAPPING = jobs.MAPPING

_priority = os.environ.get("QUEUE_MAX_PRIORITY", "10")

# The oldest README has the queue of events without arguments.
CELERY_QUEUES = (
    Queue(
        SERVICE_NAME + "-events",
        Exchange(EVENTS_EXCHANGE, type="fanout"),
        queue_arguments=None if _priority == "none" else {"x-max-priority": int(_priority)},
    ),
    Queue(
        SERVICE_NAME + "-notifications",
        Exchange(NOTIFICATIONS_EXCHANGE, type="topic"),
        routing_key="microservice.notification.#",
    ),
    Queue(DEFAULT_QUEUE_NAME, Exchange("default", type="direct"), routing_key=DEFAULT_QUEUE_NAME),
)


def __getattr__(name):
    # Made when it is first asked for: it reads the settings above.
    if name == "RPC_BACKEND":
        from zc_events.backends import RabbitMqFanoutBackend

        globals()[name] = RabbitMqFanoutBackend()
        return globals()[name]
    raise AttributeError(name)
