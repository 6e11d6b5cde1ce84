// The official clients against the service and the emulator: SDK 1.x, and SDK 2.x in its legacy, auto and pinned modes.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Client as Client2, StreamableHTTPClientTransport as Transport2 } from '@modelcontextprotocol/client'
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as Transport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { MODULES } from '../../src/catalogue/index.ts'
import { DEMO } from '../../src/emulator/index.ts'
import { startApp, type TestApp } from '../lib/app.ts'

const generation = {
  workspace_id: DEMO.main.workspaceId,
  user_id: DEMO.main.userId,
  public_key: DEMO.main.publicKey,
  product_tag: DEMO.main.product,
  env_slug: 'prd',
  operation_family: 'database',
  method: 'query',
  targets: { database: 'main-db' },
}
const EXECUTE = {
  name: 'ductape_execute',
  arguments: {
    publishable_key: DEMO.main.publishableKey,
    module: 'product',
    method: 'fetch',
    params: [DEMO.main.product],
  },
}

/** What both generations of the client have in common, as far as these tests use it. */
interface Peer {
  /** Revision that was agreed on. */
  revision: string | undefined
  instructions: string | undefined
  tools(): Promise<{ name: string; outputSchema?: unknown }[]>
  call(
    call: { name: string; arguments: object },
    onprogress?: (progress: { progress: number; total?: number | undefined }) => void,
  ): Promise<{ content: { text?: string }[]; structuredContent?: unknown; isError?: boolean }>
  resources(): Promise<{ uri: string }[]>
  templates(): Promise<{ uriTemplate: string }[]>
  read(uri: string): Promise<{ uri: string; mimeType?: string; text?: string }[]>
  close(): Promise<void>
}

async function connect1(url: string): Promise<Peer> {
  const client = new Client1({ name: 'test', version: '1' })
  // The cast: its own transport does not meet its own interface under exactOptionalPropertyTypes.
  const transport = new Transport1(new URL(url))
  await client.connect(transport as Parameters<typeof client.connect>[0])
  return {
    revision: transport.protocolVersion,
    instructions: client.getInstructions(),
    tools: async () => (await client.listTools()).tools,
    call: async (call, onprogress) =>
      (await client.callTool(
        call as never,
        undefined,
        onprogress === undefined ? {} : { onprogress },
      )) as never,
    resources: async () => (await client.listResources()).resources,
    templates: async () => (await client.listResourceTemplates()).resourceTemplates,
    read: async (uri) => (await client.readResource({ uri })).contents as never,
    close: () => client.close(),
  }
}

