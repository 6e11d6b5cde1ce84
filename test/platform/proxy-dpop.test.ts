// A token bound to a key (DPoP, RFC 9449) through nginx: header and proof arrive, and the proof is about the public URL, not about the socket.
import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { exportJWK, SignJWT } from 'jose'
import type { Agent } from 'undici'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { type Issuer, newDpopKey, startIssuer } from '../identity/lib/issuer.ts'
import { EXECUTE } from './lib/calls.ts'
import { type Certificates, makeCertificates, PUBLIC_URL } from './lib/certs.ts'
import { agent, callTool } from './lib/mtls.ts'
import { NGINX_PROGRAMS, type Nginx, startNginx } from './lib/nginx.ts'
import { mtlsSection, startUnixService, type UnixService } from './lib/service.ts'
import { unless } from './lib/tools.ts'

for (const program of NGINX_PROGRAMS)
  describe(`DPoP through ${program}`, { skip: unless(program, 'openssl') }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-dpop-'))
    let emulator: Emulator
    let issuer: Issuer
    let service: UnixService
    let nginx: Nginx
    let client: Agent

    before(async () => {
      chmodSync(folder, 0o755)
      emulator = await startEmulator()
      issuer = await startIssuer({ resources: [PUBLIC_URL], claims: { roles: ['agent'], org: 'acme' } })
      const own = join(folder, 'proxy')
      mkdirSync(own)
      const certs: Certificates = makeCertificates(own, 'proxy')
      service = await startUnixService(join(folder, 'service'), emulator.url, {
        oauth: { issuers: [{ issuer: issuer.url, claims: { tenant: 'org' } }] },
        mtls: mtlsSection(certs.caFile),
      })
      nginx = await startNginx(own, certs, service.socket, { program })
      client = agent(certs, { port: nginx.port })
    })

    after(async () => {
      await client?.close()
      await nginx?.close()
      await Promise.all([service?.close(), issuer?.close(), emulator?.close()])
      rmSync(folder, { recursive: true, force: true })
    })

    test('a good proof passes once; none, a used one, two, or one for another URL do not', async () => {
      const key = await newDpopKey()
      const token = await issuer.clientCredentials({ resource: PUBLIC_URL, dpop: key })
      const jwk = await exportJWK(key.publicKey)
      const proof = (htu: string): Promise<string> =>
        new SignJWT({
          htm: 'POST',
          htu,
          ath: createHash('sha256').update(token).digest('base64url'),
          jti: randomUUID(),
        })
          .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk })
          .setIssuedAt()
          .sign(key.privateKey)
      const call = (headers: Record<string, string | string[]>) =>
        callTool(client, { authorization: `DPoP ${token}`, ...headers })
      const here = `${PUBLIC_URL}/v1/tools/${EXECUTE.name}`
      const used = await proof(here)

      const good = await call({ dpop: used })
      assert.equal(good.status, 200, good.text)
      assert.equal((await service.callerOf(good.requestId))['binding'], 'dpop')
      for (const headers of [
        {},
        { dpop: used },
        { dpop: await proof(`http://localhost/v1/tools/${EXECUTE.name}`) },
      ])
        assert.equal((await call(headers)).status, 401, JSON.stringify(headers))
      // nginx before 1.23 passes on the first, later ones join both: never is the second taken alone.
      const two = await call({ dpop: [used, await proof(here)] })
      assert.ok(two.status === 401 || two.status === 400, two.text)
    })
  })
