"""Lists the tools of an MCP server with the official Python client, makes the calls given as JSON on stdin, prints JSON."""

import asyncio
import json
import sys

from mcp import Client


async def main(url: str, mode: str) -> None:
    calls = json.load(sys.stdin)
    async with Client(url, mode=mode, read_timeout_seconds=20) as client:
        listed = await client.list_tools()
        answers = []
        for call in calls:
            result = await client.call_tool(call["name"], call["arguments"])
            texts = [part.text for part in result.content if part.type == "text"]
            answers.append({"name": call["name"], "isError": bool(result.is_error), "text": "\n".join(texts)})
        tools = [tool.name for tool in listed.tools]
        print(json.dumps({"protocol": client.protocol_version, "tools": tools, "answers": answers}))


asyncio.run(main(sys.argv[1], sys.argv[2]))
