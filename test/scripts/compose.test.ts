// compose.yaml is as strict as the chart, service by service, and the files that it mounts are ones that their programs take.
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { formatProblems, type LiveFile, type Problem } from '../../src/config/index.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { createLive } from '../../src/runtime.ts'
import { NO_LIMITS } from '../lib/app.ts'
import { bytes, type Compose, readCompose, type Service } from '../platform/lib/compose.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const compose = readCompose()
const services = Object.entries(compose.services)

const OURS = ['app', 'proxy', 'emulator']
/** Services without a health check, with the reason. */
const NO_CHECK: Readonly<Record<string, string>> = {
  collector: 'its image has no program that could ask; Prometheus shows whether it is up',
}

interface Rule {
  readonly id: string
  readonly holds: (service: Service, name: string, file: Compose) => boolean
  /** A service that breaks the rule: a rule that nothing breaks would say nothing. */
  readonly broken: Partial<Service>
}

const RULES: readonly Rule[] = [
  {
    id: 'the root file system is read-only',
    holds: ({ read_only }) => read_only === true,
    broken: { read_only: false },
  },
  {
    id: 'no capability is left',
    holds: ({ cap_drop }) => cap_drop.includes('ALL'),
    broken: { cap_drop: ['NET_RAW'] },
  },
  {
    id: 'no new privileges',
    holds: ({ security_opt }) => security_opt.includes('no-new-privileges:true'),
    broken: { security_opt: [] },
  },
  {
    id: 'no profile is switched off',
    holds: ({ security_opt }) => !security_opt.some((option) => option.includes('unconfined')),
    broken: { security_opt: ['no-new-privileges:true', 'seccomp=unconfined'] },
  },
  {
    id: 'a numeric user that is not root',
    holds: ({ user }) => /^[1-9]\d*:\d+$/.test(user),
    broken: { user: '0:0' },
  },
  {
    id: 'memory is bounded and not stretched by swap',
    holds: ({ mem_limit, memswap_limit }) => bytes(mem_limit) <= bytes('512m') && mem_limit === memswap_limit,
    broken: { memswap_limit: '1g' },
  },
  { id: 'processes are bounded', holds: ({ pids_limit }) => pids_limit <= 128, broken: { pids_limit: 1000 } },
  {
    id: 'mounts from this machine are read-only and have to be there',
    holds: ({ volumes = [] }) =>
      volumes.every(
        (mount) =>
          mount.type === 'volume' || (mount.read_only === true && mount.bind?.create_host_path === false),
      ),
    broken: { volumes: [{ type: 'bind', source: 'deploy', target: '/deploy' }] },
  },
  {
    id: 'what can be written is bounded and holds no programs',
    holds: ({ tmpfs = [] }) =>
      tmpfs.every((entry) => /size=\d+m/.test(entry) && /noexec,nosuid,nodev/.test(entry)),
    broken: { tmpfs: ['/tmp'] },
  },
  {
    id: 'ports are published on the loopback of this machine only',
    holds: ({ ports = [] }) => ports.every((port) => port.startsWith('127.0.0.1:')),
    broken: { ports: ['8443:8443'] },
  },
  {
    id: 'the image has an exact tag',
    holds: ({ image, build }, name) =>
      build === undefined
        ? /:v?\d+\.\d+\.\d+(-\w+)?(@sha256:[0-9a-f]{64})?$/.test(image)
        : OURS.includes(name),
    broken: { image: 'redis:latest', build: undefined } as unknown as Partial<Service>,
  },
  {
    id: 'somebody asks whether it is well',
    holds: ({ healthcheck, build }, name) =>
      name in NO_CHECK
        ? healthcheck.disable === true
        : healthcheck.disable !== true && (build !== undefined || healthcheck.test?.[0] === 'CMD'),
    broken: { healthcheck: { disable: true } },
  },
  {
    id: 'one network, known by name, or that of another service',
    holds: ({ networks, network_mode }, _, { networks: known, services: others }) =>
      network_mode === undefined
        ? networks?.every((network) => network in known) === true
        : networks === undefined && network_mode.replace(/^service:/, '') in others,
    broken: { network_mode: 'host' },
  },
]

