// The images as they are built: what they hold and say, how large they are, and that a second build gives the same layers.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { build } from '../../scripts/build.ts'
import { entrypoint } from '../../scripts/image/entrypoint.ts'
import { type Image, type ImageBuilder, imageBuilder } from './lib/image.ts'
import { sharedFolder } from './lib/nginx.ts'
import * as oci from './lib/oci.ts'
import { ROOT, unless } from './lib/tools.ts'

const MAX_OWN_BYTES = 6_000_000
const NAME = 'localhost/ductape-mcp'

describe('the images', { skip: unless('root', 'buildah', 'runc', 'tar') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-image-'))
  const files = join(folder, 'files')
  let builder: ImageBuilder
  let release: Image

  before(async () => {
    builder = await imageBuilder(join(folder, 'images'))
    const labels = ['VERSION=1.2.3', 'REVISION=abc', 'MCP_SERVER_NAME=com.example/ductape']
    release = await builder.build(
      'release',
      `${NAME}:1`,
      labels.flatMap((label) => ['--build-arg', label]),
    )
    await release.unpack(files)
  })

  after(async () => {
    await builder?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Paths of all files below a folder of the image, or of another one. */
  const list = (root: string): string[] =>
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((name) => lstatSync(join(root, name)).isFile())
      .sort()

  test('it runs as 10001, with the flags of the Dockerfile, and says what it is', () => {
    const { User, WorkingDir, Entrypoint, Cmd, Env, ExposedPorts, Labels, Healthcheck } = release.config
    assert.deepEqual([User, WorkingDir, Cmd], ['10001:10001', '/app', ['serve']])
    assert.deepEqual(Entrypoint, entrypoint())
    assert.ok(Env.includes('DUCTAPE_MCP_CONFIG=/etc/ductape-mcp/config.yaml'))
    assert.deepEqual(Object.keys(ExposedPorts), ['3001/tcp'])
    assert.equal(Labels['org.opencontainers.image.version'], '1.2.3')
    assert.equal(Labels['org.opencontainers.image.revision'], 'abc')
    assert.equal(Labels['org.opencontainers.image.licenses'], 'Apache-2.0')
    assert.match(Labels['org.opencontainers.image.base.name'] ?? '', /^localhost\/stand-in\/runtime/)
    assert.equal(Labels['io.modelcontextprotocol.server.name'], 'com.example/ductape')
    const [kind, ...command] = Healthcheck?.Test ?? []
    assert.deepEqual([kind, command.at(-1), command[0]], ['CMD', 'health', Entrypoint[0]])
    // Nothing that the service itself may not do, and nothing that it has no use for.
    for (const flag of command.slice(1, -2)) assert.ok(Entrypoint.includes(flag), flag)
    const second = 1_000_000_000
    assert.deepEqual(
      [Healthcheck?.Interval, Healthcheck?.Timeout, Healthcheck?.Retries],
      [30 * second, 5 * second, 3],
    )
  })

  test('its own layers hold /app and nothing else: the bundle of the sources, notices, licence, bills of materials', async () => {
    const { entry } = await build(join(folder, 'bundle'))
    assert.ok(entry.startsWith(folder))
    const own = list(join(files, 'app')).filter((name) => !name.startsWith('cache/'))
    const bundle = list(join(folder, 'bundle')).filter((name) => !name.endsWith('.map'))
    const more = ['LICENSE', 'sbom/ductape-mcp.cdx.json', 'sbom/ductape-mcp.spdx.json']
    assert.deepEqual(own, [...bundle, ...more].sort())
    for (const name of bundle)
      assert.ok(
        readFileSync(join(files, 'app', name)).equals(readFileSync(join(folder, 'bundle', name))),
        `${name} is not what the sources give`,
      )
    for (const layer of release.layers.slice(builder.baseLayers))
      for (const name of execFileSync('tar', ['--list', '--gzip', '--file', layer.file], { encoding: 'utf8' })
        .trim()
        .split('\n'))
        if (name !== '') assert.match(name, /^app\//)
  })

  test('nobody may write to a file of it, everybody may read it, and there is no shell, npm or other program', () => {
    for (const name of readdirSync(join(files, 'app'), { recursive: true, encoding: 'utf8' })) {
      const { mode, uid, gid } = lstatSync(join(files, 'app', name))
      assert.deepEqual([uid, gid], [0, 0], name)
      // OpenShift: another user, in group 0, which may what the owner may.
      assert.equal((mode >> 3) & 0o5, (mode >> 6) & 0o5, name)
      assert.equal(mode & 0o444, 0o444, name)
      if (!name.startsWith('cache')) assert.equal(mode & 0o222, 0, name)
    }
    const programs = list(files).filter((name) =>
      /(^|\/)(sh|dash|bash|busybox|npm|npx|env)$|node_modules/.test(name),
    )
    assert.deepEqual(programs, [])
  })

  test('the layers on top of the base are at most 6 MB compressed', (t) => {
    const own = release.layers.slice(builder.baseLayers).map(({ bytes }) => bytes)
    const total = own.reduce((sum, bytes) => sum + bytes, 0)
    t.diagnostic(`${own.join(' + ')} bytes`)
    assert.ok(own.length >= 2 && total > 500_000 && total <= MAX_OWN_BYTES, String(total))
  })

  test('a second build gives the same layers but the last, which holds V8’s code alone', async () => {
    const again = await builder.build('release', `${NAME}:2`, ['--no-cache'])
    const ids = ({ layers }: Image): string[] => layers.map(({ diffId }) => diffId)
    assert.deepEqual(ids(again).slice(0, -1), ids(release).slice(0, -1))
    const names = execFileSync('tar', ['--list', '--gzip', '--file', again.layers.at(-1)?.file ?? ''], {
      encoding: 'utf8',
    })
    assert.deepEqual(
      [
        ...new Set(
          names
            .trim()
            .split('\n')
            .map((name) => name.split('/').slice(0, 2).join('/')),
        ),
      ].sort(),
      ['app/', 'app/cache'],
    )
  })

  test('the release has no code of the emulator; the target `emulator` has, and answers', async () => {
    const marks = /pk_demo_|req_fault/
    const bundled = (root: string): string[] => list(root).filter((name) => /^app\/.*\.m?js$/.test(name))
    for (const name of bundled(files))
      assert.doesNotMatch(readFileSync(join(files, name), 'utf8'), marks, name)

    const emulator = await builder.build('emulator', 'localhost/ductape-mcp-emulator:1')
    const root = join(folder, 'emulator')
    await emulator.unpack(root)
    assert.ok(bundled(root).some((name) => marks.test(readFileSync(join(root, name), 'utf8'))))
    const [command, ...rest] = emulator.config.Cmd
    assert.deepEqual([command, rest[0]], ['emulator', '--port'])
    oci.mountPoints(root)
    const configDir = join(folder, 'empty')
    mkdirSync(configDir)
    const container = oci.runContainer({
      rootfs: root,
      folder,
      configDir,
      runDir: sharedFolder(join(folder, 'run'), oci.UID),
      args: [...emulator.config.Entrypoint, 'emulator', '--port', '0'],
      env: emulator.config.Env,
      seccomp: oci.seccompProfile(),
    })
    try {
      const [, url] = await container.line(/listening on (http:\/\/127\.0\.0\.1:\d+)/)
      const answer = await fetch(`${url}/proxy/v1/sdk-proxy/execute`, { method: 'POST', body: '{}' })
      assert.ok((await answer.text()).length > 0)
    } finally {
      await container.remove()
    }
  })

  test('the proxy image holds the template and the watcher, and stops nginx by QUIT', async () => {
    const base = join(folder, 'base')
    mkdirSync(join(base, 'etc/nginx'), { recursive: true })
    await builder.base('localhost/stand-in/nginx:1', base)
    const proxy = await builder.buildProxy('localhost/stand-in/nginx:1', 'localhost/ductape-mcp-proxy:1')
    const { User, Entrypoint, ExposedPorts, StopSignal } = proxy.config
    assert.deepEqual(
      [User, Entrypoint, StopSignal],
      ['10101:10001', ['/usr/local/bin/ductape-mcp-proxy'], 'SIGQUIT'],
    )
    assert.deepEqual(Object.keys(ExposedPorts).sort(), ['18081/tcp', '8443/tcp', '8444/tcp'])
    const root = join(folder, 'proxy')
    await proxy.unpack(root)
    for (const [inside, source, mode] of [
      ['etc/nginx/ductape-mcp.conf.template', 'nginx/ductape-mcp.conf.template', 0o444],
      ['usr/local/bin/ductape-mcp-proxy', 'nginx/entrypoint', 0o555],
    ] as const) {
      assert.equal(lstatSync(join(root, inside)).mode & 0o777, mode)
      assert.equal(readFileSync(join(root, inside), 'utf8'), readFileSync(join(ROOT, source), 'utf8'))
    }
  })
})
