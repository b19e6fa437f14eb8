import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from actors.engine.client import HttpEngine
from actors.engine.contract import ContentItem, EngineError, Finder
from actors.engine.local import LocalEngine
from actors.engine.server import EngineServer
from tests.actors.engine.conftest import failure
from tests.actors.scripted_site import Answer, Site, page, paragraphs, rss


@contextmanager
def serving(engine: Finder, **options: Any) -> Iterator[str]:
    with EngineServer(engine, port=0, **options) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def remote(engine: LocalEngine) -> Iterator[HttpEngine]:
    with serving(engine, token="s3cret") as url:
        yield HttpEngine(url, token="s3cret")


def test_an_item_comes_through_whole(site: Site, engine: LocalEngine, remote: HttpEngine) -> None:
    site.pages["/a"] = Answer(page("A", paragraphs("the queue") + "<pre>x = 1</pre>"))
    assert remote.fetch_item(f"{site.url}/a") == engine.fetch_item(f"{site.url}/a")


def test_feeds_are_found_from_afar(site: Site, engine: LocalEngine, remote: HttpEngine) -> None:
    site.pages["/"] = Answer(page("A", "x", '<link rel="alternate" type="application/rss+xml" href="/feed">'))
    site.pages["/feed"] = Answer(rss(("g", "t", "https://a.example/1")))
    (near,), (far,) = engine.discover(f"{site.url}/").feeds, remote.discover(f"{site.url}/").feeds
    assert (far.url, far.name, far.items) == (f"{site.url}/feed", "A feed", near.items)
    assert failure(remote.discover, f"{site.url}/nothing").code == "not_found"


def test_a_source_comes_through_with_items_and_conditions(site: Site, engine: LocalEngine, remote: HttpEngine) -> None:
    site.pages["/feed"] = Answer(rss(("g", "t", "https://a.example/1")), headers={"ETag": '"1"'})
    near, far = engine.fetch_source(f"{site.url}/feed"), remote.fetch_source(f"{site.url}/feed")
    assert far.items == near.items
    assert far.etag == '"1"'
    remote.fetch_source(f"{site.url}/feed", '"1"')
    assert site.asked[-1].headers["if-none-match"] == '"1"'


@pytest.mark.parametrize(
    ("status", "headers"),
    [(404, {}), (410, {}), (403, {}), (429, {"Retry-After": "9"}), (500, {}), (302, {"Location": "http://10.0.0.1/"})],
)
def test_a_failure_comes_through_with_its_reason(
    site: Site, engine: LocalEngine, remote: HttpEngine, status: int, headers: dict[str, str]
) -> None:
    site.pages["/a"] = Answer(status=status, headers=headers)
    seen = []
    for one in (engine, remote):
        error = failure(one.fetch_item, f"{site.url}/a")
        seen.append((error.code, error.transient, error.retry_after, str(error)))
    assert seen[0] == seen[1]


def test_a_caller_without_the_token_is_refused(engine: LocalEngine) -> None:
    with serving(engine, token="s3cret") as url:
        for token in (None, "wrong"):
            client = HttpEngine(url, token=token)
            with pytest.raises(EngineError, match="bearer token"):
                client.fetch_item("https://a.example/")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"url": 5}', b"[" * 50_000, b"x" * 70_000])
def test_a_request_that_is_none_is_answered_with_400(engine: LocalEngine, body: bytes) -> None:
    with serving(engine) as url:
        answer = httpx.post(f"{url}/ingest", content=body, trust_env=False)
    assert answer.status_code == 400
    assert "expected" in answer.json()["error"]


def test_an_unknown_path_is_answered_with_404_and_health_has_the_shape_of_the_contract(engine: LocalEngine) -> None:
    with serving(engine) as url:
        assert httpx.get(f"{url}/", trust_env=False).status_code == 404
        assert httpx.post(f"{url}/other", json={"url": "x"}, trust_env=False).status_code == 404
        answer = httpx.get(f"{url}/health", trust_env=False).json()
    assert answer == {"status": "ok", "providers": {"local": {"status": "ok"}}}


def test_more_requests_at_once_than_allowed_are_told_to_come_back() -> None:
    entered, leave = threading.Event(), threading.Event()

    class Slow:
        def fetch_item(self, url: str) -> ContentItem:
            entered.set()
            leave.wait(10)
            return ContentItem(id=url)

    with serving(Slow(), most=1) as url:  # type: ignore[arg-type]
        client = HttpEngine(url)
        first = threading.Thread(target=client.fetch_item, args=("https://a.example/",))
        first.start()
        entered.wait(10)
        with pytest.raises(EngineError) as caught:
            client.fetch_item("https://a.example/")
        leave.set()
        first.join()
    assert (caught.value.transient, caught.value.retry_after) == (True, 1)


def test_the_command_serves_until_it_is_told_to_stop(site: Site) -> None:
    site.pages["/a"] = Answer(page("A", paragraphs("the queue")))
    settings = '{"allow_networks": ["127.0.0.0/8"]}'
    command = [sys.executable, "-m", "actors.engine", "--port", "0", "--settings", settings]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "ENGINE_TOKEN": "s3cret"}
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("engine: ").strip()
        client = HttpEngine(url, token="s3cret")
        assert client.fetch_item(f"{site.url}/a").title == "A"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_the_command_refuses_wrong_settings() -> None:
    command = [sys.executable, "-m", "actors.engine", "--settings", '{"page_timout": "1s"}']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "error: --settings: page_timout" in done.stderr
