"""Defines a broker with an actor for each task, for ``dramatiq zeke_jobs.actors`` and ``periodiq zeke_jobs.actors``."""

import os
import signal
import sys
from pathlib import PurePath

# Periodiq sets its own signal handler later. Until then, this handler ends the process with status 0 at SIGTERM. This
# handler does not raise SystemExit, because imported code may turn SystemExit into another error.
if PurePath(sys.argv[0]).name == "periodiq":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

from zeke_jobs.worker.builder import attribute, load_broker

broker = load_broker()

globals().update({attribute(name): actor for name, actor in broker.actors.items()})
