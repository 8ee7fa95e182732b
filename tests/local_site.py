"""A small web on loopback with a search engine, for runs that search and browse."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAGE = "<html><head><title>{title}</title></head><body><main><h1>{title}</h1>{body}</main></body></html>"


class Site:
    """Pages by path, a search engine that speaks SearXNG's JSON, and a record of every page that was asked for.

    With `together` no page is answered before so many are asked for.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.pages: dict[str, str] = {}
        self.redirects: dict[str, str] = {}
        self.hits: list[dict[str, str]] = []
        self.together: threading.Barrier | None = None
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/search?"):
                    return self._send(200, json.dumps({"results": site.hits}), "application/json")
                site.asked.append(self.path)
                if site.together:
                    try:
                        site.together.wait(10)
                    except threading.BrokenBarrierError:
                        return self._send(500, "one by one", "text/plain")
                if target := site.redirects.get(self.path):
                    return self._send(302, "", "text/plain", target)
                found = site.pages.get(self.path)
                return self._send(200 if found else 404, found or "", "text/html; charset=utf-8")

            def _send(self, status: int, text: str, kind: str, location: str = "") -> None:
                body = text.encode()
                self.send_response(status)
                if location:
                    self.send_header("Location", location)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.other = f"http://localhost:{self._server.server_address[1]}"  # the same machine by another name
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def page(self, path: str, body: str, title: str = "A page") -> str:
        self.pages[path] = PAGE.format(title=title, body=body)
        return self.url + path

    def found(self, path: str, body: str, title: str = "", host: str = "") -> str:
        """A page that the search engine finds too."""
        title = title or f"Page {path[1:]}"
        self.page(path, body, title)
        return self.hit(path, title, host)

    def hit(self, path: str, title: str = "A hit", host: str = "") -> str:
        url = (host or self.url) + path
        self.hits.append({"title": title, "url": url, "content": f"Extract of {title}"})
        return url

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def local_site() -> Iterator[Site]:
    made = Site()
    try:
        yield made
    finally:
        made.close()
