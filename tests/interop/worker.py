"""Runs the Celery worker of `service`, until its input ends: that is the death of the test that started it."""
import end_with_parent  # noqa: F401  first
import os
import sys

import service

# A name of its own: workers of one name share the queue for remote control, and who leaves deletes it.
options = ["--loglevel", "INFO", "--without-gossip", "--without-mingle", "--hostname", f"worker-{os.getpid()}@%h"]
service.app.worker_main(["worker"] + options + sys.argv[1:])
