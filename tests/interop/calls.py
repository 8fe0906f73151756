"""What a Python program does in a fleet, each by the name that a test gives."""
import base64
import threading
import time
import unittest.mock
import uuid

import service  # first: it sees to what zc_events needs
import pika
import ujson
from zc_events import EventClient

import fleet_settings
import specimens

client = EventClient()


def emit(event_type, args=(), kwargs={}):
    """As a Python program calls it. In zc_events 0.3 the first positional argument is the priority."""
    client.emit_microservice_event(event_type, *args, **kwargs)


def emit_specimen(event_type, name):
    client.emit_microservice_event(event_type, **specimens.by_name(name))


def notify(channel, event_type, kwargs={}):
    getattr(client, "emit_microservice_{}_notification".format(channel))(event_type, **kwargs)


def send_email(attachments=(), **email):
    """Without S3: what is stored goes nowhere, under the keys that it would have there."""
    with unittest.mock.patch("zc_events.email.save_string_contents_to_s3"):
        client.send_email(attachments=[tuple(attachment) for attachment in attachments], **email)


def get_remote_resource(**how):
    return _plain(client.get_remote_resource(**how))


def get_remote_resource_data(**how):
    return client.get_remote_resource_data(**how)


def make_service_request(**how):
    return client.make_service_request(**how)


def verb(verb, key, data, headers={}):
    response = getattr(client, verb)(key, data=data, headers=headers)
    return response and {"data": response.data, "has_errors": response.has_errors, "errors": response.errors}


def send_task(task="microservice.event", args=(), kwargs={}, protocol=2, **options):
    """Celery's own, by the routes of zc_events."""
    # Celery looks at its setting once.
    service.app.amqp.create_task_message = service.app.amqp.task_protocols[protocol]
    return service.app.send_task(task, args=list(args), kwargs=kwargs, **options).id


def send_specimen(event_type, name, protocol=2, **options):
    return send_task(args=[event_type], kwargs=specimens.by_name(name), protocol=protocol, **options)


def publish(messages, exchange=None, routing_key=""):
    """Messages as they are, with confirms; what is refused raises."""
    connection = pika.BlockingConnection(pika.URLParameters(fleet_settings.BROKER_URL))
    channel = connection.channel()
    channel.confirm_delivery()
    for message in messages:
        properties = pika.BasicProperties(**message["properties"])
        body = message["body"].encode() if "body" in message else base64.b64decode(message["body_b64"])
        channel.basic_publish(exchange or fleet_settings.EVENTS_EXCHANGE, routing_key, body, properties)
    connection.close()


def emit_many(event_type, count):
    """Emits events whose content is made from their number; gives how long it took, and a digest of them all."""
    started, lines = time.monotonic(), []
    for number in range(count):
        payload = specimens.numbered(number)
        client.emit_microservice_event(event_type, **payload)
        lines.append(specimens.line(payload))
    return {"seconds": time.monotonic() - started, "digest": digest(lines)}


def ask_many(resource_type, count, threads):
    """Asks for so many resources; each answer must be that to its question."""
    numbers, failures, guard = iter(range(1, count + 1)), [], threading.Lock()

    def work():
        while True:
            with guard:
                number = next(numbers, None)
            if number is None:
                return
            try:
                order = client.get_remote_resource(resource_type, pk=number)
                if order.id != str(number) or order.number != number:
                    failures.append("asked for {}, was answered with {}".format(number, order.id))
            except Exception as error:
                failures.append("{}: {}".format(type(error).__name__, error))

    started = time.monotonic()
    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return {"seconds": time.monotonic() - started, "failures": failures[:5], "failed": len(failures)}


def digest(lines):
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "\n".join(sorted(lines))))


def versions():
    import celery
    import kombu

    return {"celery": celery.__version__, "kombu": kombu.__version__, "pika": pika.__version__, "ujson": ujson.__version__}


def _plain(resource):
    """A wrapped resource as the Python program sees it: its attributes."""
    if isinstance(resource, list):
        return [_plain(item) for item in resource]
    if hasattr(resource, "data") and isinstance(resource.data, dict):
        return {name: _plain(value) for name, value in vars(resource).items() if name != "data"}
    return resource
