"""Runs ``zeke-news why``, which shows the steps that an article has reached, and the outcome of each step."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, NamedTuple
from urllib.parse import unquote, urlsplit

import typer
from psycopg2.extensions import connection as Connection

from actors.cli import alerts
from actors.cli.output import Json, ago, console, database, end_in_json, escape, short, tell
from actors.engine.canonical import canonical_url
from actors.engine.discovery.addresses import is_mailbox, typed
from actors.outcomes import IN_FLIGHT
from actors.store import SQL, news
from zeke_jobs.cli.options import argument

_UNFINISHED = {"created", "retry", "active", "failed"}
_STORY = re.compile(r"#?[0-9]{1,7}|[0-9A-Fa-f]{8}[0-9A-Fa-f-]*")
_PLAIN = re.compile(r"[A-Za-z0-9/._~-]+")
_PLAIN_QUERY = re.compile(r"[A-Za-z0-9._=-]+")


class Step(NamedTuple):
    """Describes a step of an article. ``state`` is done, waiting, failed, ended (goes no further) or missing."""

    name: str
    state: str
    detail: str = ""


def why(
    name: Annotated[
        str, argument("The article's address, as in a browser; a story's number or id; imap://NAME/FOLDER.", "ARTICLE")
    ],
    is_json: Json = False,
) -> None:
    """Show an article's steps with their outcomes, and its pending jobs."""
    with database() as conn:
        try:
            answer = explain(conn, name)
        except ValueError as error:  # the address is faulty, such as brackets without an IPv6 address
            expected = f"expected an address as in a browser, got {name!r}"
            raise typer.BadParameter(expected, param_hint="ARTICLE") from error
    status = 0 if answer["items"] or answer["jobs"] else 1
    end_in_json(answer, is_json=is_json, status=status)
    _print(answer)
    raise typer.Exit(status)


def explain(conn: Connection, name: str) -> dict[str, Any]:
    """Return all facts about an article: its ``items`` with their ``steps``, its ``jobs``, and its site's ``sources``.

    ``name`` is an address, a story's number or id, an item's name within its source, or a mailbox's folder. For a
    folder, the newest items are returned.
    """
    story_id = news.find_story(conn, name) if _STORY.fullmatch(name) else None
    url = name if story_id else typed(name)
    canonical = canonical_url(url)
    parts = urlsplit(canonical)
    host = (parts.hostname or "").lower()
    hosts = {host}  # the host in Unicode and in Punycode
    with suppress(UnicodeError):
        hosts.add(host.encode("ascii").decode("idna"))
    # Feeds encode the characters of an address differently, so search by the longest parts that are never encoded.
    path = max(_PLAIN.findall(unquote(parts.path.rstrip("/"))), key=len, default="").lower()
    query = max(_PLAIN_QUERY.findall(parts.query), key=len, default="").lower()
    named = {"name": None if story_id else name, "story_id": story_id}
    like = SQL.all(conn, "news_items_like", **named, hosts=sorted(hosts), path=path, query=query)
    found = [row for row in like if row["is_named"] or _is_same(row, canonical, url)][:20]
    items = [{**row, **_follow(conn, row)} for row in sorted(found, key=lambda row: row["created_at"], reverse=True)]
    of_site = [] if items or not host else SQL.all(conn, "news_sources_of_host", host=host)
    return {
        "url": url,
        "canonical_url": canonical,
        "items": items,
        "jobs": [job for job in news.jobs_about(conn, urls=[url, canonical]) if job["state"] in _UNFINISHED],
        "sources": [row for row in of_site if canonical_url(row["url"] or "") == canonical] or of_site,
    }


def _is_same(row: Mapping[str, Any], canonical: str, url: str) -> bool:
    addresses = filter(None, (row[name] for name in ("url", "canonical_url", "final_url")))
    return any(url == address or canonical_url(address) == canonical for address in addresses)


