"""A Python program that does what the test says: a line of JSON {"do": name, ..} comes in, and a line with its result goes out,
or with what it raised.
"""
import end_with_parent  # first
import json
import sys

import calls


def say(answer):
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


say({"ok": calls.versions()})
while True:
    command = json.loads(end_with_parent.lines.get())
    try:
        answer = {"ok": getattr(calls, command.pop("do"))(**command)}
    except Exception as error:
        answer = {"raised": type(error).__name__, "says": str(error)}
    say(answer)
