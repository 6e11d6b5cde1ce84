// What the workflows may do and whom they trust; actionlint and zizmor judge the rest in test/platform/workflows.test.ts.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const yaml = (path: string): unknown => parse(read(path))

interface Step {
  uses?: string
  run?: string
  with?: Record<string, unknown>
}

interface Workflow {
  permissions: Record<string, string>
  jobs: Record<
    string,
    {
      permissions?: Record<string, string>
      'timeout-minutes'?: number
      needs?: string | string[]
      steps: Step[]
    }
  >
}

const WORKFLOWS = globSync('.github/workflows/*.yml', { cwd: ROOT }).sort()
const RELEASE = '.github/workflows/release.yml'
const SEMVER = /^[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/

/** What follows each `uses:`, its comment too, which a YAML parser would drop. */
const usesOf = (text: string): string[] =>
  [...text.matchAll(/^\s*(?:- )?uses: +(.+?)\s*$/gm)].map(([, value = '']) => value)

const jobsOf = (path: string) => Object.entries((yaml(path) as Workflow).jobs)

test('there are workflows', () => assert.ok(WORKFLOWS.includes(RELEASE) && WORKFLOWS.length >= 2))

test('a name without a digest would be noticed', () => {
  for (const use of ['actions/checkout@v7', `actions/checkout@${'0'.repeat(40)}`, 'docker://alpine:3'])
    assert.doesNotMatch(use, SEMVER)
  assert.deepEqual(usesOf('steps:\n  - uses: a/b@main # v1\n    uses: c/d@x\n'), ['a/b@main # v1', 'c/d@x'])
})

for (const path of WORKFLOWS)
  describe(path, () => {
    const workflow = yaml(path) as Workflow

    test('names every action by commit, with its version beside it', () => {
      const uses = usesOf(read(path))
      assert.ok(uses.length > 0)
      assert.deepEqual(
        uses.filter((use) => !SEMVER.test(use)),
        [],
      )
      // One action, one commit: an update that forgets a place shows.
      const commits = new Map<string, Set<string>>()
      for (const use of uses) {
        const [name = '', commit = ''] = use.split('@')
        commits.set(name, (commits.get(name) ?? new Set()).add(commit))
      }
      for (const [name, found] of commits) assert.equal(found.size, 1, `${name} has several versions`)
    })

    test('grants nothing as a whole, and each job what it needs for a bounded time', () => {
      assert.deepEqual(workflow.permissions, {})
      for (const [name, job] of jobsOf(path)) {
        assert.ok(Object.keys(job.permissions ?? {}).length > 0, `${name} has no permissions of its own`)
        assert.ok((job['timeout-minutes'] ?? 360) <= 60, `${name} has no short timeout`)
      }
    })

    test('leaves no credential behind and puts no expression into a script', () => {
      for (const [name, { steps }] of jobsOf(path))
        for (const { uses, run, with: inputs } of steps) {
          if (uses?.startsWith('actions/checkout@') === true)
            assert.equal(inputs?.['persist-credentials'], false, name)
          assert.doesNotMatch(run ?? '', /\$\{\{/, `${name}: pass it by env`)
        }
    })
  })

describe('the release', () => {
  const jobs = Object.fromEntries(jobsOf(RELEASE))
  const scripts = (name: string): string => (jobs[name]?.steps ?? []).map(({ run }) => run ?? '').join('\n')
  const all = Object.keys(jobs).map(scripts).join('\n')

  test('is refused before anything is built or pushed', () => {
    const order = (jobs['image']?.steps ?? []).map(({ run }) => run ?? '')
    const refusal = order.findIndex((run) => run.includes('scripts/release.ts check'))
    const push = order.findIndex((run) => run.includes('buildx build'))
    assert.ok(refusal >= 0 && push > refusal)
  })

  test('builds in one job alone, and never the emulator', () => {
    const builders = Object.keys(jobs).filter((name) => /buildx build\b/.test(scripts(name)))
    assert.deepEqual(builders, ['image'])
    assert.match(scripts('image'), /--target release/)
    assert.doesNotMatch(all, /emulator/)
  })

  test('is published only when it was signed and the signatures were verified', () => {
    assert.deepEqual(jobs['publish']?.needs, ['build', 'sign', 'verify'])
    assert.deepEqual(jobs['verify']?.needs, ['build', 'sign'])
  })

  test('lets one job sign and another one publish', () => {
    const having = (right: string): string[] =>
      Object.keys(jobs).filter((name) => jobs[name]?.permissions?.[right] === 'write')
    assert.deepEqual(having('id-token'), ['sign'])
    assert.deepEqual(having('contents'), ['publish'])
    assert.deepEqual(having('packages'), ['image', 'build', 'sign'])
  })

  test('signs both images and the chart, and verifies the same three', () => {
    for (const name of ['ductape-mcp@$APP', 'ductape-mcp-proxy@$PROXY', 'charts/ductape-mcp@$CHART']) {
      assert.ok(scripts('sign').includes(name), `sign: ${name}`)
      assert.ok(scripts('verify').includes(name), `verify: ${name}`)
    }
    const attested = (jobs['sign']?.steps ?? []).filter(
      ({ uses, with: inputs }) =>
        uses?.startsWith('actions/attest@') === true && inputs?.['sbom-path'] === undefined,
    )
    assert.equal(attested.length, 3, 'each of them has its provenance')
  })
})

describe('the verification samples', () => {
  const identity = (path: string): { issuer: string; subjectRegExp: string } => {
    const { spec } = yaml(path) as {
      spec: {
        attestors?: [{ cosign: { keyless: { identities: [{ issuer: string; subjectRegExp: string }] } } }]
        authorities?: [{ keyless: { identities: [{ issuer: string; subjectRegExp: string }] } }]
      }
    }
    const found = spec.attestors?.[0].cosign.keyless ?? spec.authorities?.[0].keyless
    assert.ok(found)
    return found.identities[0]
  }
  const SAMPLES = ['supply-chain/kyverno.yaml', 'supply-chain/policy-controller.yaml']

  for (const path of SAMPLES)
    test(`${path} accepts the release workflow at a release tag, and nobody else`, () => {
      const { issuer, subjectRegExp } = identity(path)
      assert.ok(read(RELEASE).includes(`ISSUER: ${issuer}`))
      const pattern = new RegExp(subjectRegExp)
      const subject = `https://github.com/ductape/ductape-mcp/${RELEASE}@refs/tags/v1.2.3`
      assert.match(subject, pattern)
      for (const other of [
        subject.replace('v1.2.3', 'v1.2.3-rc.1'),
        subject.replace('refs/tags/v1.2.3', 'refs/heads/main'),
        subject.replace('release.yml', 'ci.yml'),
        subject.replace('ductape/ductape-mcp', 'someone/ductape-mcp'),
        subject.replace('github.com', 'githubXcom'),
        `${subject}x`,
        `x${subject}`,
      ])
        assert.doesNotMatch(other, pattern, other)
    })

  test('they name the images of the chart', () => {
    const values = yaml('helm/ductape-mcp/values.yaml') as {
      image: { repository: string }
      proxy: { image: { repository: string } }
    }
    for (const path of SAMPLES)
      for (const repository of [values.image.repository, values.proxy.image.repository])
        assert.ok(
          repository.startsWith('ghcr.io/ductape/ductape-mcp') &&
            read(path).includes('ghcr.io/ductape/ductape-mcp*'),
          path,
        )
  })
})

describe('the dependency policy', () => {
  const renovate = JSON.parse(read('renovate.json')) as Record<string, unknown>

  test('routine updates wait a week and are read by somebody, security fixes do not wait', () => {
    assert.equal(renovate['minimumReleaseAge'], '7 days')
    assert.equal(renovate['internalChecksFilter'], 'strict')
    assert.equal(renovate['automerge'], false)
    assert.deepEqual(renovate['vulnerabilityAlerts'], { enabled: true, minimumReleaseAge: null })
    assert.match(read('CONTRIBUTING.md'), /bumps wait a week after a release; security fixes do not/)
  })

  test('no rule shortens the wait', () => {
    const rules = renovate['packageRules'] as Record<string, unknown>[]
    for (const rule of rules) {
      const age = rule['minimumReleaseAge']
      if (age !== undefined) assert.ok(Number.parseInt(String(age), 10) >= 7, String(rule['description']))
      assert.notEqual(rule['automerge'], true)
    }
  })
})
