"""Writes answers.json beside it: what a service of Django REST framework with JSON:API answers, asked as zc_events'
handle_request_event asks a viewset.

    python3 -m venv v && v/bin/pip install "django==4.2.30" "djangorestframework==3.17.2" \\
        "djangorestframework-jsonapi==8.1.0" && v/bin/python capture.py
"""

import json
import pathlib

import django
import rest_framework
import rest_framework_json_api
from django.conf import settings

API = "rest_framework_json_api."
settings.configure(
    SECRET_KEY="x" * 40,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "rest_framework_json_api"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    REST_FRAMEWORK={
        "EXCEPTION_HANDLER": API + "exceptions.exception_handler",
        "DEFAULT_PARSER_CLASSES": [API + "parsers.JSONParser"],
        "DEFAULT_RENDERER_CLASSES": [API + "renderers.JSONRenderer"],
        "DEFAULT_METADATA_CLASS": API + "metadata.JSONAPIMetadata",
        "DEFAULT_PAGINATION_CLASS": API + "pagination.JsonApiPageNumberPagination",
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "PAGE_SIZE": 2,
    },
)
django.setup()

from django.db import connection, models  # noqa: E402
from rest_framework import exceptions  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.test import APIRequestFactory  # noqa: E402
from rest_framework_json_api import serializers, views  # noqa: E402
from rest_framework_json_api.exceptions import Conflict  # noqa: E402

urlpatterns = []


class Company(models.Model):
    name = models.CharField(max_length=20)

    class Meta:
        app_label = "a"


class Order(models.Model):
    name = models.CharField(max_length=20)
    total_cents = models.IntegerField()
    company = models.ForeignKey(Company, null=True, on_delete=models.CASCADE, related_name="orders")

    class Meta:
        app_label = "a"


class OrderSerializer(serializers.ModelSerializer):
    class Meta:
        model = Order
        fields = ("name", "total_cents")
        resource_name = "Order"


class OrderViewSet(views.ModelViewSet):
    queryset = Order.objects.order_by("id")
    serializer_class = OrderSerializer

    def items(self, request, pk=None, related_resource=None):
        return Response([])


class OrderRelationships(views.RelationshipView):
    queryset = Company.objects.all()

    def get_url(self, *args, **kwargs):
        return None


def raising(exception):
    class Raising(OrderViewSet):
        def retrieve(self, *args, **kwargs):
            raise exception

    return Raising


ANSWERS = []


def ask(method, pk=None, related_resource=None, relationship=None, body=None, query="", viewset=OrderViewSet, name=None):
    data = "" if body is None else json.dumps(body)
    url = "/orders" + ("?" + query if query else "")
    request = APIRequestFactory().generic(method.upper(), url, data, content_type="application/vnd.api+json")
    kwargs = {} if pk is None else {"pk": pk}
    detail = dict(get="retrieve", put="update", patch="partial_update", delete="destroy")
    if pk is None:
        actions = dict(get="list", post="create")
    else:
        actions = detail
    if relationship:
        handler = OrderRelationships.as_view()
        kwargs["related_field"] = relationship
    elif related_resource:
        handler = viewset.as_view({"get": related_resource})
        kwargs["related_resource"] = related_resource
    else:
        handler = viewset.as_view({key: value for key, value in actions.items() if hasattr(viewset, value)})
    response = handler(request, **kwargs)
    response.render()
    text = response.rendered_content.decode()
    asked = dict(
        method=method, pk=pk, related_resource=related_resource, relationship=relationship, body=body, query_string=query
    )
    answer = dict(status=response.status_code, body=json.loads(text) if text else None)
    ANSWERS.append(dict(name=name, asked=asked, answer=answer))


def main():
    with connection.schema_editor() as editor:
        editor.create_model(Company)
        editor.create_model(Order)
    company = Company.objects.create(id=7, name="Acme")
    for number in range(1, 4):
        Order.objects.create(id=number, name="n%d" % number, total_cents=number, company=company)
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "foo"):
        if method not in ("POST", "PATCH", "DELETE"):
            ask(method, pk="1")
        if method not in ("POST",):
            ask(method)
        ask(method, pk="1", related_resource="items")
        if method in ("PUT", "TRACE", "foo"):
            ask(method, pk="7", relationship="orders")
    ask("POST", pk="1")
    names = [{"type": "Order", "id": "1"}, {"type": "Order", "id": "2"}]
    for method in ("GET", "HEAD", "OPTIONS"):
        ask(method, pk="7", relationship="orders")
    for method in ("PATCH", "POST", "DELETE"):
        ask(method, pk="7", relationship="orders", body={"data": names})
    ask("PATCH", pk="7", relationship="orders", body={})
    ask("PATCH", pk="7", relationship="orders", body={"data": [{"type": "Order"}]})
    ask("GET", pk=[1])
    ask("GET", pk={"a": 1})
    order = {"type": "Order", "attributes": {"name": "n9", "total_cents": 9}}
    ask("POST", body={"data": order})
    ask("POST", body={"data": {"type": "Order", "attributes": {"name": "n9"}}})
    ask("POST", body={"data": {"type": "Order", "attributes": {}}})
    for body in ({}, {"data": []}, {"data": None}, [1]):
        ask("POST", body=body)
    ask("PATCH", pk="1", body={"data": {**order, "id": "1"}})
    ask("PATCH", pk="1", body={"data": {**order, "id": "2"}})
    ask("PATCH", pk="1", body={"data": order})
    for kind in ("Other", None):
        ask("POST", body={"data": {**order, "type": kind}})
        ask("PATCH", pk="1", body={"data": {**order, "id": "1", "type": kind}})
    ask("POST", body={"data": {"attributes": order["attributes"]}})
    for value in (None, "x", 1.5, [], {}):
        ask("POST", body={"data": {"type": "Order", "attributes": {"name": "n9", "total_cents": value}}})
    for value in (None, True, [], {}):
        ask("POST", body={"data": {"type": "Order", "attributes": {"name": value, "total_cents": 9}}})
    ask("DELETE", pk="3")
    for name, exception in dict(
        not_authenticated=exceptions.NotAuthenticated(),
        permission_denied=exceptions.PermissionDenied(),
        not_found=exceptions.NotFound(),
        method_not_allowed=exceptions.MethodNotAllowed("PUT"),
        not_acceptable=exceptions.NotAcceptable(),
        conflict=Conflict("It is there already."),
        unsupported=exceptions.UnsupportedMediaType("text/plain"),
        throttled=exceptions.Throttled(),
        throttled_1=exceptions.Throttled(1),
        throttled_3=exceptions.Throttled(2.5),
        server_error=exceptions.APIException(),
        malformed=exceptions.ParseError(),
        invalid=exceptions.ValidationError({"name": ["No."], "total_cents": ["Nor this."]}),
        invalid_all=exceptions.ValidationError("Not so."),
        invalid_nested=exceptions.ValidationError({"lines": [{}, {"price": ["No."]}]}),
    ).items():
        ask("GET", pk="1", viewset=raising(exception), name=name)
    versions = "Django %s, Django REST framework %s, djangorestframework-jsonapi %s" % (
        django.__version__,
        rest_framework.__version__,
        rest_framework_json_api.__version__,
    )
    lines = ",\n".join(json.dumps(answer) for answer in ANSWERS)
    path = pathlib.Path(__file__).with_name("answers.json")
    path.write_text('{"producer": %s, "answers": [\n%s\n]}\n' % (json.dumps(versions), lines))


main()
