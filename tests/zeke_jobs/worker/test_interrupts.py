import threading

from zeke_jobs.worker.run.interrupts import Cancelled, Running


def test_a_query_that_the_server_began_a_moment_after_its_cancel_is_cancelled_again() -> None:
    running, cancels = Running(60, is_async=True), list[bool]()
    running.stoppers.append(lambda: cancels.append(True))
    running.stop(Cancelled("by a person"))
    assert not running.tick()
    assert len(cancels) == 2


def test_interrupts_that_race_with_the_end_never_reach_the_code_behind_it() -> None:
    for _ in range(300):
        running, ready = Running(60), threading.Event()

        def stop(running=running, ready=ready) -> None:  # type: ignore[no-untyped-def]
            ready.set()
            running.stop(Cancelled("race"))

        thread = threading.Thread(target=stop)
        try:
            with running:
                thread.start()
                ready.wait()
        except Cancelled:
            pass
        sum(range(2000))  # code behind: an interrupt that came late would be raised here
        thread.join()
