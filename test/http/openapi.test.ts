// The OpenAPI description: the committed page is what the service serves, and it keeps the rules of OpenAPI 3.1.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CLIENT_TYPES_PATH, clientTypesText } from '../../scripts/generate/client.ts'
import { OPENAPI_PATH, openApiDocument, openApiText } from '../../scripts/generate/openapi.ts'
import { KINDS as KILL_KINDS, MAX_UNTIL as MAX_KILL } from '../../src/admission/kill/entry.ts'
import { ADMIN_SCOPE } from '../../src/core/principal.ts'
import { PUBLIC_PATHS } from '../../src/http/paths.ts'
import { KINDS, MAX_UNTIL } from '../../src/identity/revocations/entry.ts'
import { startApp } from '../lib/app.ts'
import { ROOT } from '../lib/process.ts'

type Node = Record<string, unknown>
const document = openApiDocument() as Node

test('the committed description is the one of this build', () => {
  assert.equal(readFileSync(join(ROOT, OPENAPI_PATH), 'utf8'), openApiText(), 'run npm run generate')
})

test('the committed client types are those of this description', () => {
  assert.equal(readFileSync(join(ROOT, CLIENT_TYPES_PATH), 'utf8'), clientTypesText(), 'run npm run generate')
})

test('the service serves it; a public URL becomes its server', async () => {
  for (const publicUrl of [undefined, 'https://mcp.example.com']) {
    const service = await startApp(publicUrl === undefined ? {} : { config: { publicUrl } })
    try {
      const served = (await (await fetch(`${service.url}/openapi.json`)).json()) as Node
      const info = { ...(document['info'] as Node), version: '0.0.0-test' }
      assert.deepEqual(served, {
        ...document,
        info,
        ...(publicUrl !== undefined && { servers: [{ url: publicUrl }] }),
      })
    } finally {
      await service.close()
    }
  }
})

/** Every object of the document with the way to it. */
function* nodes(value: unknown, path = '#'): Generator<[path: string, node: Node]> {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) yield [path, value as Node]
  for (const [key, member] of Object.entries(value))
    yield* nodes(member, `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`)
}

function resolve(pointer: string): unknown {
  assert.match(pointer, /^#\//, 'a reference stays inside the document')
  return pointer
    .slice(2)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>((at, part) => (at as Node | undefined)?.[part], document)
}

test('every reference resolves', () => {
  const references = [...nodes(document)].flatMap(([path, node]) =>
    typeof node['$ref'] === 'string' ? [[path, node['$ref']] as const] : [],
  )
  assert.ok(references.length > 0)
  for (const [path, pointer] of references) assert.ok(resolve(pointer), `${path}: ${pointer}`)
})

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace']

function operations(): [path: string, method: string, operation: Node][] {
  return Object.entries(document['paths'] as Record<string, Node>).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): [string, string, Node] => {
      assert.ok(METHODS.includes(method), `${path} ${method}`)
      return [path, method, operation as Node]
    }),
  )
}

