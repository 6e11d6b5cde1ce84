// Who may call, with real certificates through real nginx and the unix socket, and the ways around nginx that lead nowhere.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Agent } from 'undici'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { type Issuer, startIssuer } from '../identity/lib/issuer.ts'
import { EXECUTE } from './lib/calls.ts'
import {
  agentId,
  type Certificates,
  escapedOf,
  fingerprintOf,
  type KeyPair,
  makeCertificates,
  PUBLIC_URL,
} from './lib/certs.ts'
import { type Answer, agent, callTool, SOCKET_ORIGIN, socketAgent } from './lib/mtls.ts'
import { type Nginx, startNginx } from './lib/nginx.ts'
import { complete, start } from './lib/process.ts'
import { LISTENING, mtlsSection, startUnixService, type UnixService } from './lib/service.ts'
import { ROOT, unless } from './lib/tools.ts'

const DEADLINE = 15_000

describe('identity behind nginx', { skip: unless('nginx', 'openssl') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-identity-'))
  const strangerFolder = mkdtempSync(join(tmpdir(), 'ductape-mcp-stranger-'))
  const clientCa = join(folder, 'clients.crt')
  const agents: Agent[] = []
  let emulator: Emulator
  let issuer: Issuer
  let certs: Certificates
  let stranger: Certificates
  let service: UnixService
  let nginx: Nginx
  let strict: UnixService
  let strictNginx: Nginx

  before(async () => {
    chmodSync(folder, 0o755)
    emulator = await startEmulator()
    issuer = await startIssuer({ resources: [PUBLIC_URL], claims: { roles: ['agent'], org: 'acme' } })
    certs = makeCertificates(folder, 'proxy')
    stranger = makeCertificates(strangerFolder, 'stranger')
    replace(clientCa, certs.ca)
    const auth = {
      oauth: { issuers: [{ issuer: issuer.url, claims: { tenant: 'org' } }] },
      mtls: mtlsSection(clientCa),
    }
    service = await startUnixService(join(folder, 'a'), emulator.url, auth)
    nginx = await startProxy('proxy-a', service)
    strict = await startUnixService(join(folder, 'b'), emulator.url, { ...auth, require: ['mtls', 'oauth'] })
    strictNginx = await startProxy('proxy-b', strict)
  })

  after(async () => {
    await Promise.all(agents.map((one) => one.close()))
    await Promise.all([nginx?.close(), strictNginx?.close()])
    await Promise.all([service?.close(), strict?.close()])
    await Promise.all([issuer?.close(), emulator?.close()])
    for (const each of [folder, strangerFolder]) rmSync(each, { recursive: true, force: true })
  })

  /** Each nginx has a folder of its own, which is given to its user. */
  async function startProxy(name: string, behind: UnixService): Promise<Nginx> {
    const own = join(folder, name)
    const copies = makeFolder(own)
    return startNginx(own, { ...certs, ...copies }, behind.socket)
  }

  function makeFolder(own: string): Pick<Certificates, 'caFile' | 'server'> {
    mkdirSync(own)
    const copy = (from: string, to: string): string => {
      copyFileSync(from, join(own, to))
      return join(own, to)
    }
    return {
      caFile: copy(certs.caFile, 'ca.crt'),
      server: {
        certFile: copy(certs.server.certFile, 'tls.crt'),
        keyFile: copy(certs.server.keyFile, 'tls.key'),
      },
    }
  }

  const keep = (one: Agent): Agent => {
    agents.push(one)
    return one
  }
  const through = (identity: KeyPair | null, proxy: Nginx = nginx): Agent =>
    keep(agent(certs, { identity, port: proxy.port }))
  const direct = (): Agent => keep(socketAgent(service.socket))
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  const refused = (answer: Answer, status: number, code: string): void =>
    assert.deepEqual([answer.status, answer.code], [status, code], answer.text)
  /** Repeats a call until its status is no longer this one, as it is once a changed file is in force. */
  async function afterChange(call: () => Promise<Answer>, before: number): Promise<Answer> {
    const since = Date.now()
    for (;;) {
      const answer = await call()
      if (answer.status !== before || Date.now() - since > DEADLINE) return answer
    }
  }

  /** Whole or not at all, as a mounted volume changes. */
  function replace(file: string, text: string): void {
    writeFileSync(`${file}.new`, text)
    renameSync(`${file}.new`, file)
  }

  const caller = ({ requestId }: Answer) => service.callerOf(requestId)

  async function tokenFor(certificate?: KeyPair): Promise<string> {
    return issuer.clientCredentials({
      resource: PUBLIC_URL,
      ...(certificate === undefined ? {} : { certificate: certificate.cert.toString() }),
    })
  }

  describe('a client certificate alone', () => {
    test('with a SPIFFE ID: who it is stands in the record, with the tenant and roles of its row', async () => {
      const answer = await callTool(through(certs.client))
      assert.equal(answer.status, 200, answer.text)
      assert.match(answer.text, /My Product/)
      const fingerprint = fingerprintOf(certs.client)
      const { method, subject, spiffeId, certificate, peer, tenant, roles } = await caller(answer)
      assert.deepEqual(
        { method, subject, spiffeId, certificate, peer, tenant, roles },
        {
          method: 'mtls',
          subject: agentId('a1'),
          spiffeId: agentId('a1'),
          certificate: fingerprint,
          peer: fingerprint,
          tenant: 'acme',
          roles: ['agent'],
        },
      )
    })

    test('with a DNS name', async () => {
      const answer = await callTool(through(certs.issue('DNS:agent-7.example.com')))
      assert.equal(answer.status, 200, answer.text)
      assert.equal((await caller(answer))['subject'], 'agent-7.example.com')
    })

    test('that nobody has mapped, of another trust domain, or with a name that only looks like one', async () => {
      for (const names of [
        'DNS:other.example.com',
        `URI:${agentId('a1')}/deeper`,
        'URI:spiffe://other.test/ns/agents/sa/a1',
        'DNS:agent-7.example.com.evil.test',
        'email:agent-7@example.com',
      ])
        refused(await callTool(through(certs.issue(names))), 401, 'certificate_refused')
    })

    test('expired, of another authority, or for servers: nginx refuses it, and so does the service by itself', async () => {
      const bad = [
        certs.issue(`URI:${agentId('a1')}`, { days: -1 }),
        stranger.issue(`URI:${agentId('a1')}`),
        certs.issue(`URI:${agentId('a1')}`, { purpose: 'serverAuth' }),
      ]
      for (const identity of bad) {
        assert.equal((await callTool(through(identity))).status, 400)
        const answer = await callTool(direct(), { 'x-client-cert': escapedOf(identity) }, SOCKET_ORIGIN)
        refused(answer, 401, 'certificate_refused')
      }
      // The control: the same way, a good one is taken.
      const good = await callTool(direct(), { 'x-client-cert': escapedOf(certs.client) }, SOCKET_ORIGIN)
      assert.equal(good.status, 200, good.text)
    })

    test('none at all: nginx refuses it, and so does the service by itself', async () => {
      assert.equal((await callTool(through(null))).status, 400)
      refused(await callTool(direct(), {}, SOCKET_ORIGIN), 401, 'token_missing')
    })

    test('its fingerprint on the deny list ends it while the service runs, on connections that are open too', async () => {
      const doomed = certs.issue(`URI:${agentId('doomed')}`)
      const open = through(doomed)
      assert.equal((await callTool(open)).status, 200)
      service.writeLive(
        'revocations.yaml',
        `version: 1\nrevocations:\n  - { kind: fingerprint, value: "${fingerprintOf(doomed)}" }\n`,
      )
      refused(await afterChange(() => callTool(open), 200), 401, 'token_revoked')
      assert.equal((await callTool(through(certs.client))).status, 200)
    })

    test('of an authority that joins the file: taken from then on; a broken file changes nothing', async () => {
      const call = (identity: KeyPair) => () =>
        callTool(straight, { 'x-client-cert': escapedOf(identity) }, SOCKET_ORIGIN)
      const straight = direct()
      const joining = stranger.issue(`URI:${agentId('joining')}`)
      refused(await call(joining)(), 401, 'certificate_refused')
      replace(clientCa, 'broken')
      await service.process.line(/certificate_authorities_refused/)
      assert.equal((await call(certs.client)()).status, 200)
      replace(clientCa, certs.ca + stranger.ca)
      const answer = await afterChange(call(joining), 401)
      assert.equal(answer.status, 200, answer.text)
      replace(clientCa, certs.ca)
      refused(await afterChange(call(joining), 200), 401, 'certificate_refused')
      assert.equal((await call(certs.client)()).status, 200)
    })
  })

  describe('a token beside it', () => {
    test('bound to the certificate of the connection: taken with this one only (RFC 8705 3)', async () => {
      const holder = certs.issue('DNS:holder.example.com')
      const token = await tokenFor(holder)
      const answer = await callTool(through(holder), bearer(token))
      assert.equal(answer.status, 200, answer.text)
      const { method, certificate, binding } = await caller(answer)
      assert.deepEqual([method, certificate, binding], ['oauth', fingerprintOf(holder), 'mtls'])
      // "If they do not match, the request is rejected with a 401 and invalid_token."
      refused(await callTool(through(certs.client), bearer(token)), 401, 'proof_invalid')
      refused(await callTool(direct(), bearer(token), SOCKET_ORIGIN), 401, 'proof_invalid')
    })

    test('decides alone: a bad one is refused, whatever certificate came with it', async () => {
      for (const [value, status] of [
        ['Bearer nonsense', 401],
        ['Bearer', 400],
        ['Basic YTpi', 401],
        [`Bearer ${(await tokenFor()).slice(0, -4)}AAAA`, 401],
      ] as const) {
        const answer = await callTool(through(certs.client), { authorization: value })
        assert.equal(answer.status, status, `${value}: ${answer.text}`)
      }
    })

    test('a good one decides, and the certificate names the peer', async () => {
      const answer = await callTool(through(certs.client), bearer(await tokenFor()))
      assert.equal(answer.status, 200, answer.text)
      const { method, peer } = await caller(answer)
      assert.deepEqual([method, peer], ['oauth', fingerprintOf(certs.client)])
    })
  })

  describe('auth.require: [mtls, oauth]', () => {
    test('both, of one tenant', async () => {
      const both = await callTool(through(certs.client, strictNginx), bearer(await tokenFor()))
      assert.equal(both.status, 200, both.text)
    })

    test('one of them is not enough', async () => {
      refused(await callTool(through(certs.client, strictNginx)), 401, 'credential_missing')
      const unmapped = certs.issue('DNS:holder.example.com')
      refused(
        await callTool(through(unmapped, strictNginx), bearer(await tokenFor())),
        401,
        'certificate_refused',
      )
      const alone = await callTool(keep(socketAgent(strict.socket)), bearer(await tokenFor()), SOCKET_ORIGIN)
      refused(alone, 401, 'credential_missing')
    })
  })

  describe('the ways around nginx', () => {
    test('identity headers of a client are not those of nginx', async () => {
      const other = certs.issue(`URI:${agentId('admin')}`)
      for (const headers of [
        { 'x-client-cert': escapedOf(other), 'x-real-ip': '192.0.2.7' },
        { 'X-CLIENT-CERT': [escapedOf(other), escapedOf(other)] },
        { x_client_cert: escapedOf(other), 'client-cert': ':AAAA:' },
      ]) {
        const answer = await callTool(through(certs.client), headers as Record<string, string>)
        assert.equal(answer.status, 200, answer.text)
        assert.equal((await caller(answer))['subject'], agentId('a1'))
      }
    })

    test('a second certificate behind the first one is no certificate', async () => {
      const two = [escapedOf(certs.client), escapedOf(certs.issue(`URI:${agentId('b')}`))]
      refused(await callTool(direct(), { 'x-client-cert': two }, SOCKET_ORIGIN), 401, 'certificate_refused')
    })

    test('on TCP loopback the headers of nginx mean nothing', async () => {
      const own = join(folder, 'tcp.yaml')
      const live = mkdtempSync(join(folder, 'live-'))
      writeFileSync(
        own,
        JSON.stringify({
          version: 1,
          publicUrl: PUBLIC_URL,
          listen: '127.0.0.1:0',
          ops: 'off',
          live,
          backend: { url: emulator.url },
          receipts: { keys: 'boot' },
          auth: { apiKeys: {} },
        }),
      )
      const tcp = start(process.execPath, [join(ROOT, 'src/main.ts'), 'serve', '--config', own], { env: {} })
      try {
        const origin = (await tcp.line(LISTENING))[1]
        const answer = await fetch(`${origin}/v1/tools/${EXECUTE.name}`, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            'x-client-cert': escapedOf(certs.client),
            'x-real-ip': '192.0.2.7',
          },
          body: JSON.stringify(EXECUTE.arguments),
        })
        const text = await answer.text()
        assert.equal(answer.status, 401, text)
        assert.match(text, /token_missing/)
        await tcp.stop()
        assert.match(tcp.stdout(), /"peer":"127\.0\.0\.1"/)
        assert.doesNotMatch(tcp.stdout(), /192\.0\.2\.7/)
      } finally {
        await tcp.stop()
      }
    })

    test('certificates on TCP are a mistake in the configuration', async () => {
      const own = join(folder, 'mistake.yaml')
      const auth = { mtls: mtlsSection(certs.caFile) }
      writeFileSync(own, JSON.stringify({ publicUrl: PUBLIC_URL, listen: '127.0.0.1:0', ops: 'off', auth }))
      const ended = await complete(process.execPath, [join(ROOT, 'src/main.ts'), 'serve', '--config', own], {
        env: {},
      })
      assert.equal(ended.code, 2, ended.stderr)
      assert.match(ended.stderr, /auth\.mtls needs a unix socket/)
    })

    test('there is no TCP port that carries calls: a port-forward finds the probes only', async () => {
      const ports = listeningPorts(service.process.child.pid)
      assert.equal(ports.length, 1, String(ports))
      const ops = `http://127.0.0.1:${ports[0]}`
      assert.equal((await fetch(`${ops}/livez`)).status, 200)
      for (const path of ['/mcp', `/v1/tools/${EXECUTE.name}`, '/openapi.json', '/v1/admin/revocations'])
        assert.equal((await fetch(`${ops}${path}`, { method: 'POST', body: '{}' })).status, 404, path)
    })

    test('another user at the socket: refused by the kernel', { skip: unless('root') }, async () => {
      const script = `require('node:net').connect(process.argv[1])
        .on('connect', () => process.stdout.write('connected'))
        .on('error', (error) => process.stdout.write(error.code))
        .on('close', () => process.exit())`
      const child = spawn(process.execPath, ['-e', script, service.socket], {
        uid: 10_199,
        gid: 10_199,
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      const [said] = await once(child.stdout.setEncoding('utf8'), 'data')
      assert.equal(said, 'EACCES')
      // The control: the socket is alive.
      assert.equal((await callTool(direct(), {}, SOCKET_ORIGIN)).status, 401)
    })
  })
})

/** TCP ports that a process listens on, from its descriptors and the kernel's table (proc(5)). */
function listeningPorts(pid: number | undefined): number[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [/^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? '']
      } catch {
        return []
      }
    }),
  )
  const LISTEN = '0A'
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === LISTEN && inodes.has(fields[9] ?? 'none'))
      .map((fields) => Number.parseInt(String(fields[1]).split(':')[1] ?? '', 16)),
  )
}
