"""Ends this process and its children when its input ends: whoever started it holds the other end, and is gone then.

Imported before anything else. It must have been started as the leader of a process group of its own, so that nobody else is
meant.
"""
import os
import queue
import signal
import threading

# What comes in, line by line.
lines = queue.Queue()


def _watch(source):
    for line in source:
        lines.put(line)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if os.getpgrp() != os.getpid():
    raise SystemExit("start this as the leader of a process group: it kills its group when its input ends")
# Nobody else reads it, children least of all.
_source = os.fdopen(os.dup(0), "r", encoding="utf-8")
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
threading.Thread(target=_watch, args=(_source,), daemon=True, name="lifeline").start()
