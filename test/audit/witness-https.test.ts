// A witness behind HTTPS: it gets the checkpoints of a running service with the token that the file holds, and only where its certificate is vouched for.
import assert from 'node:assert/strict'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { readJws } from '../../src/audit/jws.ts'
import {
  alternativeNames,
  basicConstraints,
  DAY,
  extendedKeyUsage,
  keyUsage,
  make,
  makeAuthority,
} from '../identity/mtls/lib/x509.ts'
import { temporary } from '../lib/process.ts'
import { serve } from '../lib/serve.ts'

const folder = temporary()
const validity = { notBefore: Date.now() - DAY, notAfter: Date.now() + DAY }
const authority = makeAuthority(validity)
const { key, pem } = make({
  issuer: authority,
  ...validity,
  extensions: [
    basicConstraints(false),
    keyUsage(0x80),
    extendedKeyUsage('serverAuth'),
    alternativeNames(['dns', 'localhost']),
  ],
})

const got: { authorization: string | undefined; body: string }[] = []
const server = createServer(
  { key: key.export({ type: 'pkcs8', format: 'pem' }), cert: pem },
  async (message, response) => {
    const body = Buffer.concat(await message.toArray()).toString()
    got.push({ authorization: message.headers.authorization, body })
    response.writeHead(204).end()
  },
)
before(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)))
after(() => {
  server.close()
  folder.remove()
})

/** The state is looked at again each time; there is an end to it. */
async function until(what: string, so: () => boolean): Promise<void> {
  const end = performance.now() + 20_000
  while (!so()) {
    if (performance.now() > end) throw new Error(`not in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const witness = (more: object = {}) => ({
  url: `https://localhost:${(server.address() as AddressInfo).port}/`,
  token: { file: folder.file('token', 'first-token\n') },
  privateNetwork: true,
  ...more,
})

test('gets each checkpoint with the token of the file as it is then', async () => {
  const ca = { file: folder.file('ca.pem', authority.pem) }
  const service = await serve({ config: { audit: { witness: witness({ ca }) } } })
  await until('the first checkpoint', () => got.length > 0)
  folder.file('token', 'second-token\n')
  service.child.kill('SIGTERM')
  await service.exit
  assert.deepEqual(
    [got[0]?.authorization, got.at(-1)?.authorization],
    ['Bearer first-token', 'Bearer second-token'],
  )
  for (const { body } of got) assert.ok(readJws(body, 'ductape-checkpoint+jwt').ok, body)
  // The first of a chain is over its first record alone.
  const first = readJws(got[0]?.body ?? '', 'ductape-checkpoint+jwt')
  assert.equal(first.ok && first.payload['size'], 1)
})

test('gets nothing where nobody vouches for its certificate, and the log says so', async () => {
  got.length = 0
  const service = await serve({ config: { audit: { witness: witness() } } })
  await until('the warning', () => service.stderr().includes('"event":"witness_failed"'))
  service.child.kill('SIGTERM')
  await service.exit
  assert.deepEqual(got, [])
})
