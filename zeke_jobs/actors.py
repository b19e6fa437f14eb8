"""Is the entry point of ``dramatiq zeke_jobs.actors`` and ``periodiq zeke_jobs.actors``: a broker and an actor per task."""

import os
import signal
import sys
from pathlib import PurePath

# Periodiq has not set its signal handler yet. This handler makes a stop during the imports orderly too. It does not
# raise SystemExit, because the imported code may turn that into another error.
if PurePath(sys.argv[0]).name == "periodiq":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

from zeke_jobs.worker.builder import attribute, load_broker

broker = load_broker()

globals().update({attribute(name): actor for name, actor in broker.actors.items()})