async function connect2(url: string, mode: 'legacy' | 'auto' | { pin: string }): Promise<Peer> {
  const client = new Client2({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
  await client.connect(new Transport2(new URL(url)))
  return {
    revision: client.getNegotiatedProtocolVersion(),
    instructions: client.getInstructions(),
    tools: async () => (await client.listTools()).tools,
    call: async (call, onprogress) =>
      (await client.callTool(call as never, onprogress === undefined ? {} : { onprogress })) as never,
    resources: async () => (await client.listResources()).resources,
    templates: async () => (await client.listResourceTemplates()).resourceTemplates,
    read: async (uri) => (await client.readResource({ uri })).contents as never,
    close: () => client.close(),
  }
}

const PEERS: readonly { name: string; revision: string; connect: (url: string) => Promise<Peer> }[] = [
  { name: 'SDK 1.x', revision: '2025-11-25', connect: connect1 },
  { name: 'SDK 2.x legacy', revision: '2025-11-25', connect: (url) => connect2(url, 'legacy') },
  { name: 'SDK 2.x auto', revision: '2026-07-28', connect: (url) => connect2(url, 'auto') },
  {
    name: 'SDK 2.x pinned',
    revision: '2026-07-28',
    connect: (url) => connect2(url, { pin: '2026-07-28' }),
  },
]

const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code

for (const { name, revision, connect } of PEERS) {
  describe(name, () => {
    let service: TestApp
    let peer: Peer
    before(async () => {
      service = await startApp()
      peer = await connect(service.mcp)
    })
    after(async () => {
      await peer?.close()
      await service?.close()
    })

    test(`agrees on ${revision} and gets the instructions`, () => {
      assert.equal(peer.revision, revision)
      assert.match(peer.instructions ?? '', /ductape_execute/)
    })

    test('lists the three tools in their order', async () => {
      const tools = await peer.tools()
      assert.deepEqual(
        tools.map((tool) => tool.name),
        ['ductape_execute', 'ductape_generate_payload', 'ductape_generate_snippet'],
      )
      assert.deepEqual(
        tools.map((tool) => tool.outputSchema !== undefined),
        [false, true, true],
      )
    })

    // With the tools listed, the client checks structuredContent against outputSchema itself and throws where it does not fit.
    test('calls all three', async () => {
      await peer.tools()
      const executed = await peer.call(EXECUTE)
      assert.notEqual(executed.isError, true)
      assert.equal(JSON.parse(executed.content[0]?.text ?? '').name, 'My Product')
      assert.equal(executed.structuredContent, undefined)

      const payload = await peer.call({ name: 'ductape_generate_payload', arguments: generation })
      assert.deepEqual(payload.structuredContent, JSON.parse(payload.content[0]?.text ?? ''))
      assert.deepEqual(Object.keys(payload.structuredContent as object), ['payload', 'meta'])

      const snippet = await peer.call({
        name: 'ductape_generate_snippet',
        arguments: { ...generation, language: 'python' },
      })
      assert.deepEqual(snippet.structuredContent, JSON.parse(snippet.content[0]?.text ?? ''))
      assert.deepEqual(Object.keys(snippet.structuredContent as object), ['payload', 'snippet'])
    })

    test('a failed generate call is a result, though the tool declares an outputSchema', async () => {
      const failed = await peer.call({
        name: 'ductape_generate_payload',
        arguments: { ...generation, public_key: 'pub_nobody_0123456789' },
      })
      assert.equal(failed.isError, true)
      assert.match(failed.content[0]?.text ?? '', /^Payload generation request failed\n/)
    })

    test('a call without a key is the sentence of the seed', async () => {
      const refused = await peer.call({ name: 'ductape_execute', arguments: {} })
      assert.equal(refused.isError, true)
      assert.equal(
        refused.content[0]?.text,
        'Not authenticated. Please provide the `publishable_key` in your tool invocation arguments.',
      )
    })

    test('an unknown tool is error -32602', async () => {
      await assert.rejects(
        peer.call({ name: 'ductape_unknown', arguments: {} }),
        (error) => codeOf(error) === -32602,
      )
    })

    test('gets progress where it asks for it', async () => {
      const steps: [number, number | undefined][] = []
      const result = await peer.call(EXECUTE, ({ progress, total }) => steps.push([progress, total]))
      assert.notEqual(result.isError, true)
      assert.deepEqual(steps, [
        [1, 2],
        [2, 2],
      ])
    })

    test('lists and reads the catalogue', async () => {
      const resources = await peer.resources()
      assert.deepEqual(
        resources.map((resource) => resource.uri),
        ['ductape://catalogue', ...MODULES.map((module) => `ductape://catalogue/${module}`)],
      )
      assert.deepEqual(
        (await peer.templates()).map((template) => template.uriTemplate),
        ['ductape://catalogue/{module}'],
      )
      for (const uri of ['ductape://catalogue', 'ductape://catalogue/databases']) {
        const [contents] = await peer.read(uri)
        assert.equal(contents?.uri, uri)
        assert.equal(contents?.mimeType, 'application/json')
        assert.match(contents?.text ?? '', /databases/)
        JSON.parse(contents?.text ?? '')
      }
      await assert.rejects(peer.read('ductape://catalogue/nothing'), (error) => {
        // -32602 in both eras: the SDK never sends the -32002 of the older revisions, which 2026-07-28 forbids.
        assert.equal(codeOf(error), -32602)
        assert.deepEqual((error as { data?: unknown }).data, { uri: 'ductape://catalogue/nothing' })
        return true
      })
    })
  })
}

test('initialize that claims 2026-07-28 is answered with 2025-11-25', async () => {
  const service = await startApp()
  try {
    for (const headers of [{}, { 'mcp-protocol-version': '2026-07-28' }]) {
      const response = await fetch(service.mcp, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...headers,
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'initialize',
          params: {
            protocolVersion: '2026-07-28',
            capabilities: {},
            clientInfo: { name: 'rmcp', version: '3.9.0' },
          },
        }),
      })
      assert.equal(response.status, 200, JSON.stringify(headers))
      const { result } = (await response.json()) as { result: { protocolVersion: string } }
      assert.equal(result.protocolVersion, '2025-11-25')
    }
  } finally {
    await service.close()
  }
})
