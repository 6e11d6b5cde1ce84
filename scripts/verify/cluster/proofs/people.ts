// People and the brake: an approval goes from replica to replica, the kill switch reaches all of them.
import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { join } from 'node:path'
import { ROOT } from '../../../cluster/lib/paths.ts'
import { must } from '../../../cluster/lib/wait.ts'
import { apply, inNamespace, kubectl, serverPods } from '../lib/kube.ts'
import { failed, underLoad } from '../lib/load.ts'
import { type Context, check, type Proof } from '../lib/proof.ts'
import { collectRecords, oldest, publishedKeys, verifyRecords } from '../lib/records.ts'
import { REPLICAS, settled, upgrade, type Values } from '../lib/release.ts'
import { OUTSIDE, probe, probePod, secret, URL, untilAll } from '../lib/setup.ts'

const PEOPLE_HOST = 'approvals.example.test'
const PEOPLE_URL = `https://${PEOPLE_HOST}`
const ISSUER_HOST = `issuer.${OUTSIDE}.svc.cluster.local`
const ISSUER = `https://${ISSUER_HOST}:8443`
const CLIENT = 'approvals'
/** What the issue promises of the kill switch. */
const KILL_SECONDS = 5

/** An issuer that publishes one key, the certificates of it and of the people's server, and a pod of somebody without a client certificate. */
async function setUpPeople(context: Context): Promise<KeyObject> {
  const folder = join(context.folder, 'people')
  await must(join(ROOT, 'scripts/certs'), [folder, '--host', PEOPLE_HOST, '--host', ISSUER_HOST])
  const pair = { 'tls.crt': join(folder, 'tls/tls.crt'), 'tls.key': join(folder, 'tls/tls.key') }
  const ca = { 'ca.crt': join(folder, 'ca/ca.crt') }
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = { ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256', use: 'sig' }
  const metadata = {
    issuer: ISSUER,
    jwks_uri: `${ISSUER}/jwks`,
    authorization_endpoint: `${ISSUER}/authorize`,
    token_endpoint: `${ISSUER}/token`,
  }
  const serve = ['issuer', '8443', '/tls', JSON.stringify(metadata), JSON.stringify({ keys: [key] })]
  await apply(
    [
      secret('issuer-tls', pair),
      probePod('issuer', { app: 'issuer' }, context, serve, 'issuer-tls'),
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'issuer' },
        spec: { selector: { app: 'issuer' }, ports: [{ port: 8443 }] },
      },
    ],
    OUTSIDE,
  )
  await apply([
    secret('people-tls', pair),
    secret('people-ca', ca),
    probePod('approver', { app: 'approver' }, context, undefined, 'people-ca'),
  ])
  await kubectl(['-n', OUTSIDE, 'wait', '--for=condition=Ready', 'pod/issuer', '--timeout=60s'])
  await inNamespace(['wait', '--for=condition=Ready', 'pod/approver', '--timeout=60s'])
  return privateKey
}

const valuesFor: Values = {
  config: {
    peopleUrl: PEOPLE_URL,
    auth: {
      people: {
        issuer: ISSUER,
        clientId: CLIENT,
        tenant: 'tryout',
        privateNetwork: true,
        ca: { file: '/etc/ductape-mcp/secrets/issuer/ca.crt' },
      },
    },
  },
  secrets: { issuer: { existingSecret: 'people-ca' } },
  people: { tls: { existingSecret: 'people-tls' } },
  live: {
    policy: {
      version: 1,
      roles: {
        tryout: { allow: [{ name: 'asked', tool: 'ductape_*', effect: 'read', approval: 'confirm' }] },
      },
    },
  },
  networkPolicy: {
    ingress: { peopleFrom: [{ podLabels: { app: 'approver' } }] },
    egress: {
      issuer: {
        ports: [8443],
        pods: [{ podLabels: { app: 'issuer' }, namespaceLabels: { 'kubernetes.io/metadata.name': OUTSIDE } }],
      },
    },
  },
}

/** An access token as the issuer would sign it for somebody at the approval page (RFC 9068). */
function tokenOf(subject: string, key: KeyObject, over: object = {}): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1_000)
  const claims = {
    iss: ISSUER,
    sub: subject,
    aud: PEOPLE_URL,
    client_id: CLIENT,
    scope: 'ductape:approve',
    jti: randomUUID(),
    iat: now,
    exp: now + 600,
    ...over,
  }
  const text = `${part({ alg: 'ES256', typ: 'at+jwt', kid: 'k1' })}.${part(claims)}`
  const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' })
  return `${text}.${signature.toString('base64url')}`
}

interface Answer {
  readonly status: number
  readonly code: string
  readonly body: string
}

async function ask(pod: string, url: string, target: object): Promise<Answer> {
  const [answer] = await probe(pod, ['ask', url, '/tls', JSON.stringify(target)])
  return answer as unknown as Answer
}
const callAt = (host: string): Promise<Answer> => ask('agent', URL, { address: { host, port: 8443 } })
const peopleAt = (host: string, token: string, target: object): Promise<Answer> =>
  ask('approver', PEOPLE_URL, {
    address: { host, port: 8444 },
    headers: { authorization: `Bearer ${token}` },
    ...target,
  })
