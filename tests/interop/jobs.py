"""Functions that others call by key: JOB_MAPPING of a Python service."""


def add(request):
    return request.data["x"] + request.data["y"]


def same(request):
    return request.data


def echo(request):
    """The call as it arrived."""
    return {"data": request.data, "headers": request.headers, "id": request.id, "method": request._backend["method"]}


def boom(request):
    raise ValueError("boom café")


def note(request):
    """For calls that nobody waits for."""
    import records

    records.tell("noted", data=request.data, response_key=request.response_key)


MAPPING = {"add": add, "same": same, "echo": echo, "boom": boom, "note": {"func": note, "relationship_viewset": None}}
