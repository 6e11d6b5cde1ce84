// Secrets in every value where somebody may write one: what refuses them does not repeat them, and what takes them puts them nowhere else.
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ALL_APIS, CHART, CI, CI_FILES, HELM, helm, parseItems, unlessBuilt } from '../lib/helm.ts'
import type { Item } from './lib/kubernetes.ts'
import { at, LEAST, merge, type Values } from './lib/values.ts'

const skip = unlessBuilt(HELM)
const SECRET = 'Canary-S3cr3t-0123456789'
const inUrl = (scheme: string, host: string): string => `${scheme}://user:${SECRET}@${host}`
const way = (row: string): Values => at(`networkPolicy.egress.${row}.cidrs`, ['198.51.100.0/24'])

/** The notes are shown by an install only, which asks a cluster; here they are the text of one more object. */
const NOTES = `apiVersion: v1
kind: ConfigMap
metadata: { name: notes-of-the-test }
data: { notes: {{ include "ductape-mcp/templates/NOTES.txt" . | toJson }} }
`

let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-chart-'))
  cpSync(CHART, join(folder, 'chart'), { recursive: true })
  writeFileSync(join(folder, 'chart/templates/notes-of-the-test.yaml'), NOTES)
})
after(() => rmSync(folder, { recursive: true }))

interface Answer {
  ok: boolean
  /** All that helm says. */
  said: string
  items: Item[]
}

function ask(values: Values, file?: string): Answer {
  const own = join(folder, 'values.json')
  writeFileSync(own, JSON.stringify(values))
  const { ok, stdout, stderr } = helm([
    'template',
    'ductape-mcp',
    join(folder, 'chart'),
    '--namespace=ductape',
    '--kube-version=1.34.0',
    ...ALL_APIS.map((name) => `--api-versions=${name}`),
    ...(file === undefined ? [] : ['--values', join(CI, file)]),
    '--values',
    own,
  ])
  return { ok, said: stdout + stderr, items: ok ? parseItems(stdout) : [] }
}

const asked = (path: string, value: unknown, ...more: Values[]): Answer =>
  ask([at(path, value), ...more].reduce<Values>(merge, LEAST as unknown as Values))

/** Kind, name and path of every text that holds the secret. */
function places(value: unknown, path: string): string[] {
  if (typeof value === 'string') return value.includes(SECRET) ? [path] : []
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, member]) => [
    ...(key.includes(SECRET) ? [`${path}.${key}, its name`] : []),
    ...places(member, `${path}.${key}`),
  ])
}
const placesIn = (items: readonly Item[]): string[] =>
  items.flatMap((item) => places(item, `${item.kind} ${item.metadata.name}`))

const PEM = `-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----END PRIVATE KEY-----\n`
const WITNESS = 'config.audit.witness'
const ISSUERS = 'config.auth.oauth'
const issuer = (members: object): object => ({
  issuers: [{ issuer: 'https://login.example.com', ...members }],
})
const NO_WAY_NEEDED: Values = {}

