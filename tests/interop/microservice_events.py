"""The events that a Python service handles: a function each, found by its name, as the README has it."""
import json

import records
import responder


def seen(*args, **kwargs):
    """The event that tests emit."""
    records.tell("seen", args=list(args), kwargs=kwargs, request=_request())


def counted(*args, **kwargs):
    """The event of the load: one line for each, with sorted keys, so that both languages write the same."""
    kwargs.pop("task_id")
    records.line(json.dumps(kwargs, sort_keys=True, ensure_ascii=False, separators=(",", ":")))


def fails(*args, **kwargs):
    raise RuntimeError("on purpose")


def order_request(*args, **kwargs):
    responder.answer(responder.OrderViewSet, kwargs)


def _request():
    """What Celery knows of the message."""
    from celery import current_task

    request = current_task.request
    return {
        "id": request.id,
        "root_id": request.root_id,
        "parent_id": request.parent_id,
        "retries": request.retries,
        "origin": request.origin,
        "expires": request.expires,
        "priority": (request.delivery_info or {}).get("priority"),
        "redelivered": (request.delivery_info or {}).get("redelivered"),
    }
