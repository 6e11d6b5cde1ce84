// compose.yaml fits the schema of the Compose Specification, and its own services run as it says: users, limits, profiles, mounts, networks.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { build } from '../../scripts/build.ts'
import { DEMO } from '../../src/emulator/demo.ts'
import { type Contained, entryPoint, readCompose, run } from './lib/compose.ts'
import { complete } from './lib/process.ts'
import { PYTHON, path, ROOT, unless } from './lib/tools.ts'

const compose = readCompose()

const SCHEMA = join(ROOT, '.cache/tools/compose-spec.json')
const noSchema = unless('python packages', ...(existsSync(SCHEMA) ? [] : ['the Compose schema']))

describe('the schema of the Compose Specification', { skip: noSchema }, () => {
  const VALIDATE = `
import json, sys
from jsonschema import Draft202012Validator
validator = Draft202012Validator(json.load(open(sys.argv[1])))
print("\\n".join(f"{error.json_path}: {error.message}"[:200] for error in validator.iter_errors(json.load(sys.stdin))))
`
  const faults = async (file: object): Promise<string> => {
    const { code, stdout, stderr } = await complete(PYTHON, ['-c', VALIDATE, SCHEMA], {
      input: JSON.stringify(file),
    })
    assert.equal(code, 0, stderr)
    return stdout.trim()
  }

  test('takes compose.yaml', async () => {
    assert.equal(await faults(compose), '')
  })

  test('would refuse a misspelt key and a value of the wrong type', async () => {
    const { app } = compose.services
    assert.match(await faults({ services: { app: { ...app, readonly: true } } }), /readonly/)
    assert.match(await faults({ services: { app: { ...app, cap_drop: 'ALL' } } }), /cap_drop/)
  })
})

const needs = unless('root', 'runc', 'nginx', 'openssl', 'redis-server', 'redis-cli', 'wget', 'nsenter')

