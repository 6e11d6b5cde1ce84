// `npm run verify canary`: keys planted in every field, header and backend answer, and a search of everything that the service writes and keeps.
import { parseArgs } from 'node:util'
import { runCanary } from '../../test/security/lib/canary.ts'
import { PLANTED as EVIDENCE, runEvidenceCanary } from '../../test/security/lib/canary-evidence.ts'
import { runIdentityCanary } from '../../test/security/lib/canary-identity.ts'
import { PLANTED as KEPT, PASTED, REASONS, runKeptCanary } from '../../test/security/lib/canary-kept.ts'
import { runHeap } from '../../test/security/lib/heap.ts'
import { publish } from './report.ts'

const { values } = parseArgs({ options: { calls: { type: 'string', default: '1000' } } })
const calls = Number(values.calls)
const full = calls >= 1000

const canary = await runCanary()
const identity = await runIdentityCanary()
const kept = await runKeptCanary()
const evidence = await runEvidenceCanary()
const heap = await runHeap({ calls })
for (const problem of [
  ...canary.problems,
  ...identity.problems,
  ...kept.problems,
  ...evidence.problems,
].slice(0, 20))
  process.stdout.write(`${problem}\n`)

process.exitCode = publish(
  {
    area: 'canary',
    what: 'Keys planted in every argument, name, header, query, id and backend answer, as they are, percent-encoded, in base64 and as JSON escapes; everything that comes out of the service is searched, with answers scanned as by default, then its heap after a forced collection. Secrets and personal data in calls that wait for approval, in idempotency keys and kept answers, and in the reasons of approvers and of the kill switch, with scanning off so that nothing stops them on the way.',
    command: `npm run verify canary${full ? '' : ` -- --calls ${calls}`}`,
    notes: [
      `${identity.requests} requests with ${identity.secrets} secrets of callers: tokens, API keys and client certificates, taken and refused (${identity.codes.size} codes)`,
      `${canary.requests} requests with ${canary.keys} keys; ${heap.calls} calls before the heap snapshot, a key each`,
      `${KEPT.length} secrets and personal data in calls that were asked for, approved or denied, announced and repeated: an approver saw ${kept.shown} of them, callers were told ${kept.reasons} as reasons, a repetition gave ${kept.repeated} again; ${kept.orders} orders of the kill switch with ${REASONS.length + PASTED.length} reasons`,
      `Of the reasons of the kill switch the log shows ${kept.logged}, as docs/operate/kill-switch.md says; those with a credential of a caller it does not show`,
      `${EVIDENCE.length} secrets and personal data in calls of which the records, receipts, OCSF events and the evidence bundle were searched; the backend got ${evidence.sent}, callers ${evidence.answered}`,
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
          ...Object.entries(kept.searched).map(
            ([what, n]) => [`${what}, approvals, replay, kill switch`, n] as const,
          ),
          ...Object.entries(evidence.searched).map(([what, n]) => [`${what}, personal data`, n] as const),
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
        what: 'places where a text of approvals, repetitions and the kill switch turned up',
        measured: kept.problems.length,
        bound: 0,
        kind: 'ceiling',
      },
      {
        what: 'places where a text turned up in records, receipts, events or the bundle',
        measured: evidence.problems.length,
        bound: 0,
        kind: 'ceiling',
      },
      {
        what: 'texts that an approver saw and a repetition gave again',
        measured: Math.min(kept.shown, kept.repeated),
        bound: KEPT.length,
        kind: 'floor',
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