/** Path, value, what the refusal says, and what has to be there so that nothing else is refused. */
const REFUSED: readonly (readonly [path: string, value: unknown, says: RegExp, more?: Values])[] = [
  // A URL with user information, wherever the chart takes a URL.
  ['store.redis.url', inUrl('rediss', 'redis.example.com:6379'), /\/store\/redis\/url/],
  ['store.redis.url', `rediss://:${SECRET}@redis.example.com`, /\/store\/redis\/url/],
  ['store.redis.url', `rediss://redis.example.com?password=${SECRET}`, /\/store\/redis\/url/],
  ['config.backend.url', inUrl('https', 'api.ductape.app'), /\/config\/backend\/url/],
  ['config.backend.url', `https://api.ductape.app/?key=${SECRET}`, /\/config\/backend\/url/],
  ['config.publicUrl', inUrl('https', 'mcp.example.com'), /\/config\/publicUrl/],
  ['config.peopleUrl', inUrl('https', 'approvals.example.com'), /\/config\/peopleUrl/],
  ['config.outbound.proxy', inUrl('http', 'proxy.example.com:3128'), /\/config\/outbound\/proxy/],
  [`${WITNESS}.url`, inUrl('https', 'witness.example.com/a'), /\/config\/audit\/witness\/url/],
  ['config.outbound.notifications.url', inUrl('https', 'hooks.example.com/a'), /notifications\/url/],
  [ISSUERS, issuer({ issuer: inUrl('https', 'login.example.com') }), /^config has a URL/m, way('issuer')],
  [ISSUERS, issuer({ jwksUri: inUrl('https', 'login.example.com/k') }), /^config has a URL/m, way('issuer')],
  [
    'otel.OTEL_EXPORTER_OTLP_ENDPOINT',
    inUrl('http', 'otlp.example.com:4318'),
    /^otel\.\w+_ENDPOINT /m,
    way('otlp'),
  ],
  [
    'otel.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    inUrl('https', 'otlp.example.com'),
    /^otel\.\w+ /m,
    way('otlp'),
  ],
  ['global.imageRegistry', `user:${SECRET}@registry.example.com`, /\/global\/imageRegistry/],
  ['image.repository', `user:${SECRET}@registry.example.com/x`, /\/image\/repository/],
  ['networkPolicy.egress.backend.fqdns', [inUrl('https', 'api.ductape.app')], /fqdns\/0/],
  ['tlsRoute.hostnames', [`user:${SECRET}@mcp.example.com`], /hostnames\/0/],
  // Headers of the exporter.
  ...['', '_TRACES', '_METRICS', '_LOGS'].map(
    (signal) =>
      [
        `otel.OTEL_EXPORTER_OTLP${signal}_HEADERS`,
        `authorization=Bearer ${SECRET}`,
        /^otel\.OTEL_EXPORTER_OTLP\w*_HEADERS would be a secret/m,
        way('otlp'),
      ] as const,
  ),
  // The secret itself where the name of a Secret, of a key in it, or of a file is wanted.
  ['receipts.keySecret', PEM, /\/receipts\/keySecret/],
  ['receipts.key', PEM, /\/receipts\/key/],
  ['fleetKey.existingSecret', `k1 ${SECRET}=`, /\/fleetKey\/existingSecret/],
  ['fleetKey.key', `k1 ${SECRET}=`, /\/fleetKey\/key/],
  ['store.secret.existingSecret', SECRET, /\/store\/secret\/existingSecret/],
  ['store.secret.passwordKey', `${SECRET}!`, /\/store\/secret\/passwordKey/],
  ['store.redis.username', `user ${SECRET}`, /\/store\/redis\/username/],
  ['live.keysSecret', `dmcp_${SECRET}`, /\/live\/keysSecret/],
  ['test.tokenSecret', `Bearer ${SECRET}`, /\/test\/tokenSecret/],
  ['tls.existingSecret', PEM, /\/tls\/existingSecret/],
  ['global.imagePullSecrets', [SECRET], /imagePullSecrets\/0/],
  ['secrets', { hooks: { existingSecret: SECRET } }, /\/secrets\/hooks\/existingSecret/],
  ['secrets', { hooks: SECRET }, /\/secrets\/hooks/],
  [`${WITNESS}.token`, SECRET, /\/config\/audit\/witness\/token/],
  [
    WITNESS,
    { url: 'https://witness.example.com', token: { file: SECRET } },
    /^config names a file /m,
    way('witness'),
  ],
  [WITNESS, { url: 'https://witness.example.com', token: { file: PEM } }, /witness/, way('witness')],
  // Keys that a chart often has and this one does not.
  ['env', [{ name: 'API_KEY', value: SECRET }], /'env'/],
  ['extraEnv', [{ name: 'API_KEY', value: SECRET }], /'extraEnv'/],
  ['otel', { API_KEY: SECRET }, /API_KEY/],
  ['store.redis.password', SECRET, /'password'/],
  ['store.secret.password', SECRET, /'password'/],
  ['config.store', { redis: { url: inUrl('rediss', 'redis.example.com') } }, /'store'/],
  ['config.keys', { fleet: SECRET }, /'keys'/],
  ['config.receipts', { keys: SECRET }, /'receipts'/],
  ['config.backend.publishableKey', SECRET, /'publishableKey'/],
  [ISSUERS, issuer({ clientSecret: SECRET }), /'clientSecret'/, way('issuer')],
  ['receipts.keyPem', PEM, /'keyPem'/],
  ['tls.key', PEM, /'key'/],
  ['live.keys', [SECRET], /'keys'/],
  // Where something else is wanted.
  ['replicas', SECRET, /\/replicas/],
  ['proxy.rate', SECRET, /\/proxy\/rate/],
  ['seccomp.type', SECRET, /\/seccomp\/type/],
  ['config.telemetry.log.level', SECRET, /\/config\/telemetry\/log\/level/],
  ['live.policy', { roles: { r: { allow: [{ tool: 'a', approval: SECRET }] } } }, /approval/],
]

