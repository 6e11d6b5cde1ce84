// `npm run verify [area] [options]`: full counts, soak and bench; each area is a script that writes docs/measured/<area>.md.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

type Area = {
  readonly name: string
  readonly what: string
  readonly script: string
  /** An area that takes longer is ended and counts as failed. */
  readonly minutes: number
}

// One line per area. A script gets the options after the area's name, exits 1 when a stated bound is missed.
const areas: readonly Area[] = [
  { name: 'startup', what: 'time to the first good call', script: 'bench/startup.ts', minutes: 3 },
  {
    name: 'bench',
    what: 'CPU per call beside the floor and the stock SDKs',
    script: 'bench/run.ts',
    minutes: 20,
  },
  {
    name: 'differential',
    what: 'the codec against the stock SDK, 55,000 requests',
    script: 'scripts/verify/differential.ts',
    minutes: 6,
  },
  {
    name: 'conformance',
    what: 'the official MCP suite, both revisions',
    script: 'scripts/verify/conformance.ts',
    minutes: 3,
  },
  { name: 'soak', what: 'heap after GC over 50,000 mixed calls', script: 'bench/soak.ts', minutes: 10 },
  {
    name: 'fuzz',
    what: '10,000 fuzzed requests, every answer judged',
    script: 'scripts/verify/fuzz.ts',
    minutes: 5,
  },
  {
    name: 'canary',
    what: 'planted keys in everything written and kept',
    script: 'scripts/verify/canary.ts',
    minutes: 5,
  },
  {
    name: 'tenants',
    what: '10,000 overlapping calls of two tenants',
    script: 'scripts/verify/tenants.ts',
    minutes: 5,
  },
  {
    name: 'keycloak',
    what: 'tokens of a real Keycloak, from Maven Central',
    script: 'scripts/verify/keycloak.ts',
    minutes: 12,
  },
  {
    name: 'mutation',
    what: 'each check of identity, policy and the sets that replicas share left out once',
    script: 'scripts/verify/mutation.ts',
    minutes: 60,
  },
  {
    name: 'evidence',
    what: '10^6 mutations of a segment, speed and memory of the verifier',
    script: 'scripts/verify/evidence.ts',
    minutes: 30,
  },
  {
    name: 'guards',
    what: 'attacks and benign texts of all guards, fuzz, the worst capped input',
    script: 'scripts/verify/guards.ts',
    minutes: 10,
  },
  {
    name: 'approvals',
    what: '100,000 interleavings of approvals, 2,000 rounds over three processes and Redis',
    script: 'scripts/verify/approvals.ts',
    minutes: 25,
  },
  {
    name: 'replay',
    what: '100,000 calls with timeouts and resets: no effect twice',
    script: 'scripts/verify/replay.ts',
    minutes: 20,
  },
  {
    name: 'alerts',
    what: 'every alert made to fire by a real fault, against a real Prometheus',
    script: 'scripts/verify/alerts.ts',
    minutes: 20,
  },
  {
    name: 'scan',
    what: '10,000 pieces of real files, 1,000 planted secrets, the longest hold of the loop',
    script: 'scripts/verify/scan.ts',
    minutes: 10,
  },
  {
    name: 'population',
    what: '20,000 mixed calls with a kill, a restart and a drain: records, counters and effects agree',
    script: 'scripts/verify/population.ts',
    minutes: 6,
  },
  {
    name: 'image',
    what: 'size of the layers, a run with KILL, the start under the limits of the pod',
    script: 'scripts/verify/image.ts',
    minutes: 15,
  },
  {
    name: 'chart',
    what: 'helm-unittest, kube-score, Pod Security "restricted" by Kyverno over every values file',
    script: 'scripts/verify/chart.ts',
    minutes: 45,
  },
  {
    name: 'cluster',
    what: 'the chart on a real Kubernetes',
    script: 'scripts/verify/cluster.ts',
    minutes: 45,
  },
  {
    name: 'install',
    what: 'the install page, typed as it stands, on the one-node cluster',
    script: 'scripts/verify/install.ts',
    minutes: 30,
  },
]

const root = fileURLToPath(new URL('../', import.meta.url))

function usage(): string {
  const lines = areas.map(({ name, what, minutes }) => `  ${name.padEnd(14)}${what} (at most ${minutes} min)`)
  return `usage: npm run verify [area] [-- options]\n\nWithout an area all run, one after the other.\n\n${lines.join('\n')}\n`
}

async function run({ name, script, minutes }: Area, options: readonly string[]): Promise<string> {
  process.stdout.write(`\n== ${name} ==\n`)
  const child = spawn(process.execPath, [script, ...options], { cwd: root, stdio: 'inherit' })
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGTERM')
  }, minutes * 60_000)
  const [code, signal] = await once(child, 'exit')
  clearTimeout(timer)
  if (late) return `took longer than ${minutes} min`
  return code === 0 ? 'ok' : `exit ${code ?? signal}`
}

const [wanted, ...options] = process.argv.slice(2)
if (wanted === '--help' || wanted === '-h') {
  process.stdout.write(usage())
} else {
  const all = wanted === undefined || wanted.startsWith('-')
  const chosen = all ? areas : areas.filter(({ name }) => name === wanted)
  if (chosen.length === 0) {
    process.stderr.write(`there is no area ${JSON.stringify(wanted)}\n\n${usage()}`)
    process.exitCode = 2
  }
  const results: string[] = []
  for (const area of chosen) {
    const result = await run(area, all && wanted !== undefined ? [wanted, ...options] : options)
    if (result !== 'ok') process.exitCode = 1
    results.push(`${area.name.padEnd(14)}${result}`)
  }
  // What was ended for being late has said nothing itself.
  if (chosen.length > 1 || process.exitCode === 1) process.stdout.write(`\n${results.join('\n')}\n`)
}
