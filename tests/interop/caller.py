"""A Python program that does what the test says: a line of JSON {"do": name, ..} on stdin, a line with its result, or what it
raised, on stdout. It ends with its input.
"""
import json
import sys

import calls


def main():
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = {"ok": getattr(calls, command.pop("do"))(**command)}
        except Exception as error:
            answer = {"raised": type(error).__name__, "says": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


sys.stdout.write(json.dumps({"ok": "ready"}) + "\n")
sys.stdout.flush()
main()
