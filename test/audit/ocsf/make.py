"""Writes the schema of this folder from the package that carries it: pip install ocsf-json-schema==1.2.0; python make.py."""

import json
import pathlib

from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

VERSION = "1.8.0"


def short(value):
    """Without titles, which nothing is compared with."""
    if isinstance(value, dict):
        return {
            name: sorted(item) if name in ("enum", "required") else short(item)
            for name, item in value.items()
            if name != "title" or isinstance(item, dict)
        }
    return [short(item) for item in value] if isinstance(value, list) else value


schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(VERSION)).get_class_schema("api_activity", ["ai_operation", "trace"])
text = json.dumps(short(schema), sort_keys=True, separators=(",", ":"))
path = pathlib.Path(__file__).with_name(f"api_activity-{VERSION}.snap.json")
path.write_text(text + "\n", encoding="utf-8")
