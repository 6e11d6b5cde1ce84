// Chains that verify, in every form in which an auditor may get them.
import { ChainBuilder, claimsOf, jcs, jwks, REFUSED, receiptsOf, START, uuid7 } from './builder.ts'
import { KEY, KEYS, linesFile, NEXT_KEY, type Vector, withMore, witnessText } from './vector.ts'

/** A small chain with every kind of record that an orderly service writes. */
export function goodChain(number = 1): ChainBuilder {
  const chain = new ChainBuilder({ number })
  chain.call()
  chain.refusal()
  chain.call({ code: 'backend_refused', httpStatus: 200, resultDigest: undefined, status: 'failed' })
  chain.checkpoint()
  chain.add('reload', {
    policyDigest: '1'.repeat(64),
    reload: { applied: true, digest: '1'.repeat(64), file: 'policy.yaml' },
  })
  const time = new Date(chain.time).toISOString()
  chain.add('refusals', {
    refusals: {
      code: 'token_missing',
      count: 41,
      from: time,
      peer: '192.0.2.9',
      stage: 'identity',
      to: time,
    },
  })
  chain.call()
  return chain
}

export function closedChain(number = 1): ChainBuilder {
  const chain = goodChain(number)
  chain.close()
  return chain
}

/** As the CRI writes them: in parts of at most `part` bytes, with lines of stderr between. */
export function framed(lines: readonly string[], part: number): string {
  let text = ''
  const frame = (stream: string, tag: string, body: string): void => {
    text += `2026-11-21T12:00:00.${String(text.length % 1_000_000_000).padStart(9, '0')}Z ${stream} ${tag} ${body}\n`
  }
  for (const [i, line] of lines.entries()) {
    if (i % 3 === 0) frame('stderr', 'F', `{"level":"info","message":"line ${i}"}`)
    let rest = Buffer.from(line)
    while (rest.length > part) {
      frame('stdout', 'P', rest.subarray(0, part).toString())
      rest = rest.subarray(part)
    }
    frame('stdout', 'F', rest.toString())
  }
  return text
}

export function goodVectors(): Vector[] {
  const vector = (name: string, lines: readonly string[], more: Partial<Vector> = {}): Vector => ({
    name,
    files: [linesFile(lines)],
    keys: KEYS,
    expect: { ok: true },
    ...more,
  })
  const chain = closedChain()
  const open = goodChain()
  open.decision(open.callId())
  return [
    vector('a closed chain', chain.lines),
    vector('a closed chain with its witness', chain.lines, { witness: witnessText(chain) }),
    vector('an open chain with a call under way', open.lines, {
      expect: { ok: true, unknown: 1, uncovered: 5 },
    }),
    vector('a last line that a crash tore', open.lines, {
      files: [{ name: 'audit.jsonl', text: `${open.text()}${open.lines[2]?.slice(0, 300)}` }],
      expect: { ok: true, torn: 1, unknown: 1, uncovered: 5 },
    }),
    vector('a last line without its line feed', chain.lines, {
      files: [{ name: 'audit.jsonl', text: chain.text().slice(0, -1) }],
    }),
    vector('a key that was replaced', rotated().lines),
    vector('keys with bounds in time', rotated().lines, {
      keys: jwks(
        withMore(KEY, { exp: START / 1000 + 3600, nbf: START / 1000 - 3600 }),
        withMore(NEXT_KEY, { nbf: START / 1000 }),
      ),
    }),
    vector('lines of a container runtime, in parts', chain.lines, {
      files: [{ name: '0.log', text: framed(chain.lines, 300) }],
      witness: witnessText(chain),
    }),
    threeReplicas(),
    vector('one chain over two files, the later one named first', chain.lines, {
      files: [linesFile(chain.lines.slice(5), 'a.jsonl'), linesFile(chain.lines.slice(0, 5), 'b.jsonl')],
    }),
    restarts(),
    vector('a chain that began before --from and is not given', named(), { from: '2026-11-01' }),
    selfAsserted(),
    lossy(),
    vector('a clock that was set back, and a machine that slept', clocks().lines),
    vector('text of every kind in names', unicode().lines),
    withReceipts(),
  ]
}

export function rotated(): ChainBuilder {
  const chain = goodChain()
  chain.checkpoint()
  chain.rotate(NEXT_KEY)
  chain.checkpoint()
  chain.call()
  chain.close()
  return chain
}

