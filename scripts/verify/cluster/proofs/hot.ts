// What changes without a rollout: policy and revocations reach every replica in the promised time, certificates rotate under calls.
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { until } from '../../../cluster/lib/wait.ts'
import { apply, kubectl, serverPods } from '../lib/kube.ts'
import { failed, underLoad } from '../lib/load.ts'
import { type Context, check, type Outcome, type Proof } from '../lib/proof.ts'
import { settled, upgrade } from '../lib/release.ts'
import {
  addresses,
  at,
  certs,
  HOST,
  MONITORING,
  OUTSIDE,
  probe,
  secret,
  URL,
  untilAll,
} from '../lib/setup.ts'

/** The kubelet brings a changed volume within its sync period and a cache's time, about 90 s; ours is 2 s on top (docs/operate/policy.md). */
const VOLUME_SECONDS = 120
const STORE_SECONDS = 5

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`

export const policy: Proof = {
  name: 'policy',
  what: 'A changed policy is seen by all replicas without a rollout, and back again',
  run: async (context) => {
    const before = (await serverPods()).map(({ metadata }) => metadata.uid).sort()
    const roles = { tryout: { deny: [{ name: 'closed', tool: '*' }] } }
    const closed = await upgrade(context, { live: { policy: { version: 1, roles } } }, { wait: false })
    check(closed.code === 0, closed.stderr)
    const shut = await untilAll('agent', 'policy_denied', VOLUME_SECONDS)
    const opened = await upgrade(context, {}, { wait: false })
    check(opened.code === 0, opened.stderr)
    const open = await untilAll('agent', 'ok', VOLUME_SECONDS)
    const after = (await serverPods()).map(({ metadata }) => metadata.uid).sort()
    check(before.join() === after.join(), 'the change of live/ was a rollout')
    return {
      figure: `closed after ${seconds(shut)}, open again after ${seconds(open)}, the same pods`,
      bounds: [
        {
          what: 'a policy change seen by all replicas',
          measured: Math.max(shut, open) / 1_000,
          bound: VOLUME_SECONDS,
          kind: 'ceiling',
          unit: 's',
        },
      ],
    }
  },
}

export const revocation: Proof = {
  name: 'revocation',
  what: 'A revocation is seen by all replicas: through the store in seconds, through live/revocations.yaml as the kubelet brings it',
  run: async (context) => {
    const fingerprint = (name: string): string =>
      createHash('sha256')
        .update(new X509Certificate(readFileSync(at(context.folder, 'clients', name, 'tls.crt'))).raw)
        .digest('hex')
    await untilAll('revoked-in-store', 'ok', 30)
    const body = JSON.stringify({
      kind: 'fingerprint',
      value: fingerprint('revoked-in-store'),
      until: new Date(Date.now() + 3_600_000).toISOString(),
    })
    const started = performance.now()
    const [posted] = await probe('warden', ['post', URL, '/tls', '/v1/admin/revocations', body])
    check(posted?.['code'] === 'ok', `the revocation was refused: ${JSON.stringify(posted)}`)
    await untilAll('revoked-in-store', 'token_revoked', 30)
    const store = performance.now() - started
    const live = {
      revocations: {
        version: 1,
        revocations: [{ kind: 'fingerprint', value: fingerprint('revoked-in-file') }],
      },
    }
    const changed = await upgrade(context, { live }, { wait: false })
    check(changed.code === 0, changed.stderr)
    const file = await untilAll('revoked-in-file', 'token_revoked', VOLUME_SECONDS)
    return {
      figure: `store: ${seconds(store)}, with the time of two kubectl calls in it; file: ${seconds(file)}`,
      bounds: [
        {
          what: 'a revocation in the store seen by all replicas',
          measured: store / 1_000,
          bound: STORE_SECONDS,
          kind: 'ceiling',
          unit: 's',
        },
        {
          what: 'a revocation in the file seen by all replicas',
          measured: file / 1_000,
          bound: VOLUME_SECONDS,
          kind: 'ceiling',
          unit: 's',
        },
      ],
    }
  },
}

async function rotate(context: Context): Promise<Outcome> {
  const { folder } = context
  const before = (await serverPods()).map(({ metadata }) => metadata.uid).sort()
  let server = 0
  let list = 0
  const load = await underLoad(20, async () => {
    await certs(folder, 'server', '--host', HOST, '--host', 'localhost')
    await certs(folder, 'revoke', 'revoked-by-crl')
    const wanted = new X509Certificate(readFileSync(at(folder, 'tls/tls.crt'))).fingerprint256
    await apply([
      secret('server-tls', { 'tls.crt': at(folder, 'tls/tls.crt'), 'tls.key': at(folder, 'tls/tls.key') }),
      secret('client-crl', { 'crl.pem': at(folder, 'crl/crl.pem') }),
    ])
    const started = performance.now()
    const hosts = await addresses()
    while (performance.now() - started < VOLUME_SECONDS * 1_000) {
      const [seen = {}] = await probe('agent', ['certificates', URL, '/tls', ...hosts])
      if (Object.values(seen).every((fingerprint) => fingerprint === wanted)) {
        server = performance.now() - started
        break
      }
    }
    check(server > 0, `not all pods show the new certificate after ${VOLUME_SECONDS} s`)
    list = server + (await untilAll('revoked-by-crl', 'http 400', VOLUME_SECONDS))
  })
  const after = (await serverPods()).map(({ metadata }) => metadata.uid).sort()
  check(before.join() === after.join(), 'the rotation was a rollout')
  return {
    figure: `new server certificate in all pods after ${seconds(server)}, revoked client refused after ${seconds(list)}; ${load.sent} calls, ${failed(load)} failed`,
    bounds: [
      {
        what: 'calls that failed in a certificate rotation',
        measured: failed(load),
        bound: 0,
        kind: 'ceiling',
      },
    ],
  }
}

export const certificates: Proof = {
  name: 'certificates',
  what: 'A new server certificate and a new revocation list under constant calls, without a rollout',
  run: rotate,
}

/** Seconds until every pod says so of the store. */
async function untilStoreIs(value: '0' | '1', limit: number): Promise<number> {
  const started = performance.now()
  const hosts = await addresses()
  await until(`ductape_mcp_store_available ${value} in all pods`, limit, async () => {
    const [seen = {}] = await probe(
      'scraper',
      ['metric', 'ductape_mcp_store_available', ...hosts],
      MONITORING,
    )
    return Object.values(seen).every((one) => one === value) ? true : undefined
  })
  return (performance.now() - started) / 1_000
}

export const redis: Proof = {
  name: 'redis',
  what: 'The store is lost and comes back under constant calls, and every replica notices both',
  run: async () => {
    const outside = ['-n', OUTSIDE]
    let lost = 0
    let back = 0
    const load = await underLoad(20, async () => {
      await untilStoreIs('1', 30)
      await kubectl([...outside, 'scale', 'deployment/redis', '--replicas=0'])
      await kubectl([...outside, 'wait', '--for=delete', 'pod', '-l', 'app=redis', '--timeout=60s'])
      lost = await untilStoreIs('0', 60)
      await untilAll('agent', 'ok', 30)
      await kubectl([...outside, 'scale', 'deployment/redis', '--replicas=1'])
      await kubectl([...outside, 'rollout', 'status', 'deployment/redis', '--timeout=90s'])
      back = await untilStoreIs('1', 90)
      await untilAll('agent', 'ok', 30)
    })
    await settled()
    return {
      figure: `noticed after ${lost.toFixed(1)} s, used again ${back.toFixed(1)} s after its return; ${load.sent} calls, ${failed(load)} failed, p99 ${load.p99} ms`,
      bounds: [
        {
          what: 'calls that failed while the store was lost',
          measured: failed(load),
          bound: 0,
          kind: 'ceiling',
        },
      ],
    }
  },
}