/** Each of the two ports is open to its own kind of caller alone. */
async function doors(host: string): Promise<void> {
  for (const [pod, own, other] of [
    ['agent', 8443, 8444],
    ['approver', 8444, 8443],
  ] as const) {
    const [seen = {}] = await probe(pod, ['connect', `${host}:${own}`, `${host}:${other}`])
    check(seen[`${host}:${own}`] === 'open', `${pod} to ${own}: ${seen[`${host}:${own}`]}`)
    check(seen[`${host}:${other}`] !== 'open', `${other} is open to ${pod}`)
  }
}

const said = ({ status, code, body }: Answer): string => `${status} ${code} ${body.slice(0, 300)}`

export const approvals: Proof = {
  name: 'approvals',
  what: 'An approval is asked for on one replica, given on another by a person who signed in, and used on a third, once',
  run: async (context) => {
    const key = await setUpPeople(context)
    const on = await upgrade(context, valuesFor)
    check(on.code === 0, on.stderr)
    await settled()
    const [first = '', second = '', third = ''] = (await serverPods()).map(({ status }) => status.podIP ?? '')
    check(new Set([first, second, third]).size === REPLICAS, 'there are no three replicas')
    await doors(first)
    const asked = await callAt(first)
    check(asked.code === 'approval_required', `the first call: ${said(asked)}`)
    const { id, url } = (JSON.parse(asked.body) as { approval: { id: string; url: string } }).approval
    check(url.startsWith(`${PEOPLE_URL}/approvals`), `its address is ${url}`)
    const path = `/v1/approvals/${id}`
    const approve = {
      method: 'POST',
      path,
      body: JSON.stringify({ decision: 'approve', reason: 'verified' }),
    }
    const early = await callAt(third)
    check(early.code === 'approval_required', `before anybody has approved: ${said(early)}`)
    // Not with any token, not on the agents' server.
    const token = tokenOf('alice', key)
    for (const wrong of [
      tokenOf('alice', key, { scope: 'openid' }),
      tokenOf('alice', key, { aud: URL }),
      tokenOf('alice', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
    ]) {
      const refused = await peopleAt(second, wrong, approve)
      check(refused.status === 401 || refused.status === 403, `with a wrong token: ${said(refused)}`)
    }
    const elsewhere = await ask('agent', URL, { ...approve, address: { host: second, port: 8443 } })
    check(elsewhere.status === 404, `on the agents' server: ${said(elsewhere)}`)
    const page = await peopleAt(second, token, { method: 'GET', path: '/approvals' })
    check(page.status === 200 && page.body.includes('<html'), `the page: ${said(page)}`)

    const given = await peopleAt(second, token, approve)
    check(given.status === 200, `the decision: ${said(given)}`)
    const used = await callAt(third)
    check(used.code === 'ok', `the approved call: ${said(used)}`)
    const again = await callAt(first)
    check(again.code === 'approval_required', `the same call once more: ${said(again)}`)
    const next = (JSON.parse(again.body) as { approval: { id: string } }).approval.id
    check(next !== id, 'a used approval is asked for again under its old name')
    const [keys = ''] = await publishedKeys()
    const records = await verifyRecords(context, await collectRecords(), { keys, from: await oldest() })
    check(records.code === 0, `audit verify: ${records.said}`)
    const off = await upgrade(context)
    check(off.code === 0, off.stderr)
    await settled()
    return {
      figure:
        'asked on the first, given on the second, used on the third; a second use, a token without the scope, of another audience or another key, and the server of the agents are refused; the records of the three verify together',
    }
  },
}

export const kill: Proof = {
  name: 'kill',
  what: 'The kill switch is obeyed by all replicas, and undone the same way',
  run: async () => {
    const order = async (action: 'off' | 'on'): Promise<number> => {
      const body = JSON.stringify({ action, kind: 'tool', value: 'ductape_execute', reason: 'drill' })
      const started = performance.now()
      const [answer] = await probe('warden', ['post', URL, '/tls', '/v1/admin/kill', body])
      check(answer?.['code'] === 'ok', `the order ${action}: ${JSON.stringify(answer)}`)
      await untilAll('agent', action === 'off' ? 'killed' : 'ok', 30)
      return (performance.now() - started) / 1_000
    }
    const [refused] = await probe('agent', [
      ...['post', URL, '/tls', '/v1/admin/kill'],
      JSON.stringify({ action: 'off', kind: 'everything', reason: 'x' }),
    ])
    check(refused?.['status'] === 403, `without the scope: ${JSON.stringify(refused)}`)
    let off = 0
    let on = 0
    const load = await underLoad(20, async () => {
      off = await order('off')
      on = await order('on')
    })
    const others = failed(load) - (load.codes['killed'] ?? 0)
    const records = (await collectRecords()).flatMap(({ lines }) => lines)
    const orders = records.filter((line) => line.includes('"action":"kill'))
    check(orders.length >= 2, 'the orders are not in the records')
    const bound = (what: string, measured: number) =>
      ({ what, measured, bound: KILL_SECONDS, kind: 'ceiling', unit: 's' }) as const
    return {
      figure: `off after ${off.toFixed(1)} s, on again after ${on.toFixed(1)} s, with the time of two kubectl calls in it; ${load.sent} calls meanwhile, ${load.codes['killed'] ?? 0} refused, ${others} failed otherwise`,
      bounds: [
        bound('the kill switch obeyed by all replicas', off),
        bound('and undone', on),
        { what: 'calls that failed otherwise meanwhile', measured: others, bound: 0, kind: 'ceiling' },
      ],
    }
  },
}