function threeReplicas(): Vector {
  const chains = [1, 2, 3].map(closedChain)
  const lines: string[] = []
  const waiting = chains.map(({ lines }) => lines.slice())
  for (let i = 0; waiting.some((rest) => rest.length > 0); i++) {
    const line = waiting[(i * i + 1) % 3]?.shift() ?? waiting.find((rest) => rest.length > 0)?.shift()
    lines.push(line as string)
  }
  return {
    name: 'three replicas collected in one file',
    files: [linesFile(lines)],
    keys: KEYS,
    witness: witnessText(...chains),
    expect: { ok: true },
  }
}

/** Each start names the one before. */
export function restartChains(): ChainBuilder[] {
  const first = goodChain(1)
  first.checkpoint()
  const previous = { chain: first.id, checkpoint: first.witness.at(-1) }
  const second = new ChainBuilder({
    number: 2,
    start: START + 60_000,
    open: { previous, registered: [first.id] },
  })
  second.call()
  second.close()
  return [first, second]
}

function restarts(): Vector {
  const [first, second] = restartChains() as [ChainBuilder, ChainBuilder]
  return {
    name: 'a start that names the one before, whose chain a crash left open',
    files: [linesFile(second.lines, '2.jsonl'), linesFile(first.lines, '1.jsonl')],
    keys: KEYS,
    expect: { ok: true },
  }
}

/** A chain that names one of the month before. */
export function named(): string[] {
  const chain = new ChainBuilder({ open: { registered: [uuid7(START - 30 * 86_400_000, 77)] } })
  chain.close()
  return chain.lines
}

export function bootChain(): ChainBuilder {
  const chain = new ChainBuilder({ origin: 'boot', key: KEY })
  chain.call()
  chain.close()
  return chain
}

const selfAsserted = (): Vector => ({
  name: 'a key made at boot, accepted',
  files: [linesFile(bootChain().lines)],
  keys: jwks(),
  selfAsserted: true,
  expect: { ok: true },
})

/** Two records are lost: a decision and, later, an outcome. The outcome without decision stands before the record that excuses it. */
export function lossyChain(counted = 2, number = 1): ChainBuilder {
  const chain = new ChainBuilder({ mode: 'best-effort', number })
  chain.call()
  chain.outcome(chain.callId())
  const time = new Date(chain.time).toISOString()
  chain.add('lost', { lost: { from: time, records: counted, to: time } })
  chain.decision(chain.callId())
  return chain
}

function lossy(): Vector {
  const chain = lossyChain()
  chain.close()
  return {
    name: 'records lost in best-effort mode',
    files: [linesFile(chain.lines)],
    keys: KEYS,
    expect: { ok: true, lost: 2, unknown: 1 },
  }
}

function clocks(): ChainBuilder {
  const chain = new ChainBuilder()
  chain.call()
  chain.time -= 3_600_000
  chain.call()
  chain.time += 7_200_000
  chain.call()
  chain.close()
  return chain
}

function unicode(): ChainBuilder {
  const chain = new ChainBuilder()
  const callId = chain.callId()
  chain.decision(
    callId,
    { allowed: true, rule: 'r\u00e9gle "\\" \u2028 \u{1f600} \u0001 \u007f \ufeff "hash":"x"' },
    {
      safe: { '\u{1f600}': 1e21, '\ue000': 1e-7, a: 0.1, '\u20ac': -5, Z: 4.5e15 },
      shape: { params: ['string', 2] },
    },
  )
  chain.outcome(callId, { durationMs: 1e-7 })
  chain.close()
  return chain
}

function withReceipts(): Vector {
  const chain = new ChainBuilder()
  const claims = [
    claimsOf(chain, chain.call()),
    claimsOf(chain, chain.refusal(), REFUSED),
    claimsOf(chain, chain.call({ code: 'backend_refused', status: 'failed' }), {
      code: 'backend_refused',
      status: 'failed',
    }),
  ]
  const iat = Math.floor(chain.time / 1000)
  chain.close()
  const receipts = [...receiptsOf(claims.slice(0, 1), KEY, iat), ...receiptsOf(claims.slice(1), KEY, iat)]
  return {
    name: 'receipts of its calls',
    files: [linesFile(chain.lines)],
    keys: KEYS,
    receipts: receipts.map((receipt) => `${jcs({ receipt })}\n`).join(''),
    expect: { ok: true },
  }
}