def _follow(conn: Connection, item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the steps that an item has reached, and the item's unfinished jobs."""
    story_id = item["story_id"]
    jobs = news.jobs_about(conn, ids=[str(one) for one in (item["id"], story_id) if one])
    way = [Step("found", "done", f"by {item['source']}, {ago(item['created_at'])} ago"), _text(item, jobs)]
    if story := None if story_id is None else news.story(conn, story_id):
        way += _of_story(story, jobs)
        way += [Step(f"alert {name}", *fate) for name, *fate in alerts.judged(conn, story_id)]
    steps = [step._asdict() for step in way]
    return {"steps": steps, "jobs": [job for job in jobs if job["state"] in _UNFINISHED]}


def _of_story(story: Mapping[str, Any], jobs: Sequence[Mapping[str, Any]]) -> Iterator[Step]:
    """Yield the steps of an article that became a story: story, analysis, event, highlights, brief and summary."""
    yield Step("story", "done", str(story["id"]))
    analysed = "" if story["analysis_state"] == "pending" else story["analysis_state"]
    yield _step("analysis", ("analyze-story",), [job for job in jobs if job["trigger"] != "alone"], analysed)
    if searches := [job for job in jobs if job["task"] == "embed-story" or job["trigger"] == "alone"]:
        last = max(searches, key=lambda job: job["created_on"])
        yield _step("event", (last["task"],), [last], "")
    scored = sum("relevance" in each["metadata"] for each in story["highlights"])
    found = f"{len(story['highlights'])} found, {scored} scored" if story["highlights"] else ""
    yield _step("highlights", ("extract-highlights", "score-relevance"), jobs, found)
    has_brief = story["brief_generated_at"] or story["one_liner"]
    yield _step("brief", ("generate-brief",), jobs, "written" if has_brief else "")
    yield _step("summary", ("story-summarize",), jobs, "written" if story["summary"] else "")


def _text(item: Mapping[str, Any], jobs: Sequence[Mapping[str, Any]]) -> Step:
    outcome, detail = item["outcome"], item["detail"] or ""
    if outcome is None or outcome in IN_FLIGHT:
        step = _step("text", ("fetch-content",), jobs, "")
        tries = f"after {item['attempts']} failed fetches" if item["attempts"] else ""
        reasons = [each for each in (step.detail, tries, detail) if each]
        return Step("text", "waiting" if step.state == "missing" else step.state, "; ".join(reasons))
    good = outcome in {"stored", "updated", "duplicate"}
    return Step("text", "done" if good else "ended", f"{outcome}: {detail}" if detail else str(outcome))


def _step(name: str, tasks: Sequence[str], jobs: Sequence[Mapping[str, Any]], result: str) -> Step:
    of_step = [job for job in jobs if job["task"] in tasks]
    for job in of_step:
        if job["state"] in {"created", "retry", "active"}:
            wait = f", {job['waiting_for']}" if job["waiting_for"] else ""
            return Step(name, "waiting", f"{job['task']} is {job['state']} ({short(job['id'])}){wait}")
    if result:
        return Step(name, "done", result)
    for job in of_step:
        if job["state"] == "failed":
            return Step(name, "failed", f"{job['task']} ({short(job['id'])}): {_message(job['error'])}")
    ended = next((job for job in of_step if job["state"] == "completed"), None)
    if ended is not None:
        output = ended["output"] if isinstance(ended["output"], dict) else {}
        return Step(name, "done", str(output.get("outcome", "nothing to keep")))
    return Step(name, "missing", f"no {tasks[0]} job is known")


def _message(error: Any) -> str:
    return str(error.get("message", error)) if isinstance(error, dict) else str(error or "no reason given")


def _print(answer: Mapping[str, Any]) -> None:
    out = console()
    colours = {"done": "green", "waiting": "yellow", "failed": "red", "ended": "magenta", "missing": "red"}
    for item in answer["items"]:
        out.print(f"[bold]{escape(item['title'] or item['url'] or item['external_id'])}[/bold]", soft_wrap=True)
        for step in item["steps"]:
            colour = colours[step["state"]]
            out.print(f"  {step['name']:10} [{colour}]{step['state']:8}[/{colour}] {escape(step['detail'])}")
    for job in answer["jobs"]:
        wait = f" ({job['waiting_for']})" if job["waiting_for"] else ""
        why_failed = f": {_message(job['error'])}" if job["state"] == "failed" else ""
        tell(f"job {job['task']} is {job['state']}{wait}, sent {ago(job['created_on'])} ago{why_failed}")
    if not answer["items"] and not answer["jobs"]:
        tell(f"nothing is known of {answer['url']}")
        for source in answer["sources"]:
            health = source["status"] or "not read yet"
            last = f"read {ago(source['checked_at'])} ago" if source["checked_at"] else "never read"
            is_it = canonical_url(source["url"] or "") == answer["canonical_url"]
            relation = "it is the address of a source" if is_it else "its site has a source"
            said = f"{relation}: {source['name'] or source['url']} ({health}, {last})"
            message = f": {source['message']}" if source["message"] else ""
            tell(f"{said}{message}")
        if not answer["sources"]:
            out.print("no source covers its site; zeke-news sources add FEED, or:", markup=False)
        if not is_mailbox(answer["url"]):
            tell(f'zeke-jobs send ingest-oneoff \'{{"url": "{answer["url"]}"}}\'')
