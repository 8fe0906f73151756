"""Runs the Celery worker of `service`, until its input ends: that is the death of the test that started it."""
import lifeline  # noqa: F401  first
import sys

import service

service.app.worker_main(["worker", "--loglevel", "INFO", "--without-gossip", "--without-mingle"] + sys.argv[1:])