describe('our services, as compose.yaml runs them', { skip: needs }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-compose-'))
  const state = join(folder, 'state')
  const dist = join(folder, 'dist')
  const volume = join(folder, 'run')
  const containers = new Map<string, Contained>()
  const container = (name: string): Contained => {
    const found = containers.get(name)
    assert.ok(found, `${name} does not run`)
    return found
  }
  const service = (name: string) => {
    const found = compose.services[name]
    assert.ok(found, `compose.yaml has no ${name}`)
    return found
  }

  const NODE = { [process.execPath]: '/nodejs/bin/node' }
  const image = { app: entryPoint('Dockerfile'), proxy: entryPoint('nginx/Dockerfile') }

  async function up(
    name: string,
    args: readonly string[],
    files: Readonly<Record<string, string>>,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const mode = service(name).network_mode
    const joined = mode === undefined ? undefined : await container(mode.replace('service:', '')).pid()
    const started = run({
      service: service(name),
      folder,
      name: `ductape-mcp-compose-${process.pid}-${name}`,
      args,
      environment,
      files,
      volume,
      source: (source) =>
        join(source.replace(/^deploy\/compose\/state/, state)).replace(/^deploy\//, `${ROOT}/deploy/`),
      ...(joined === undefined ? {} : { joins: joined }),
    })
    containers.set(name, started)
    // runc knows it once it is made; a start that failed says so.
    await until(name, async () => {
      const pid = await started.pid().catch(() => 0)
      return pid > 0 ? '' : `runc has not made ${name}: ${started.process.stderr()}`
    })
  }

  /** Waits until there is nothing to complain of any more. */
  async function until(what: string, complaint: () => Promise<string>): Promise<void> {
    const deadline = Date.now() + 30_000
    for (;;) {
      const said = await complaint()
      if (said === '') return
      if (Date.now() > deadline) throw new Error(`${what}: ${said}`)
    }
  }

  /** The health check that compose.yaml or the image gives a service, until it passes. */
  const healthy = (name: string, test: readonly string[]): Promise<void> =>
    until(name, async () => {
      const { code, stdout, stderr } = await container(name).exec(test)
      return code === 0 ? '' : `${stdout}${stderr}${container(name).process.stderr()}`
    })

  /** Runs a script of Node in the network of a service; what it prints is JSON. */
  async function inNetworkOf(name: string, script: string, ...args: string[]): Promise<unknown> {
    const pid = await container(name).pid()
    const { code, stdout, stderr } = await complete(path('nsenter'), [
      ...['--target', String(pid), '--net', process.execPath, '--input-type=module', '-e', script],
      ...args,
    ])
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout)
  }

  before(async () => {
    mkdirSync(volume)
    const { code, stdout, stderr } = await complete(join(ROOT, 'deploy/compose/prepare'), [state])
    assert.equal(code, 0, stderr)
    assert.match(stdout, /docker compose up/)
    await build(join(dist, 'release'))
    await build(join(dist, 'emulator'), { emulator: true })
    // As the volume's own options have it.
    const o = compose.volumes['run']?.driver_opts.o ?? ''
    const mounted = await complete('mount', ['-t', 'tmpfs', '-o', o, 'tmpfs', volume])
    assert.equal(mounted.code, 0, mounted.stderr)

    const { entrypoint, command } = image.app
    await up('app', [...entrypoint, ...(service('app').command ?? command)], {
      ...NODE,
      [join(dist, 'release')]: '/app',
    })
    await up('emulator', [...entrypoint, ...(service('emulator').command ?? [])], {
      ...NODE,
      [join(dist, 'emulator')]: '/app',
    })
    await up('redis', service('redis').command ?? [], {})
    await healthy('app', [...entrypoint, 'health'])
    await up(
      'proxy',
      [...image.proxy.entrypoint, ...(service('proxy').command ?? image.proxy.command)],
      {
        [join(ROOT, 'nginx/entrypoint')]: '/usr/local/bin/ductape-mcp-proxy',
        [join(ROOT, 'nginx/ductape-mcp.conf.template')]: '/etc/nginx/ductape-mcp.conf.template',
      },
      // Debian's nginx is older than this directive.
      { MCP_KEEPALIVE_MIN: '' },
    )
  })

  after(async () => {
    for (const started of [...containers.values()].reverse()) await started.remove()
    await complete('umount', [volume])
    rmSync(folder, { recursive: true, force: true })
  })

  test('prepare keeps what is there, and what it makes is out of the reach of other users', async () => {
    const files = [
      'tls/tls.key',
      'fleet/keys',
      'receipts/keys.pem',
      'grafana/password',
      'clients/agent-1/tls.key',
      'crl/crl.pem',
    ]
    const contents = (): string[] => files.map((name) => readFileSync(join(state, name), 'utf8'))
    const before = contents()
    const { code } = await complete(join(ROOT, 'deploy/compose/prepare'), [state])
    assert.equal(code, 0)
    assert.deepEqual(contents(), before)
    assert.equal(statSync(state).mode & 0o777, 0o700)
  })

  for (const name of ['emulator', 'redis', 'proxy'])
    test(`${name} is healthy by its own check`, () => {
      const [kind, ...check] = service(name).healthcheck.test ?? []
      assert.equal(kind, 'CMD')
      return healthy(name, check)
    })

  const CALL = `
import { request } from 'node:https'
import { readFileSync } from 'node:fs'
const [state, client, body] = process.argv.slice(1)
const pem = (name) => readFileSync(state + '/' + name)
const keys = client === '' ? {} : { cert: pem('clients/' + client + '/tls.crt'), key: pem('clients/' + client + '/tls.key') }
const asked = request('https://localhost:8443/v1/tools/ductape_execute',
  { method: 'POST', ca: pem('client-ca/ca.crt'), ...keys, headers: { 'content-type': 'application/json' } })
asked.on('response', async (answer) => {
  let text = ''
  for await (const part of answer) text += part
  console.log(JSON.stringify({ status: answer.statusCode, text }))
})
asked.end(body)
`
  const call = (client: string, args: object): Promise<unknown> =>
    inNetworkOf('proxy', CALL, state, client, JSON.stringify(args))

  test('a client with a certificate reads through nginx, service, Redis and emulator', async () => {
    const answer = (await call('agent-1', {
      publishable_key: DEMO.main.publishableKey,
      module: 'product',
      method: 'environments.list',
      params: [DEMO.main.product],
    })) as { status: number; text: string }
    assert.equal(answer.status, 200, answer.text)
    assert.match(answer.text, /"prd"/)
  })

  test('what the policy does not allow is refused, and so is a client without a certificate', async () => {
    const write = {
      publishable_key: DEMO.main.publishableKey,
      module: 'product',
      method: 'create',
      params: [{}],
    }
    const refused = (await call('agent-1', write)) as { status: number; text: string }
    assert.equal(refused.status, 403, refused.text)
    const { status } = (await call('', write)) as { status: number }
    assert.equal(status, 400)
  })

  const DIAL = `
import { connect } from 'node:net'
const dial = (port) => new Promise((done) => {
  const socket = connect(Number(port), '127.0.0.1')
  socket.once('connect', () => done('open')).once('error', (error) => done(error.code))
})
console.log(JSON.stringify(await Promise.all(process.argv.slice(1).map(dial))))
process.exit()
`
  test('emulator and Redis are on the loopback that they share with the service, and nowhere else', async () => {
    assert.deepEqual(await inNetworkOf('app', DIAL, '4311', '6379', '9464'), ['open', 'open', 'open'])
    assert.deepEqual(await inNetworkOf('proxy', DIAL, '4311', '6379', '8443', '18081'), [
      ...['ECONNREFUSED', 'ECONNREFUSED'],
      ...['open', 'open'],
    ])
    const LISTENS = `
import { readFileSync } from 'node:fs'
const rows = (name) => readFileSync('/proc/net/' + name, 'utf8').split('\\n').slice(1).map((line) => line.trim().split(/ +/))
console.log(JSON.stringify([...rows('tcp'), ...rows('tcp6')].filter(([, , , state]) => state === '0A').map(([, local]) => local)))
`
    const listening = (await inNetworkOf('app', LISTENS)) as string[]
    const exposed = listening.filter((local) => !local.startsWith('0100007F:'))
    assert.deepEqual(
      exposed.map((local) => Number.parseInt(local.split(':')[1] ?? '', 16)),
      [9464],
      'what other containers could reach is the ops listener',
    )
  })

  test('what Prometheus is told to ask answers', async () => {
    const GET = `
const answer = await fetch(process.argv[1])
console.log(JSON.stringify([answer.status, await answer.text()]))
`
    const [status, metrics] = (await inNetworkOf('app', GET, 'http://127.0.0.1:9464/metrics')) as [
      number,
      string,
    ]
    assert.equal(status, 200)
    assert.match(metrics, /^ductape_mcp_store_available 1$/m)
    const [proxyStatus, proxyMetrics] = (await inNetworkOf(
      'proxy',
      GET,
      'http://127.0.0.1:18081/metrics',
    )) as [number, string]
    assert.equal(proxyStatus, 200)
    assert.match(proxyMetrics, /^ductape_mcp_proxy_\w+ \d/m)
  })

  test('user, capabilities, privileges and filter are in force in each', async () => {
    for (const [name, started] of containers) {
      const pid = await started.pid()
      const status = readFileSync(`/proc/${pid}/status`, 'utf8')
      const field = (key: string): string => new RegExp(`^${key}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? ''
      const [uid, gid] = service(name).user.split(':')
      assert.equal(field('Uid'), Array(4).fill(uid).join('\t'), name)
      assert.equal(field('Gid'), Array(4).fill(gid).join('\t'), name)
      assert.equal(field('CapBnd'), '0'.repeat(16), name)
      assert.equal(field('CapEff'), '0'.repeat(16), name)
      assert.equal(field('NoNewPrivs'), '1', name)
      // Redis runs under Docker's own profile there, which this test does not have.
      assert.equal(field('Seccomp'), name === 'redis' ? '0' : '2', name)
      assert.ok(existsSync(`/proc/${pid}/root/etc/hosts`), 'the control of the next line')
      const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n')
      const root = mounts.find((line) => line.split(' ')[4] === '/')
      assert.match(root?.split(' ')[5] ?? '', /^ro\b/, `${name}: the root file system`)
    }
  })
})