describe('each service', () => {
  for (const { id, holds, broken } of RULES)
    test(id, () => {
      for (const [name, service] of services) assert.ok(holds(service, name, compose), name)
      const [name, first] = services[1] ?? []
      assert.ok(name !== undefined && first !== undefined)
      assert.ok(!holds({ ...first, ...broken }, name, compose), 'the rule cannot fail')
    })

  test('has no secret in its environment', () => {
    for (const [name, { environment = {} }] of services)
      for (const variable of Object.keys(environment))
        if (!variable.endsWith('__FILE'))
          assert.doesNotMatch(variable, /PASSWORD|SECRET|TOKEN|KEY$/, `${name}: ${variable}`)
  })
})

describe('the whole', () => {
  const service = (name: string): Service => {
    const found = compose.services[name]
    assert.ok(found)
    return found
  }

  test('emulator and Redis are in the network of the service alone, and listen on its loopback', () => {
    for (const name of ['emulator', 'redis']) {
      assert.equal(service(name).network_mode, 'service:app')
      assert.equal(service(name).ports, undefined)
    }
    const { command = [] } = service('redis')
    assert.deepEqual(command.slice(command.indexOf('--bind')).slice(0, 2), ['--bind', '127.0.0.1'])
  })

  test('the service has no way out and no port; nginx and Grafana have the only ones', () => {
    assert.equal(compose.networks['inside']?.internal, true)
    assert.deepEqual(service('app').networks, ['inside'])
    assert.deepEqual(
      services.filter(([, { ports }]) => ports !== undefined).map(([name]) => name),
      ['proxy', 'grafana'],
    )
  })

  test('our own services run under our own profiles', () => {
    const profile = (name: string): string =>
      service(name)
        .security_opt.find((option) => option.startsWith('seccomp='))
        ?.slice(8) ?? ''
    assert.deepEqual(OURS.map(profile), [
      'seccomp/ductape-mcp.json',
      'seccomp/nginx.json',
      'seccomp/ductape-mcp.json',
    ])
    for (const name of OURS) assert.ok(existsSync(join(ROOT, profile(name))), profile(name))
  })

  test('users and the service’s memory are those of the chart', () => {
    const values = parse(read('helm/ductape-mcp/values.yaml')) as {
      pod: { runAsUser: number; proxyRunAsUser: number; runAsGroup: number }
      resources: { limits: { memory: string } }
    }
    const { runAsUser, proxyRunAsUser, runAsGroup } = values.pod
    assert.equal(service('app').user, `${runAsUser}:${runAsGroup}`)
    assert.equal(service('proxy').user, `${proxyRunAsUser}:${runAsGroup}`)
    assert.equal(service('app').mem_limit, values.resources.limits.memory.replace('Mi', 'm'))
  })

  test('the images are built from the targets of our Dockerfiles', () => {
    const stages = (path: string): string[] =>
      [...read(path).matchAll(/^FROM .* AS (\w+)$/gm)].map(([, name = '']) => name)
    assert.ok(stages('Dockerfile').includes(service('app').build?.target ?? ''))
    assert.ok(stages('Dockerfile').includes(service('emulator').build?.target ?? ''))
    assert.ok(existsSync(join(ROOT, service('proxy').build?.dockerfile ?? '')))
    // The service has no check of its own here: its image brings one.
    assert.match(read('Dockerfile'), /^HEALTHCHECK /m)
  })

  test('everything that it mounts is in git, or made by prepare and kept out of git', () => {
    const ignored = read('deploy/compose/.gitignore')
    assert.match(ignored, /^state\/$/m)
    const prepare = read('deploy/compose/prepare') + read('scripts/certs')
    for (const [name, { volumes = [] }] of services)
      for (const { type, source } of volumes) {
        if (type === 'volume') assert.ok(source in compose.volumes, `${name}: ${source}`)
        else if (source.startsWith('deploy/compose/state/'))
          assert.ok(
            prepare.includes(`/${source.split('/').at(-1)}`) ||
              prepare.includes(`${source.split('/').at(-1)}/`),
            source,
          )
        else assert.ok(existsSync(join(ROOT, source)), `${name}: ${source}`)
      }
  })
})

