"""A Python service: a Celery app with the listener of zc_events' README."""
import os

os.environ.setdefault("ZC_EVENTS_SETTINGS", "fleet_settings")

import compat  # noqa: F401,E402  before zc_events
from celery import Celery, signals  # noqa: E402
from kombu import Queue  # noqa: E402
from zc_events.backends import rabbitmq_dispatch_task as dispatch_task  # noqa: E402

import fleet_settings  # noqa: E402
import microservice_events  # noqa: E402
import records  # noqa: E402

app = Celery(fleet_settings.SERVICE_NAME, broker=fleet_settings.BROKER_URL, set_as_current=True)
app.conf.update(
    task_queues=fleet_settings.CELERY_QUEUES,
    task_default_queue=fleet_settings.DEFAULT_QUEUE_NAME,
    task_routes=("zc_events.routers.TaskRouter",),
    task_protocol=int(os.environ.get("TASK_PROTOCOL", "2")),
    task_ignore_result=True,
    worker_prefetch_multiplier=int(os.environ.get("PREFETCH_MULTIPLIER", "4")),
    # What it says goes to stderr, whole.
    worker_redirect_stdouts=False,
    worker_hijack_root_logger=True,
    broker_connection_retry_on_startup=True,
)


# Whether it handles nothing and only tells what it was given.
_only_tells = "ONLY_TELLS" in os.environ


@app.task(name="microservice.event")
def microservice_event(event_type, *args, **kwargs):
    if _only_tells:
        microservice_events.seen(event_type, *args, **kwargs)
    elif hasattr(microservice_events, event_type):
        getattr(microservice_events, event_type)(*args, **kwargs)
    elif len(args) == 1 and dispatch_task(event_type, args[0]) != (False, False):
        pass
    else:
        records.tell("ignored", event_type=event_type, id=kwargs.get("task_id"))


@app.task(name="microservice.notification")
def microservice_notification(event_type, *args, **kwargs):
    if _only_tells:
        microservice_events.seen(event_type, *args, **kwargs)
        return
    records.tell("notified", event_type=event_type, args=list(args), kwargs=kwargs)


@app.task(name="microservice.event.own", bind=True, max_retries=2)
def tries(self, fail):
    """A task of the service's own, which Celery tries again."""
    records.tell("tried", retries=self.request.retries)
    if fail:
        raise self.retry(countdown=0)


@signals.task_failure.connect
def _failed(task_id=None, exception=None, **_):
    records.tell("failed", id=task_id, error=type(exception).__name__)


@signals.task_unknown.connect
def _unknown(name=None, **_):
    records.tell("unknown", task=name)


@signals.task_rejected.connect
def _rejected(message=None, exc=None, **_):
    records.tell("rejected", error=type(exc).__name__)


@signals.task_revoked.connect
def _revoked(request=None, expired=None, **_):
    records.tell("revoked", id=request.id, expired=expired)


@signals.worker_ready.connect
def _ready(**_):
    records.tell("ready")