test('what refuses a value names its place and does not repeat it', { skip }, async (t) => {
  for (const [path, value, says, more = NO_WAY_NEEDED] of REFUSED)
    await t.test(`${path}: ${JSON.stringify(value).slice(0, 70)}`, () => {
      const { ok, said } = asked(path, value, more)
      assert.ok(!ok, 'it was accepted')
      assert.ok(!said.includes(SECRET), said)
      assert.match(said, says)
    })
  // The search finds what is there: helm names keys that it does not know.
  assert.ok(asked(SECRET, 1).said.includes(SECRET))
})

/** Texts of the operator's own, which everybody reads who may read these objects: docs/operate/install.md says so. */
const TAKEN: readonly (readonly [path: string, value: unknown, where: readonly RegExp[], more?: Values])[] = [
  [
    WITNESS,
    { url: `https://witness.example.com/a?token=${SECRET}` },
    [/^ConfigMap .*config\.yaml$/],
    way('witness'),
  ],
  [
    'config.outbound.notifications',
    { url: `https://hooks.example.com/${SECRET}` },
    [/^ConfigMap .*config\.yaml$/],
    way('notifications'),
  ],
  ['live.policy.roles', { r: { allow: [{ tool: SECRET }] } }, [/^ConfigMap .*policy\.yaml$/]],
  [
    'live.kill',
    { version: 1, kill: [{ kind: 'tenant', value: 'a', reason: SECRET }] },
    [/^ConfigMap .*kill\.yaml$/],
  ],
  ['pod.annotations', { note: SECRET }, [/^Deployment .*template\.metadata\.annotations\.note$/]],
  ['pod.labels', { note: SECRET }, [/^Deployment .*template\.metadata\.labels\.note$/]],
  ['service.annotations', { note: SECRET }, [/^Service .*metadata\.annotations\.note$/]],
  [
    'otel.OTEL_RESOURCE_ATTRIBUTES',
    `note=${SECRET}`,
    [/^Deployment .*containers\.\d\.env\.\d+\.value$/],
    way('otlp'),
  ],
]

test('what takes a text puts it there, and neither elsewhere nor into the notes', { skip }, async (t) => {
  for (const [path, value, where, more = NO_WAY_NEEDED] of TAKEN)
    await t.test(path, () => {
      const { ok, said, items } = asked(path, value, more)
      assert.ok(ok, said)
      const found = placesIn(items)
      assert.equal(found.length, where.length, found.join('\n'))
      for (const [n, pattern] of where.entries()) assert.match(found[n] ?? '', pattern)
    })
})

test('no rendering holds a Secret, or a value where a key belongs', { skip }, async (t) => {
  for (const file of CI_FILES)
    await t.test(file, () => {
      const { ok, said, items } = ask({}, file)
      assert.ok(ok, said)
      assert.ok(items.some(({ metadata }) => metadata.name === 'notes-of-the-test'))
      assert.deepEqual(
        items.filter(({ kind }) => kind === 'Secret'),
        [],
      )
      assert.doesNotMatch(
        said,
        /BEGIN [A-Z ]*PRIVATE KEY|dmcp_[0-9A-Za-z]{49}|\b[dp]k_(?:live|test)_|:\/\/[^/\s"]*:[^/\s"@]*@/,
      )
    })
})
