// `config check|print|schema` and the way to the file: exit codes, streams, what is read and from where.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { parse as parseYaml } from 'yaml'
import { configCommand } from '../../src/config/command.ts'
import { defaultConfig, loadConfig } from '../../src/config/index.ts'
import { configJsonSchema } from '../../src/config/json-schema.ts'

const FILES: Readonly<Record<string, string>> = {
  'good.yaml': 'http: { maxBody: "2MiB" }\n',
  'odd.yaml': 'catalogue: off\n',
  'bad.yaml': 'version: 3\nhttp: { maxBdoy: 1 }\n',
}

function fault(code: string): Error {
  return Object.assign(new Error(`${code}: open with /some/secret/path`), { code })
}

function readFile(path: string): string {
  const text = FILES[path]
  if (text === undefined) throw fault(path.startsWith('E') ? path : 'ENOENT')
  return text
}

async function run(argv: readonly string[], env: Record<string, string> = {}) {
  let out = ''
  let err = ''
  const code = await configCommand(argv, {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    env,
    readFile,
  })
  return { code, out, err }
}

describe('config check', () => {
  it('a good file: 0', async () => {
    assert.deepEqual(await run(['check', 'good.yaml']), { code: 0, out: 'good.yaml holds\n', err: '' })
    assert.equal((await run(['check', '--config', 'good.yaml'])).code, 0)
  })

  it('no file: the defaults hold, 0', async () => {
    assert.deepEqual(await run(['check']), { code: 0, out: 'no config file: the defaults hold\n', err: '' })
  })

  it('a warning: 1, on stderr', async () => {
    const { code, out, err } = await run(['check', 'odd.yaml'])
    assert.equal(code, 1)
    assert.match(err, /^odd\.yaml:1:12: catalogue is off/)
    assert.equal(out, 'odd.yaml holds\n')
  })

  it('a bad file: 2, every problem with place, key and fix on stderr', async () => {
    assert.deepEqual(await run(['check', 'bad.yaml']), {
      code: 2,
      out: '',
      err:
        'bad.yaml:1:10: version must be 1, the format this build reads, not the number 3\n  Write version: 1.\n' +
        'bad.yaml:2:9: http.maxBdoy is not a known key\n  Did you mean maxBody?\n' +
        '2 problems\n',
    })
  })

  it('--json: one object on stdout, nothing on stderr', async () => {
    const good = await run(['check', 'good.yaml', '--json'])
    assert.deepEqual(
      [good.code, JSON.parse(good.out), good.err],
      [0, { ok: true, file: 'good.yaml', problems: [], warnings: [] }, ''],
    )
    const bad = await run(['check', '--json', 'bad.yaml'])
    const { ok, problems } = JSON.parse(bad.out)
    assert.deepEqual([bad.code, ok, problems.length, bad.err], [2, false, 2, ''])
    assert.deepEqual(problems[0], {
      source: 'bad.yaml',
      path: 'version',
      line: 1,
      column: 10,
      message: 'must be 1, the format this build reads, not the number 3',
      fix: 'Write version: 1.',
    })
    assert.equal((await run(['check', '--json', 'odd.yaml'])).code, 1)
  })
})

describe('config print', () => {
  it('writes YAML, and JSON with --json, of the same config', async () => {
    const yaml = await run(['print', 'good.yaml'])
    const json = await run(['print', 'good.yaml', '--json'])
    assert.deepEqual([yaml.code, json.code, yaml.err, json.err], [0, 0, '', ''])
    assert.deepEqual({ outbound: {}, ...parseYaml(yaml.out) }, JSON.parse(json.out))
    assert.equal(JSON.parse(json.out).http.maxBody, '2MiB')
  })

  it('a bad file: 2 and nothing that looks like a config', async () => {
    const { code, out, err } = await run(['print', 'bad.yaml'])
    assert.deepEqual([code, out], [2, ''])
    assert.match(err, /version must be 1/)
    assert.equal(JSON.parse((await run(['print', 'bad.yaml', '--json'])).out).ok, false)
  })

  it('warnings do not spoil the output', async () => {
    const { code, out, err } = await run(['print', 'odd.yaml'])
    assert.equal(code, 0)
    assert.match(err, /catalogue is off/)
    assert.equal(parseYaml(out).catalogue, 'off')
  })
})

