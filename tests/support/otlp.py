"""A collector that speaks OTLP over HTTP, and keeps what it is sent."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PATIENCE = 300.0


@dataclass(frozen=True)
class ToldSpan:
    """A span as it arrived; ids in hexadecimal, an empty parent for none, times in nanoseconds."""

    name: str
    trace_id: str
    span_id: str
    parent: str
    began: int
    ended: int
    attributes: dict[str, str]


@dataclass
class Collector:
    """``raw``: the bodies of all requests, to search for what must not be there."""

    url: str = ""
    raw: list[bytes] = field(default_factory=list)
    spans: list[ToldSpan] = field(default_factory=list)
    metrics: set[str] = field(default_factory=set)

    def trace(self, trace_id: str) -> dict[str, list[ToldSpan]]:
        """The spans of one trace, by name."""
        found: dict[str, list[ToldSpan]] = {}
        for span in list(self.spans):
            if span.trace_id == trace_id:
                found.setdefault(span.name, []).append(span)
        return found

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Until it holds: spans come in batches."""
        ends = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < ends, sorted({span.name for span in self.spans})
            time.sleep(0.1)

    def take(self, path: str, body: bytes) -> None:
        """A request."""
        self.raw.append(body)
        if path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    self.spans += [_told(span) for span in scope.spans]
        elif path == "/v1/metrics":
            for told in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.metrics |= {metric.name for part in told.scope_metrics for metric in part.metrics}


def _told(span: object) -> ToldSpan:
    return ToldSpan(
        name=span.name,  # type: ignore[attr-defined]
        trace_id=span.trace_id.hex(),  # type: ignore[attr-defined]
        span_id=span.span_id.hex(),  # type: ignore[attr-defined]
        parent=span.parent_span_id.hex(),  # type: ignore[attr-defined]
        began=span.start_time_unix_nano,  # type: ignore[attr-defined]
        ended=span.end_time_unix_nano,  # type: ignore[attr-defined]
        attributes={each.key: each.value.string_value for each in span.attributes},  # type: ignore[attr-defined]
    )


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.take(self.path, body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
