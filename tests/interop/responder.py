"""Answers requests for resources as the `handle_request_event` of zc_events does, without Django, which that needs: the same
choice of a view's method, the same form of the answer, pushed and expired by the same two commands.
"""
import json
import os

import redis
from zc_events.django_request import structure_response

import records

_redis = redis.Redis.from_url(os.environ["EVENTS_REDIS_URL"], db=0)

DETAIL = {"GET": "retrieve", "PUT": "update", "PATCH": "partial_update", "DELETE": "destroy"}
LIST = {"GET": "list", "POST": "create"}


def answer(viewset, event):
    status, document = _dispatch(viewset(event), event)
    content = "" if document is None else json.dumps(document)
    _redis.rpush(event["response_key"], structure_response(status, content))
    _redis.expire(event["response_key"], 60)


def _dispatch(view, event):
    pk, method = event.get("pk"), event["method"]
    if pk and event.get("relationship"):
        return view.relationship(pk, event["relationship"])
    if pk and event.get("related_resource"):
        return view.related(pk, event["related_resource"])
    action = getattr(view, (DETAIL if pk else LIST).get(method, ""), None)
    if action is None:
        return 405, {"detail": 'Method "{}" not allowed.'.format(method)}
    return action(pk) if pk else action()


class OrderViewSet:
    def __init__(self, event):
        self.event = event
        records.tell("asked", request={key: event[key] for key in sorted(event) if key != "response_key"})

    def _order(self, pk):
        return {
            "type": "Order",
            "id": str(pk),
            "attributes": {"name": "Café / \U0001f355", "created-at": "2026-01-02T03:04:05Z", "total": 12.5, "items-count": 2},
            "relationships": {
                "company": {"data": {"type": "Company", "id": "7"}, "links": {"related": "/orders/%s/company" % pk}},
                "items": {"data": [{"type": "Item", "id": "1"}, {"type": "Item", "id": "2"}]},
                "coupon": {"data": None},
            },
        }

    def retrieve(self, pk):
        if pk == "404":
            return 404, {"errors": [{"status": "404", "title": "Not found.", "detail": "Not found."}]}
        if pk == "404-drf":
            return 404, {"detail": "Not found."}
        if pk == "500":
            return 500, {"detail": "A server error occurred."}
        if pk == "raises":
            raise RuntimeError("Django would not answer either")
        document = {"data": self._order(pk)}
        if self.event["query_string"] == "include=company":
            document["included"] = [{"type": "Company", "id": "7", "attributes": {"name": "ZC", "tax-id": None}}]
        return 200, document

    def list(self):
        ids = [1, 2]
        query = self.event["query_string"] or ""
        if query.startswith("filter%5Bid__in%5D="):
            ids = query.split("=")[1].split("&")[0].split("%2C")
        elif query.startswith("page_size="):
            ids = range(int(query.split("=")[1]))
        return 200, {
            "data": [self._order(pk) for pk in ids],
            "links": {"next": None},
            "meta": {"query": query, "pagination": {"count": len(ids)}},
        }

    def create(self):
        document = json.loads(self.event["body"]) if isinstance(self.event["body"], str) else self.event["body"]
        return 201, {"data": dict(document["data"], id="99")}

    def partial_update(self, pk):
        return 200, {"data": dict(self._order(pk), attributes=self.event["body"]["data"]["attributes"])}

    def destroy(self, pk):
        return 204, None

    def related(self, pk, name):
        return 200, {"data": [{"type": name, "id": "%s-1" % pk, "attributes": {"of": pk}}]}

    def relationship(self, pk, name):
        return 200, {"data": {"type": name, "id": "%s-2" % pk}}
