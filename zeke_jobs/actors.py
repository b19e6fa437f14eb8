"""Entry point of ``dramatiq zeke_jobs.actors`` and ``periodiq zeke_jobs.actors``: ``broker``, and an actor for each task."""

import os
import signal
import sys
from pathlib import PurePath

# Periodiq has no signal handler yet at this time; with ours, a stop during the imports ends in an orderly way too. SystemExit
# would not do, because the code being imported may turn it into an error of its own.
if PurePath(sys.argv[0]).name == "periodiq":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

from zeke_jobs.worker.builder import attribute, load_broker

broker = load_broker()

globals().update({attribute(name): actor for name, actor in broker.actors.items()})
