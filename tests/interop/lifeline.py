"""Ends this process and its children when its input ends: whoever started it holds the other end, and is gone then.

It was started as the leader of a process group of its own, so that nobody else is meant.
"""
import os
import signal
import threading


def _watch():
    while os.read(_input, 65536):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


if os.getpgrp() != os.getpid():
    raise SystemExit("start this as the leader of a process group: it kills its group when its input ends")
_input = os.dup(0)
os.set_inheritable(_input, False)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
threading.Thread(target=_watch, daemon=True, name="lifeline").start()
