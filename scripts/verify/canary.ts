// `npm run verify canary`: keys planted in every field, header and backend answer, and a search of everything that the service writes and keeps.
import { parseArgs } from 'node:util'
import { runCanary } from '../../test/security/lib/canary.ts'
import { runIdentityCanary } from '../../test/security/lib/canary-identity.ts'
import { runHeap } from '../../test/security/lib/heap.ts'
import { publish } from './report.ts'

const { values } = parseArgs({ options: { calls: { type: 'string', default: '1000' } } })
const calls = Number(values.calls)
const full = calls >= 1000

const canary = await runCanary()
const identity = await runIdentityCanary()
const heap = await runHeap({ calls })
for (const problem of [...canary.problems, ...identity.problems].slice(0, 20))
  process.stdout.write(`${problem}\n`)

process.exitCode = publish(
  {
    area: 'canary',
    what: 'Keys planted in every argument, name, header, query, id and backend answer, as they are, percent-encoded, in base64 and as JSON escapes; everything that comes out of the service is searched, then its heap after a forced collection.',
    command: `npm run verify canary${full ? '' : ` -- --calls ${calls}`}`,
    notes: [
      `${identity.requests} requests with ${identity.secrets} secrets of callers: tokens, API keys and client certificates, taken and refused (${identity.codes.size} codes)`,
      `${canary.requests} requests with ${canary.keys} keys; ${heap.calls} calls before the heap snapshot, a key each`,
      'The JSON-RPC id goes back to its own caller by protocol and is the one place left out of the search',
    ],
    figures: [
      {
        title: 'Searched',
        columns: ['output', 'characters'],
        rows: [
          ...Object.entries(canary.searched),
          ...Object.entries(identity.searched).map(
            ([what, characters]) => [`${what}, callers' credentials`, characters] as const,
          ),
          ['heap snapshot', heap.snapshotBytes],
        ],
      },
    ],
    bounds: [
      { what: 'places where a key turned up', measured: canary.problems.length, bound: 0, kind: 'ceiling' },
      {
        what: "places where a caller's token, API key or certificate turned up",
        measured: identity.problems.length,
        bound: 0,
        kind: 'ceiling',
      },
      {
        what: 'kinds of credential that were taken',
        measured: identity.admitted.size,
        bound: 3,
        kind: 'floor',
      },
      {
        what: `keys of the first ${calls - 100} calls in the heap`,
        measured: heap.sighted ? heap.kept.filter((call) => call < calls - 100).length : Number.NaN,
        bound: 0,
        kind: 'ceiling',
      },
      ...Object.entries(canary.searched).map(([what, characters]) => ({
        what: `characters of ${what} searched`,
        measured: characters,
        bound: 1,
        kind: 'floor' as const,
      })),
    ],
  },
  { write: full },
)
