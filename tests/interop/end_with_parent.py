"""Ends this process and its children when its input ends, because the program that started it is gone then.

Import it before anything else. The process must be the leader of its own process group, so that no other process is killed.
"""
import os
import queue
import signal
import threading

# The lines of the input.
lines = queue.Queue()


def _watch(source):
    for line in source:
        lines.put(line)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if os.getpgrp() != os.getpid():
    raise SystemExit("start this as the leader of a process group: it kills its group when its input ends")
# No other code and no child reads the input.
_source = os.fdopen(os.dup(0), "r", encoding="utf-8")
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
threading.Thread(target=_watch, args=(_source,), daemon=True, name="end_with_parent").start()