describe('the mounted files', () => {
  const CONFIG = 'deploy/compose/app/config.yaml'

  test('the service takes its configuration, and the socket and folders are those that are mounted', () => {
    const result = parseConfig(read(CONFIG), CONFIG)
    assert.ok(result.ok, result.ok ? '' : formatProblems(result.problems))
    assert.deepEqual(result.warnings, [])
    const targets = (compose.services['app']?.volumes ?? []).map(({ target }) => target)
    const named = [...read(CONFIG).matchAll(/(\/(?:etc|run)\/[\w./-]+)/g)].map(([, path = '']) => path)
    assert.ok(named.length >= 4)
    for (const path of named)
      assert.ok(
        targets.some((target) => path === target || path.startsWith(`${target}/`)),
        `${path} is not mounted`,
      )
  })

  for (const path of globSync('deploy/compose/app/live/*.yaml', { cwd: ROOT }))
    test(`the service takes ${path}`, async () => {
      const problems: Problem[] = []
      const file = path.split('/').at(-1) as LiveFile
      const bytes = Buffer.from(read(path))
      let applied = 0
      const taken: (void | Promise<void>)[] = []
      await createLive({
        directory: '/live',
        watcher: {
          watch: (name, apply) => {
            if (name === `/live/${file}`) taken.push(apply({ bytes, digest: '' }))
          },
          look: async () => undefined,
        },
        authenticated: true,
        stableCredentialIds: true,
        // Rules name tools and effects only.
        operations: [],
        revocations: { setLive: () => undefined, addLive: () => undefined },
        kill: { setLive: () => undefined, addLive: () => undefined },
        onApplied: () => applied++,
        onRefused: (_, found) => problems.push(...found),
        now: () => 0,
        limits: NO_LIMITS,
      })
      await Promise.all(taken)
      assert.equal(formatProblems(problems), '')
      assert.ok(applied > 0)
    })

  test('Prometheus asks services of this file at ports that they listen on', () => {
    const { scrape_configs } = parse(read('deploy/compose/prometheus/prometheus.yml')) as {
      scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[]
    }
    const asked = scrape_configs.flatMap(({ static_configs }) =>
      static_configs.flatMap(({ targets }) => targets),
    )
    assert.deepEqual(asked, ['app:9464', 'proxy:18081', 'collector:8888', '127.0.0.1:9090'])
    assert.match(read(CONFIG), /^ops: "0\.0\.0\.0:9464"$/m)
    for (const host of ['app', 'proxy', 'collector'])
      assert.ok(
        compose.services[host]?.networks?.includes('inside'),
        `${host} shares no network with Prometheus`,
      )
  })

  test('every part of the collector that a pipeline names is there, and no other', () => {
    const collector = parse(read('deploy/compose/collector/config.yaml')) as Record<
      string,
      Record<string, unknown>
    > & {
      service: { pipelines: Record<string, Record<string, string[]>> }
    }
    for (const kind of ['receivers', 'processors', 'exporters']) {
      const used = Object.values(collector.service.pipelines).flatMap((pipeline) => pipeline[kind] ?? [])
      assert.deepEqual([...new Set(used)].sort(), Object.keys(collector[kind] ?? {}).sort(), kind)
    }
    const port = JSON.stringify(collector['receivers']).match(/0\.0\.0\.0:(\d+)/)?.[1]
    assert.equal(
      compose.services['app']?.environment?.['OTEL_EXPORTER_OTLP_ENDPOINT'],
      `http://collector:${port}`,
    )
  })

  test('Grafana reads from the Prometheus of this file', () => {
    const { datasources } = parse(read('deploy/compose/grafana/datasources/prometheus.yaml')) as {
      datasources: { url: string }[]
    }
    assert.deepEqual(
      datasources.map(({ url }) => url),
      ['http://prometheus:9090'],
    )
  })
})
