"""Sends batches of questions, which OpenAI and Anthropic answer within a day at half the price.

The names of fields are from the providers' API references of 2026: https://platform.openai.com/docs/api-reference/batch
and https://docs.claude.com/en/api/creating-message-batches.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any

import httpx

from actors.ai.openai.client import CallFailed, Client, invalid
from actors.ai.openai.settings import OpenAISettings
from actors.ai.openai.wire import WIRES
from actors.ai.prompting import visible
from zeke_jobs import Defer, Reject, Retry

_ID = re.compile(r"[\w-]{1,200}")
_JOB = "zeke_job"  # the key of the job's id in a batch's metadata
_REASON = 300  # maximum number of characters in a reason
_REASONS = ("message", "error", "data", "code", "type")


class Batches:
    """Uses OpenAI's batches: a file of questions, a file of answers and a file of errors. Methods raise CallFailed."""

    _path, _after, _status = "/batches", "after", "status"
    _ends = frozenset({"completed", "failed", "expired", "cancelled"})

    def __init__(self, settings: OpenAISettings, client: Client) -> None:
        self.settings = settings
        self._client = client
        self.question_path = WIRES[settings.kind].path

    def create(self, job: str, questions: Mapping[str, Any], since: str = "", known: Collection[str] = ()) -> str:
        """Create a batch for a job, and return the batch's id. The keys of ``questions`` are the ids of AI calls.

        If an earlier attempt began at ``since`` (UTC), first look for its batch. Batches in ``known`` are skipped.

        Raises:
            Defer: an open batch may belong to that attempt. This is known only after the batch has ended.
        """
        for batch in self._listed() if since else ():
            if batch.get("id") not in known and self._is_of(job, batch, questions, since):
                return _checked(batch.get("id"))
        return _checked(self._create(job, questions).get("id"))

    def ended(self, ids: Collection[str]) -> dict[str, Mapping[str, Any]]:
        """Return the batches in ``ids`` that have ended, each with the data that ``answers`` needs."""
        left = set(ids)
        found: dict[str, Mapping[str, Any]] = {}
        for batch in self._listed():
            if batch.get("id") in left:
                left.discard(batch["id"])
                if self._is_ended(batch):
                    why = _reason(batch.get("errors") or batch.get("status"))
                    files = {name: batch.get(name) for name in ("id", "output_file_id", "error_file_id")}
                    found[batch["id"]] = {**files, "why": why}
            if not left:
                break
        return found

    def answers(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return the replies of an ended batch by call id. If a call has no reply, the value says why."""
        found = dict[str, Any]()
        for file in (batch.get("output_file_id"), batch.get("error_file_id")):
            for line in self._client.lines(f"/files/{_checked(file)}/content") if file is not None else ():
                response = line.get("response")
                is_good = isinstance(response, dict) and response.get("status_code") == httpx.codes.OK
                body = response.get("body") if isinstance(response, dict) else None
                answer = body if is_good and isinstance(body, dict) else _reason(line.get("error") or body)
                found.setdefault(str(line.get("custom_id")), answer)
        return found

    def cancel(self, batch: str) -> None:
        """Ask the provider to stop a batch, which may have ended already."""
        try:
            self._client.post(f"{self._path}/{_checked(batch)}/cancel", b"{}")
        except CallFailed as failure:
            if not isinstance(failure.verdict, Reject):
                raise

    def _is_ended(self, batch: Mapping[str, Any]) -> bool:
        return str(batch.get(self._status)) in self._ends

    def _create(self, job: str, questions: Mapping[str, Any]) -> Mapping[str, Any]:
        url = f"/v1{self.question_path}"
        shared = {"method": "POST", "url": url}
        asked = [{"custom_id": name, **shared, "body": body} for name, body in questions.items()]
        lines = b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in asked)
        files = {"file": (f"{job}.jsonl", lines)}
        form = httpx.Request("POST", "http://provider/", data={"purpose": "batch"}, files=files)
        file = self._client.post("/files", form.read(), form.headers["content-type"], is_file=True).body.get("id")
        given = {"input_file_id": file, "endpoint": url, "completion_window": "24h", "metadata": {_JOB: job}}
        return self._client.post(self._path, json.dumps(given).encode()).body

    def _is_of(self, job: str, batch: Mapping[str, Any], _questions: Collection[str], _since: str) -> bool:
        metadata = batch.get("metadata")
        return isinstance(metadata, dict) and metadata.get(_JOB) == job

    def _listed(self) -> Iterator[Mapping[str, Any]]:
        """Yield at most a thousand of the provider's batches, the newest first."""
        query = {"limit": "100"}
        for _ in range(10):
            page = self._client.get(self._path, query)
            data = page.get("data")
            found = [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
            batches = [one for one in found if isinstance(one.get("id"), str)]
            yield from batches
            if not batches or not page.get("has_more"):
                return
            query[self._after] = batches[-1]["id"]


class AnthropicBatches(Batches):
    """Uses Anthropic's batches, each made by one request. Its questions' ids can be read only after it has ended."""

    _path, _after, _status, _ends = "/messages/batches", "after_id", "processing_status", frozenset({"ended"})

    def answers(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return the replies of an ended batch in the same form as ``Batches.answers``."""
        found = dict[str, Any]()
        for line in self._client.lines(f"{self._path}/{_checked(batch.get('id'))}/results"):
            result = line.get("result")
            message = result.get("message") if isinstance(result, dict) and result.get("type") == "succeeded" else None
            answer = message if isinstance(message, dict) else _reason(result)
            found.setdefault(str(line.get("custom_id")), answer)
        return found

    def _create(self, _job: str, questions: Mapping[str, Any]) -> Mapping[str, Any]:
        asked = {"requests": [{"custom_id": name, "params": body} for name, body in questions.items()]}
        return self._client.post(self._path, json.dumps(asked, ensure_ascii=False).encode(), is_file=True).body

    def _is_of(self, _job: str, batch: Mapping[str, Any], questions: Collection[str], since: str) -> bool:
        counts = batch.get("request_counts")
        size = sum(one for one in counts.values() if isinstance(one, int)) if isinstance(counts, dict) else 0
        if size != len(questions) or str(batch.get("created_at")) < since:
            return False
        if not self._is_ended(batch):
            reason = f"the batch {batch.get('id')} may belong to an earlier attempt; its end will show it"
            raise Defer(timedelta(minutes=5), reason)
        return not self.answers(batch).keys().isdisjoint(questions)


def _checked(name: Any) -> str:
    """Return the id of a batch or file after a check, because the id becomes a part of addresses."""
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise invalid(Retry(reason=f"expected the id of a batch or file, got {str(name)[:_REASON]!r}"))
    return name


def _reason(error: Any) -> str:
    """Return the reason why a question has no answer, as short text."""
    for _ in range(4):
        if isinstance(error, dict):
            error = next((error[name] for name in _REASONS if error.get(name)), None)
        elif isinstance(error, list):
            error = error[0] if error else None
    return visible(str(error or "the batch has no answer to it"))[:_REASON]
