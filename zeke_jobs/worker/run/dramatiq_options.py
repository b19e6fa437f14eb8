"""Options of Dramatiq's messages that no worker of zeke_jobs obeys, each with what to use instead."""

_NEXT = "the handler sends the next job itself: ctx.send"
_AFTER_FAILURE = "on_failed: in a task of jobs.yaml names one that gets its failed jobs"
_AFTER_GROUP = "zeke_jobs.batch with then=: a job is sent when all jobs of the batch have ended"
FOLLOWS = {
    "pipe_target": _NEXT,
    "pipe_ignore": _NEXT,
    "on_success": _NEXT,
    "on_failure": _AFTER_FAILURE,
    "on_retry_exhausted": _AFTER_FAILURE,
    "group_completion_uuid": _AFTER_GROUP,
    "group_completion_callbacks": _AFTER_GROUP,
}
_OUTPUT = "each output is stored with its job; keep= says for how long"
INSTEAD = {
    **FOLLOWS,
    "max_retries": "retry= is the number of retries",
    **dict.fromkeys(("min_backoff", "max_backoff", "retry_when"), "retry: in a task of jobs.yaml"),
    "time_limit": "timeout= has the seconds",
    "throws": "a handler raises Reject",
    "store_results": _OUTPUT,
    "result_ttl": _OUTPUT,
    "periodic": "cron: in a task of jobs.yaml",
}
