// Lists the tools of an MCP server with @ai-sdk/mcp, makes the calls given as JSON on stdin, prints JSON.
import { text } from 'node:stream/consumers'
import { createMCPClient } from '@ai-sdk/mcp'

const calls = JSON.parse(await text(process.stdin))
const client = await createMCPClient({ transport: { type: 'http', url: process.argv[2] } })
try {
  const tools = await client.tools()
  const answers = []
  for (const { name, arguments: input } of calls) {
    const result = await tools[name].execute(input, { toolCallId: name, messages: [] })
    const texts = result.content.filter(({ type }) => type === 'text').map((part) => part.text)
    answers.push({ name, isError: result.isError === true, text: texts.join('\n') })
  }
  console.log(JSON.stringify({ tools: Object.keys(tools), answers }))
} finally {
  await client.close()
}
