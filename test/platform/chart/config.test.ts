// What the chart puts into its ConfigMaps is what the service and nginx take: config.yaml, the files of live/, nginx.conf.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConditionsFor } from '../../../src/admission/policy/index.ts'
import { configCommand } from '../../../src/config/command.ts'
import { LIVE_FILES } from '../../../src/config/index.ts'
import { parseLive } from '../../../src/config/live.ts'
import { type Certificates, makeCertificates } from '../lib/certs.ts'
import { CI, CI_FILES, HELM, rendered, unlessBuilt } from '../lib/helm.ts'
import { complete } from '../lib/process.ts'
import { path, unless } from '../lib/tools.ts'
import { configMap, type Item } from './lib/kubernetes.ts'
import { least } from './lib/values.ts'

const skip = unlessBuilt(HELM)
const FILES: readonly (readonly [name: string, items: Item[]])[] =
  skip === false
    ? [
        ['least', rendered(least())],
        ...CI_FILES.map((name) => [name, rendered({ files: [join(CI, name)] })] as const),
      ]
    : []

async function check(text: string): Promise<{ code: number; said: string }> {
  let said = ''
  const write = (more: string): void => {
    said += more
  }
  const code = await configCommand(['check', '/etc/ductape-mcp/config.yaml'], {
    out: write,
    err: write,
    env: {},
    readFile: () => text,
  })
  return { code, said }
}

for (const [name, items] of FILES) {
  test(`${name}: ductape-mcp config check takes the rendered config.yaml without a warning`, async () => {
    const text = configMap(items, 'config.yaml').data['config.yaml'] ?? ''
    const { code, said } = await check(text)
    assert.equal(code, 0, `${said}\n${text}`)
    const socket = /^listen: unix:(\/run\/ductape-mcp\/\S+\.sock)$/m.exec(text)?.[1]
    const nginx = configMap(items, 'nginx.conf').data['nginx.conf'] ?? ''
    assert.match(
      nginx,
      new RegExp(`^\\s*server unix:${socket};$`, 'm'),
      'nginx asks the socket that the service makes',
    )
    assert.match(text, /^ops: 0\.0\.0\.0:9464$/m)
    assert.match(text, /^live: \/etc\/ductape-mcp\/live$/m)
    const wrong = await check(text.replace('version: 1', 'version: 1\nnobody: knows'))
    assert.equal(wrong.code, 2, wrong.said)
  })
  test(`${name}: the service takes every rendered file of live/`, async () => {
    const live = items.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.endsWith('-live'))
    const isElsewhere = items.length > 0 && live === undefined
    assert.equal(isElsewhere, name.startsWith('live-existing'))
    for (const [file, text] of Object.entries(live?.data ?? {})) {
      const known = LIVE_FILES.find((one) => one === file)
      assert.ok(known !== undefined, file)
      await loadConditionsFor(text)
      const result = parseLive(known, text, file)
      assert.ok(result.ok, result.ok ? '' : JSON.stringify(result.problems))
    }
  })
}

/** The paths of the image, moved into a folder of this test; every file that nginx opens at a test lies there. */
function moved(text: string, folder: string, certs: Certificates): string {
  const crl = join(folder, 'crl.pem')
  writeFileSync(crl, certs.revocationList([]))
  const places: readonly (readonly [string, string])[] = [
    ['/etc/nginx/tls/tls.crt', certs.server.certFile],
    ['/etc/nginx/tls/tls.key', certs.server.keyFile],
    ['/etc/nginx/client-ca/ca.crt', certs.caFile],
    ['/run/ductape-mcp/', `${folder}/`],
    ['/tmp/nginx', folder],
    ['/dev/stdout', `${folder}/access.log`],
  ]
  return places
    .reduce((all, [from, to]) => {
      assert.ok(all.includes(from), from)
      return all.replaceAll(from, to)
    }, text)
    .replaceAll('/etc/nginx/crl/crl.pem', crl)
}

test('nginx -t takes the rendered nginx.conf, and not a broken one', {
  skip: skip || unless('nginx', 'openssl'),
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'chart-nginx-'))
  try {
    mkdirSync(join(folder, 'certs'))
    const certs = makeCertificates(join(folder, 'certs'), 'mcp.example.test')
    const texts = new Set(FILES.map(([, items]) => configMap(items, 'nginx.conf').data['nginx.conf'] ?? ''))
    assert.ok(
      [...texts].some((text) => /^\s*ssl_crl \//m.test(text)),
      'one file of ci/ has a revocation list',
    )
    assert.ok(
      [...texts].some((text) => !/^\s*ssl_crl/m.test(text)),
      'one file of ci/ has none',
    )
    for (const text of texts) {
      // Comments of the template name its variables.
      assert.doesNotMatch(text.replace(/^\s*#.*$/gm, ''), /\$\{/)
      // Debian's nginx is older than this directive.
      const own = moved(text, folder, certs).replace(/^\s*keepalive_min_timeout .*\n/m, '')
      for (const [config, code] of [
        [own, 0],
        [own.replace('worker_processes', 'workers'), 1],
      ] as const) {
        const file = join(folder, 'nginx.conf')
        writeFileSync(file, config)
        const result = await complete(path('nginx'), ['-t', '-q', '-e', 'stderr', '-p', folder, '-c', file])
        assert.equal(result.code, code, result.stderr)
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
