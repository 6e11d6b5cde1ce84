// Keeps true who may import whom (docs/architecture.md), and shows that the checker sees what is planted.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkLayers } from '../scripts/lib/layers.ts'
import { readSources } from '../scripts/lib/sources.ts'

const fake = (file: string, code: string): string[] =>
  checkLayers(new Map([[file, `// A file.\n${code}\n`]])).map((line) => line.slice(file.length + 2))

describe('layers', () => {
  test('of this source tree', () => {
    const sources = readSources()
    assert.ok(sources.size > 100, `only ${sources.size} files were found`)
    assert.deepEqual(checkLayers(sources), [])
  })

  const planted: [what: string, file: string, code: string, finding: RegExp][] = [
    ['core imports a feature', 'src/core/a.ts', "import '../tools/index.ts'", /may not import src\/tools/],
    [
      'core imports the config',
      'src/core/a.ts',
      "import type { A } from '../config/index.ts'",
      /src\/config/,
    ],
    ['core imports a builtin', 'src/core/a.ts', "import { readFile } from 'node:fs'", /core imports nothing/],
    [
      'a feature imports the config',
      'src/tools/a.ts',
      "import { a } from '../config/index.ts'",
      /may not import src\/config\/index\.ts/,
    ],
    [
      'a feature imports the types of the config',
      'src/tools/a.ts',
      "import type { Config } from '../config/index.ts'",
      /src\/config/,
    ],
    [
      'a section imports more than its fields',
      'src/audit/config.ts',
      "import { a } from '../config/read.ts'",
      /src\/config\/read\.ts/,
    ],
    ['a feature imports http', 'src/tools/a.ts', "import '../http/rest.ts'", /src\/http\/rest\.ts/],
    [
      "another feature's inside",
      'src/response/a.ts',
      "export { a } from '../catalogue/near.ts'",
      /src\/catalogue\/near\.ts/,
    ],
    ['a feature imports the app', 'src/http/a.ts', "import '../app.ts'", /src\/app\.ts/],
    ['a feature imports the pipeline', 'src/http/a.ts', "import '../pipeline.ts'", /src\/pipeline\.ts/],
    ['the emulator from the app', 'src/app.ts', "await import('./emulator/index.ts')", /src\/emulator/],
    ['the emulator from serve', 'src/cli/serve.ts', "import '../emulator/index.ts'", /src\/emulator/],
    ['the client from the app', 'src/app.ts', "import './client/call.ts'", /src\/client/],
    [
      'an SDK outside mcp/',
      'src/http/a.ts',
      "import type { A } from '@modelcontextprotocol/server'",
      /@modelcontextprotocol/,
    ],
    ['undici values', 'src/backend/a.ts', "import { request } from 'undici'", /undici/],
    ['a part of undici', 'src/backend/a.ts', "import p from 'undici/lib/dispatcher/pool.js'", /undici/],
    ['a client socket', 'src/backend/a.ts', "import { connect } from 'node:net'", /connect of node:net/],
    ['a client request', 'src/backend/a.ts', "import { request } from 'node:http'", /request of node:http/],
    [
      'a client request through the module',
      'src/backend/a.ts',
      "import http from 'node:http'\nhttp.get('x')",
      /get of node:http/,
    ],
    ['https', 'src/backend/a.ts', "import https from 'node:https'", /node:https/],
    ['dns', 'src/backend/a.ts', "import dns from 'node:dns/promises'", /node:dns/],
    ['child processes', 'src/cli/a.ts', "import { spawn } from 'node:child_process'", /node:child_process/],
    ['fetch', 'src/tools/a.ts', "await fetch('http://a')", /may not use fetch/],
    ['WebSocket', 'src/tools/a.ts', "new WebSocket('ws://a')", /may not use WebSocket/],
    [
      'a builtin through the back door',
      'src/tools/a.ts',
      "process.getBuiltinModule('node:https')",
      /node:https/,
    ],
    ['a computed import', 'src/tools/a.ts', 'await import(name)', /a name that is computed/],
    [
      'a socket that is no descriptor',
      'src/http/a.ts',
      "import { Socket } from 'node:net'",
      /Socket of node:net/,
    ],
    ['process.stdout', 'src/audit/a.ts', "process.stdout.write('a')", /process\.stdout/],
    ['express outside http/', 'src/tools/a.ts', "import express from 'express'", /express/],
    ['a file that is too long', 'src/tools/a.ts', 'a\n'.repeat(400), /has 402 lines/],
  ]
  for (const [what, file, code, finding] of planted) {
    test(`finds ${what}`, () => {
      const found = fake(file, code)
      assert.equal(found.length, 1, found.join('\n'))
      assert.match(found[0] ?? '', finding)
    })
  }

  test('finds a file without its first comment', () => {
    assert.deepEqual(checkLayers(new Map([['test/a.ts', 'export const a = 1\n']])), [
      'test/a.ts: does not begin with a comment that says what it does',
    ])
  })

  test('allows what design and stage table need', () => {
    const allowed: [file: string, code: string][] = [
      ['src/core/a.ts', "import { b } from './b.ts'"],
      ['src/tools/a.ts', "import { b } from '../core/b.ts'\nimport { c } from '../catalogue/index.ts'"],
      ['src/audit/config.ts', "import * as z from 'zod'\nimport { a } from '../config/fields.ts'"],
      ['src/config/schema.ts', "import { a } from '../audit/config.ts'"],
      ['src/pipeline.ts', "import { a } from './http/transport.ts'"],
      ['src/app.ts', "import { a } from './http/listener.ts'\nawait import('./mcp/sdk.ts')"],
      ['src/cli/dev.ts', "import { startEmulator } from '../emulator/index.ts'"],
      ['src/http/a.ts', "import http from 'node:http'\nhttp.createServer()\nhttp.STATUS_CODES[200]"],
      ['src/http/b.ts', "import type { Socket } from 'node:net'\nimport type { Dispatcher } from 'undici'"],
      ['src/audit/sink.ts', "import { Socket } from 'node:net'"],
      ['src/outbound.ts', "import { connect } from 'node:net'\nawait import('undici')\nawait fetch('x')"],
      ['src/mcp/sdk.ts', "import { Server } from '@modelcontextprotocol/server'\nmodern.fetch()"],
      ['src/main.ts', "await import('./cli/serve.ts')"],
    ]
    for (const [file, code] of allowed) assert.deepEqual(fake(file, code), [], code)
  })
})
