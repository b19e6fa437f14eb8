import threading
from contextlib import ExitStack
from uuid import uuid4

import pytest

from zeke_jobs.worker.run.interrupts import Cancelled, Interrupts


def spin() -> None:
    while True:
        pass


def test_a_run_that_was_given_up_and_ends_late_leaves_the_jobs_next_run_its_timeout_and_cancel() -> None:
    interrupts, job = Interrupts(), uuid4()
    with ExitStack() as earlier:
        earlier.enter_context(interrupts.running(job, 60))
        with pytest.raises(Cancelled), interrupts.running(job, 60):
            earlier.close()
            assert interrupts.stop(job, Cancelled("by a person"))
            spin()


def test_interrupts_that_race_with_the_end_never_reach_the_code_behind_it() -> None:
    interrupts = Interrupts()
    for _ in range(300):
        job, ready = uuid4(), threading.Event()

        def stop(job=job, ready=ready) -> None:  # type: ignore[no-untyped-def]
            ready.set()
            interrupts.stop(job, Cancelled("race"))

        thread = threading.Thread(target=stop)
        try:
            with interrupts.running(job, 60):
                thread.start()
                ready.wait()
        except Cancelled:
            pass
        sum(range(2000))  # code behind: an interrupt that came late would be raised here
        thread.join()
