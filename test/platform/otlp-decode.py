# Reads OTLP/JSON bodies, one a line, and decodes each by the published schema: unknown members and wrong types are errors. Writes what it understood.
import base64
import json
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

IDS = {"traceId": 32, "spanId": 16, "parentSpanId": 16}


def with_bytes(value):
    """OTLP writes ids as hex, where protobuf's own JSON has base64 (OTLP specification, "JSON Protobuf Encoding")."""
    if isinstance(value, list):
        return [with_bytes(item) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {}
    for name, member in value.items():
        if name in IDS and member:
            if len(member) != IDS[name]:
                raise ValueError(f"{name} has {len(member)} digits")
            member = base64.b64encode(bytes.fromhex(member)).decode()
        changed[name] = with_bytes(member)
    return changed


def text_of(value):
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [text_of(item) for item in value.array_value.values]
    return getattr(value, kind)


for line in sys.stdin:
    request = json_format.ParseDict(with_bytes(json.loads(line)), ExportTraceServiceRequest())
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                print(
                    json.dumps(
                        {
                            "service": {pair.key: text_of(pair.value) for pair in resource.resource.attributes},
                            "name": span.name,
                            "kind": Span.SpanKind.Name(span.kind),
                            "traceId": span.trace_id.hex(),
                            "spanId": span.span_id.hex(),
                            "parentSpanId": span.parent_span_id.hex(),
                            "status": Status.StatusCode.Name(span.status.code),
                            "nanoseconds": span.end_time_unix_nano - span.start_time_unix_nano,
                            "attributes": {pair.key: text_of(pair.value) for pair in span.attributes},
                            "events": [event.name for event in span.events],
                            "links": [f"{link.trace_id.hex()}-{link.span_id.hex()}" for link in span.links],
                        }
                    )
                )