describe('config schema', () => {
  it('writes the JSON Schema', async () => {
    const { code, out } = await run(['schema'])
    assert.equal(code, 0)
    assert.deepEqual(JSON.parse(out), JSON.parse(JSON.stringify(configJsonSchema())))
  })
})

describe('the command line', () => {
  it('--help: on stdout, 0', async () => {
    for (const argv of [['--help'], ['check', '-h'], ['schema', '--help']]) {
      const { code, out, err } = await run(argv)
      assert.deepEqual([code, err], [0, ''])
      for (const word of ['check', 'print', 'schema', '--json', 'DUCTAPE_MCP_CONFIG', 'Exit codes'])
        assert.ok(out.includes(word), word)
      for (const line of out.split('\n')) assert.ok(line.length <= 88, line)
    }
  })

  it('a wrong one: 2 and a sentence', async () => {
    const table: readonly (readonly [string[], RegExp])[] = [
      [[], /say check, print or schema/],
      [['lint'], /there is only check, print and schema/],
      [['check', 'a', 'b'], /takes one FILE/],
      [['check', 'a', '--config', 'b'], /not both/],
      [['schema', 'a'], /takes no FILE/],
      [['check', '--frobnicate'], /--frobnicate/],
      [['check', '--config'], /--config/],
    ]
    for (const [argv, words] of table) {
      const { code, out, err } = await run(argv)
      assert.deepEqual([code, out], [2, ''], argv.join(' '))
      assert.match(err, words)
      assert.match(err, /--help/)
    }
  })
})

describe('the way to the file', () => {
  it('--config, then the variable, then the defaults', async () => {
    const load = async (path: string | undefined, variable: string | undefined) => {
      const result = await loadConfig({ path, env: { DUCTAPE_MCP_CONFIG: variable }, readFile })
      return result.ok ? [result.config.http.maxBody, result.config.catalogue] : result.problems[0]?.message
    }
    assert.deepEqual(await load(undefined, undefined), [1_048_576, 'enforce'])
    assert.deepEqual(await load(undefined, ''), [1_048_576, 'enforce'])
    assert.deepEqual(await load(undefined, 'good.yaml'), [2_097_152, 'enforce'])
    assert.deepEqual(await load('odd.yaml', 'good.yaml'), [1_048_576, 'off'])
    assert.equal(await load('', 'good.yaml'), 'the config file does not exist')
    assert.equal((await run(['check'], { DUCTAPE_MCP_CONFIG: 'bad.yaml' })).code, 2)
    assert.equal((await run(['check', 'good.yaml'], { DUCTAPE_MCP_CONFIG: 'bad.yaml' })).code, 0)
  })

  it('a file that cannot be read is a problem without the system text', async () => {
    for (const [path, words] of [
      ['nowhere.yaml', /does not exist/],
      ['EISDIR', /is a directory/],
      ['EACCES', /may not be read/],
      ['EIO', /cannot be read/],
    ] as const) {
      const { code, err } = await run(['check', path])
      assert.equal(code, 2)
      assert.match(err, words)
      assert.doesNotMatch(err, /secret/)
      assert.ok(err.startsWith(`${path}: the config file `))
    }
  })

  it('works hardened, and leaves the YAML parser alone when there is no file', () => {
    const index = new URL('../../src/config/index.ts', import.meta.url).href
    const script = `
      const { registerHooks } = process.getBuiltinModule('module')
      const loaded = []
      registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context) } })
      const { loadConfig } = await import(${JSON.stringify(index)})
      const without = await loadConfig({ env: {}, readFile: () => '' })
      const early = loaded.filter((url) => url.includes('/node_modules/yaml/')).length
      const file = await loadConfig({ path: 'f', env: {}, readFile: () => 'http: { maxBody: "2MiB" }' })
      const bad = await loadConfig({ path: 'f', env: {}, readFile: () => '__proto__: 1' })
      console.log(JSON.stringify([early, without.config, file.config.http.maxBody, bad.ok]))`
    const flags = ['--disallow-code-generation-from-strings', '--disable-proto=throw', '--input-type=module']
    const { stdout, stderr } = spawnSync(process.execPath, [...flags, '-e', script], {
      encoding: 'utf8',
      env: {},
    })
    assert.equal(stderr, '')
    assert.deepEqual(JSON.parse(stdout), [0, JSON.parse(JSON.stringify(defaultConfig())), 2_097_152, false])
  })
})