test('head, paths and operations have the members that OpenAPI 3.1 demands', () => {
  assert.match(String(document['openapi']), /^3\.1\.\d+$/)
  const info = document['info'] as Node
  assert.ok(typeof info['title'] === 'string' && typeof info['version'] === 'string')
  const license = info['license'] as Node
  assert.ok(typeof license['name'] === 'string')
  assert.ok(!('identifier' in license && 'url' in license), 'identifier and url exclude each other')
  const known = [
    'openapi',
    'info',
    'jsonSchemaDialect',
    'servers',
    'paths',
    'webhooks',
    'components',
    'security',
    'tags',
    'externalDocs',
  ]
  assert.deepEqual(
    Object.keys(document).filter((key) => !known.includes(key)),
    [],
  )
  const ids = operations().map(([, , operation]) => operation['operationId'])
  assert.ok(ids.every((id) => typeof id === 'string'))
  assert.equal(new Set(ids).size, ids.length, 'operationIds are unique')
  for (const [path, , operation] of operations()) {
    assert.match(path, /^\/[^?#]*$/)
    const parameters = (operation['parameters'] ?? []) as Node[]
    const inPath = parameters.filter((parameter) => parameter['in'] === 'path')
    assert.deepEqual(
      inPath.map(({ name, required }) => [name, required]),
      [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name, true]),
    )
    const names = parameters.map(
      (parameter) => `${parameter['in']} ${String(parameter['name']).toLowerCase()}`,
    )
    assert.equal(new Set(names).size, names.length)
    for (const parameter of parameters) {
      assert.ok(['query', 'header', 'path', 'cookie'].includes(String(parameter['in'])))
      assert.ok('schema' in parameter !== 'content' in parameter, 'schema or content, one of them')
      // OpenAPI 3.1, 4.8.12.2: a parameter of these names is ignored.
      assert.doesNotMatch(String(parameter['name']), /^(?:accept|content-type|authorization)$/i)
    }
  }
})

test('every response has a description, a status and typed content', () => {
  for (const [path, method, operation] of operations()) {
    const responses = Object.entries(operation['responses'] as Record<string, Node>)
    assert.ok(responses.some(([status]) => status.startsWith('2')))
    for (const [status, response] of responses) {
      assert.match(status, /^(?:default|[1-5](?:\d\d|XX))$/)
      const resolved = ('$ref' in response ? resolve(String(response['$ref'])) : response) as Node
      assert.equal(typeof resolved['description'], 'string', `${method} ${path} ${status}`)
      for (const [type, media] of Object.entries(resolved['content'] as Record<string, Node>)) {
        assert.match(type, /^[\w.+-]+\/[\w.+-]+$/)
        assert.equal(typeof media['schema'], 'object')
      }
    }
  }
})

const TYPES = ['null', 'boolean', 'object', 'array', 'number', 'string', 'integer']
const typeOf = (value: unknown): string =>
  Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value

test('schemas are JSON Schema 2020-12 in themselves', () => {
  const schemas = [...nodes(document)].filter(
    ([path, node]) => TYPES.includes(String(node['type'])) && !path.endsWith('/properties'),
  )
  assert.ok(schemas.length > 30)
  for (const [path, schema] of schemas) {
    if (schema['properties'] !== undefined) assert.equal(schema['type'], 'object', path)
    for (const name of (schema['required'] ?? []) as string[])
      assert.ok(name in ((schema['properties'] ?? {}) as Node), `${path}: ${name} is required and unknown`)
    const options = schema['enum'] as unknown[] | undefined
    if (options !== undefined) {
      assert.equal(new Set(options).size, options.length, path)
      assert.ok(
        options.every((option) => typeOf(option) === schema['type']),
        path,
      )
    }
    if ('default' in schema) assert.equal(typeOf(schema['default']), schema['type'], path)
    assert.ok(!('nullable' in schema), `${path}: OpenAPI 3.0 only`)
  }
})

test('the paths are those that the service routes, and the codes those of the table', () => {
  const routed = PUBLIC_PATHS.filter(({ kind, path }) => kind !== 'mcp' && path !== '/openapi.json')
  for (const [path, method] of operations()) {
    const row = routed.find((item) => (item.prefix ? path.startsWith(item.path) : path === item.path))
    assert.ok(row?.methods.includes(method.toUpperCase()), `${method} ${path}`)
  }
})

test('says how to get in, and what happens to those who do not', () => {
  const { securitySchemes } = document['components'] as { securitySchemes: Record<string, Node> }
  assert.deepEqual(
    Object.entries(securitySchemes).map(([name, { type, scheme }]) => [name, type, scheme]),
    [
      ['bearer', 'http', 'bearer'],
      ['person', 'http', 'bearer'],
      ['mutualTLS', 'mutualTLS', undefined],
    ],
  )
  // An empty requirement makes it optional: on loopback a service may have no authenticator.
  assert.deepEqual(document['security'], [{ bearer: [] }, { mutualTLS: [] }, {}])
  for (const [path, , operation] of operations()) {
    const own = operation['security'] as unknown[] | undefined
    const [expected, isOpen] =
      path === '/.well-known/ductape-mcp/receipt-keys.json'
        ? [[], true]
        : [path.startsWith('/v1/approvals') ? [{ person: [] }] : undefined, false]
    assert.deepEqual(own, expected, path)
    if (isOpen) continue
    const responses = operation['responses'] as Record<string, { $ref: string }>
    for (const [status, header] of [
      ['401', 'WWW-Authenticate'],
      ['403', 'WWW-Authenticate'],
      ['429', 'Retry-After'],
    ] as const) {
      const response = resolve(responses[status]?.$ref ?? '#/') as Node
      assert.ok(Object.hasOwn(response['headers'] as Node, header), `${path} ${status}`)
      assert.deepEqual(Object.keys(response['content'] as Node), ['application/problem+json'])
    }
  }
})

test('describes the revocation as the service takes it', () => {
  const { post } = (document['paths'] as Record<string, { post: Node }>)['/v1/admin/revocations'] as {
    post: Node
  }
  assert.ok(String(post['description']).includes(ADMIN_SCOPE))
  const body = post['requestBody'] as { content: Record<string, { schema: Node }> }
  const schema = body.content['application/json']?.schema as Node
  const { kind, until } = schema['properties'] as { kind: Node; until: Node }
  assert.deepEqual(kind['enum'], KINDS)
  assert.ok(String(until['description']).includes(`${MAX_UNTIL / 86_400_000} days`))
  assert.deepEqual(schema['required'], ['kind', 'value', 'until'])
})

test('describes the kill switch as the service takes it', () => {
  const { post } = (document['paths'] as Record<string, { post: Node }>)['/v1/admin/kill'] as { post: Node }
  assert.ok(String(post['description']).includes(ADMIN_SCOPE))
  const body = post['requestBody'] as { content: Record<string, { schema: Node }> }
  const schema = body.content['application/json']?.schema as Node
  const { kind, until } = schema['properties'] as { kind: Node; until: Node }
  assert.deepEqual(kind['enum'], KILL_KINDS)
  assert.ok(String(until['description']).includes(`${MAX_KILL / 86_400_000} days`))
  assert.deepEqual(schema['required'], ['action', 'kind', 'reason'])
})

test('a service that holds the keys describes no argument for one', async () => {
  const service = await startApp({ config: { credentials: { mode: 'injected', tenants: {} } } })
  try {
    const text = await (await fetch(`${service.url}/openapi.json`)).text()
    assert.doesNotMatch(text, /publishable_key|public_key|workspace_id/)
    assert.match(text, /ductape_execute/)
  } finally {
    await service.close()
  }
})
