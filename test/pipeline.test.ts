// The runner and its table: stages in order, what ends a call, when the decision is recorded, and that a stage is one line.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Limiter } from '../src/admission/limits/limiter.ts'
import { settleCall } from '../src/admission/limits/settle.ts'
import { type Call, openCall, type Verdict } from '../src/core/call.ts'
import { createCohort } from '../src/core/cohort.ts'
import { DENIALS, type DenialCode, deny } from '../src/core/denials.ts'
import type { HttpRequest } from '../src/core/http.ts'
import type { Json } from '../src/core/json.ts'
import { LOCAL } from '../src/identity/index.ts'
import { preparePipeline, STAGES, type StageParts, type StageRow } from '../src/pipeline.ts'
import { startApp, type TestApp } from './lib/app.ts'
import { EXECUTE, toolCall } from './lib/calls.ts'
import { RUNTIME } from './lib/runtime.ts'
import { bench, callOf } from './replay/lib/stage.ts'

type Run = (call: Call) => Verdict | Promise<Verdict>

const call = (): Call =>
  openCall({
    id: 'id',
    startedAt: 0,
    startedTick: 0,
    channel: 'http',
    peer: '127.0.0.1',
    principal: LOCAL,
    runtime: RUNTIME,
  })

/** Runs a call through stages of these names; what happened, in order. */
async function run(
  behaviour: Partial<Record<string, Run>>,
  decided: (call: Call) => Verdict | Promise<Verdict> = () => undefined,
): Promise<{ events: string[]; call: Call }> {
  const events: string[] = []
  const stages: StageRow[] = STAGES.map(({ name, group }) => ({
    name,
    group,
    prepare: () => (one) => {
      events.push(name)
      return behaviour[name]?.(one)
    },
  }))
  const recorder = {
    decided: (one: Call) => {
      events.push('decided')
      return decided(one)
    },
    fault: (_one: Call, error: unknown) => void events.push(`fault ${String(error)}`),
  }
  const one = call()
  one.toolName = 'tool'
  const parts = { replay: { settle: async () => void events.push('settled') } } as unknown as StageParts
  await preparePipeline(parts, recorder, stages)(one)
  return { events, call: one }
}

const ORDER = [
  'transport',
  'identity',
  'protocol',
  'resolve',
  'validate',
  'policy',
  'guards',
  'replay',
  'limits',
  'approval',
  'decided',
  'credentials',
  'backend',
  'shape',
  'scan',
]

describe('the table', () => {
  test('names are unique, groups follow each other', () => {
    const names = STAGES.map((row) => row.name)
    assert.equal(new Set(names).size, names.length)
    const groups = STAGES.map((row) => row.group)
    const order = ['ingress', 'admission', 'execution', 'response']
    assert.deepEqual(
      groups,
      [...groups].sort((a, b) => order.indexOf(a) - order.indexOf(b)),
    )
  })
})

describe('the runner', () => {
  test('every stage in order; the decision before the first effect', async () => {
    assert.deepEqual((await run({})).events, ORDER)
  })

  test('a stage may be asynchronous', async () => {
    const { events } = await run({ validate: async () => undefined, backend: async () => undefined })
    assert.deepEqual(events, ORDER)
  })

  for (const [i, name] of ORDER.entries()) {
    if (name === 'decided') continue
    for (const [how, behave] of [
      ['at once', () => deny('tool_unknown')],
      ['later', async () => deny('tool_unknown')],
    ] as const) {
      test(`a denial of ${name} ${how} ends the call there`, async () => {
        const { events, call: one } = await run({ [name]: behave })
        assert.deepEqual(events, ORDER.slice(0, i + 1))
        assert.deepEqual(one.denial, { code: 'tool_unknown' })
        assert.equal(one.stage, name)
      })
    }
    for (const [how, behave] of [
      [
        'thrown',
        () => {
          throw new Error('inside')
        },
      ],
      ['rejected', () => Promise.reject(new Error('inside'))],
    ] as const) {
      test(`a fault of ${name}, ${how}, is internal_error and leaves no result`, async () => {
        const { events, call: one } = await run({
          [name]: (current: Call) => {
            current.result = { content: [], value: 1 }
            return behave()
          },
        })
        assert.deepEqual(events, [...ORDER.slice(0, i + 1), 'fault Error: inside'])
        assert.deepEqual(one.denial, { code: 'internal_error' })
        assert.equal(one.result, undefined)
      })
    }
  }

  test('calls that are under way together take each stage one after the other; one that waits holds nobody up', async () => {
    const names = ['transport', 'identity', 'policy', 'credentials', 'backend', 'shape', 'scan']
    const events: string[] = []
    let underWay = 3
    const slow = Promise.withResolvers<undefined>()
    const stages: StageRow[] = STAGES.filter(({ name }) => names.includes(name)).map(({ name, group }) => ({
      name,
      group,
      prepare: () => (one) => {
        events.push(`${one.id} ${name}`)
        return name === 'policy' && one.id === 'b' ? slow.promise : undefined
      },
    }))
    const recorder = {
      cohort: createCohort(() => underWay > 1),
      digest: (one: Call) => void events.push(`${one.id} digest`),
      decided: (one: Call) => void events.push(`${one.id} decided`),
      fault: (_one: Call, error: unknown) => assert.fail(String(error)),
    }
    const through = preparePipeline({} as StageParts, recorder, stages)
    const begin = async (id: string): Promise<void> => {
      await through({ ...call(), id, toolName: 'tool' })
      underWay--
    }
    const [a, b, c] = [begin('a'), begin('b'), begin('c')]
    await Promise.all([a, c])
    slow.resolve(undefined)
    await b
    const each = (of: string, steps: readonly string[]): string[] =>
      steps.flatMap((step) => [...of].map((id) => `${id} ${step}`))
    assert.deepEqual(events, [
      ...each('abc', ['transport', 'identity', 'policy']),
      ...each('ac', ['digest']),
      // Nothing stands between a decision and what takes the credential.
      ...['a decided', 'a credentials', 'c decided', 'c credentials'],
      ...each('ac', ['backend', 'shape', 'scan']),
      ...each('b', ['digest', 'decided', 'credentials', 'backend', 'shape', 'scan']),
    ])
  })

  test('so many are gathered in a turn and no more', async () => {
    const cohort = createCohort(() => true)
    const gathered = Array.from({ length: 300 }, () => cohort.gather())
    assert.equal(gathered.filter((one) => one !== undefined).length, 256)
    await Promise.all(gathered)
    assert.notEqual(cohort.gather(), undefined)
  })

  test('a call that is alone waits for nobody', async () => {
    const cohort = createCohort(() => false)
    assert.deepEqual([cohort.gather(), cohort.step()], [undefined, undefined])
  })

  test('a decision that cannot be recorded ends the call before its effect', async () => {
    for (const decided of [() => deny('internal_error'), async () => deny('internal_error')]) {
      const { events, call: one } = await run({}, decided)
      assert.deepEqual(events, ORDER.slice(0, ORDER.indexOf('decided') + 1))
      assert.deepEqual(one.denial, { code: 'internal_error' })
    }
  })

  test('an answer that an admission stage has already ends the call, recorded and without an effect', async () => {
    const { events, call: one } = await run({
      replay: (current) => {
        current.result = { content: [], value: 1 }
        return undefined
      },
    })
    assert.deepEqual(events, [...ORDER.slice(0, ORDER.indexOf('replay') + 1), 'decided'])
    assert.equal(one.denial, undefined)
    assert.deepEqual(one.result, { content: [], value: 1 })
  })

  test('such an answer is withheld where it cannot be recorded', async () => {
    const { call: one } = await run(
      {
        replay: (current) => {
          current.result = { content: [], value: 1 }
          return undefined
        },
      },
      () => deny('audit_unavailable'),
    )
    assert.deepEqual(one.denial, { code: 'audit_unavailable' })
    assert.equal(one.result, undefined)
  })

  for (const [how, behave] of [
    ['answered', () => undefined],
    ['denied', () => deny('tool_unknown')],
    ['thrown', () => Promise.reject(new Error('inside'))],
  ] as const) {
    test(`what replay has begun is settled when the call has ended: ${how}`, async () => {
      const { events } = await run({
        replay: (current) => {
          current.replay = 'begun'
          return undefined
        },
        backend: behave,
      })
      assert.equal(events.at(-1), 'settled')
    })
  }

  test('what names no tool stops after protocol, undenied: it is for the router', async () => {
    const { events, call: one } = await run({
      protocol: (current) => {
        current.toolName = ''
        return undefined
      },
    })
    assert.deepEqual(events, ['transport', 'identity', 'protocol'])
    assert.equal(one.denial, undefined)
  })
})

describe('a stage more', () => {
  test('is one line of the table, and what it refuses is answered and recorded like any refusal', async () => {
    const guard: StageRow = {
      name: 'validate',
      group: 'admission',
      prepare: () => (one) => (one.module === 'product' ? deny('argument_invalid', 'is guarded') : undefined),
    }
    const at = STAGES.findIndex((row) => row.group === 'execution')
    const service = await startApp({ stages: STAGES.toSpliced(at, 0, guard) })
    try {
      const response = await fetch(service.mcp, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: toolCall('ductape_execute', EXECUTE),
      })
      assert.match(await response.text(), /\[argument_invalid\] The argument is guarded\./)
      assert.equal(service.emulator?.stats.requests.execute, 0)
      assert.deepEqual(
        service.records().map((record) => record.decision?.code),
        ['argument_invalid'],
      )
    } finally {
      await service.close()
    }
  })
})

describe('what limits and replay take for executed', () => {
  const place = (name: string): number => STAGES.findIndex((row) => row.name === name)
  // A fault can end a call in any stage; what is refused behind the backend, too, comes after the effect.
  const codesOf = ({ name, group }: StageRow): DenialCode[] => [
    'internal_error',
    ...(group === 'response'
      ? (Object.keys(DENIALS) as DenialCode[]).filter((code) => DENIALS[code].stage === name)
      : []),
  ]

  for (const row of STAGES.slice(place('replay') + 1)) {
    const sent = place(row.name) >= place('backend')
    test(`a call that ended in ${row.name} ${sent ? 'was' : 'was not'}`, async () => {
      for (const code of codesOf(row)) {
        const { replay } = bench()
        const one = callOf()
        assert.equal(await replay.stage(one), undefined)
        Object.assign(one, {
          stage: row.name,
          denial: deny(code),
          decided: row.group !== 'admission',
          reservation: {},
        })
        const executed: boolean[] = []
        const limiter: Pick<Limiter, 'settle' | 'countsAnswer'> = {
          settle: (_call, _tokens, spent) => void executed.push(spent),
          countsAnswer: () => false,
        }
        settleCall(limiter as Limiter, one)
        assert.deepEqual(executed, [sent], `limits, ${code}`)
        await replay.settle(one)
        const { kept, released, unkept } = replay.stats()
        assert.deepEqual([kept + unkept, released], sent ? [1, 0] : [0, 1], `replay, ${code}`)
      }
    })
  }
})

describe('without a port', () => {
  const head = {
    host: '127.0.0.1',
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  }
  const plain = (method: string, path: string, body: string | undefined, headers = {}): HttpRequest => {
    const all: Record<string, string> = { ...head, ...headers }
    return {
      method,
      path,
      query: '',
      headers: all,
      raw: Object.entries(all).flat(),
      read: async () => ({ ok: true, body: Buffer.from(body ?? '') }),
    }
  }
  const requests: [method: string, path: string, body?: string, headers?: Record<string, string>][] = [
    ['POST', '/mcp', toolCall('ductape_execute', EXECUTE)],
    ['POST', '/mcp', toolCall('ductape_execute', {})],
    ['POST', '/mcp', toolCall('nope', {})],
    ['POST', '/mcp', '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'],
    ['POST', '/mcp', '{"jsonrpc":"2.0","method":"notifications/initialized"}'],
    ['POST', '/mcp', '{"jsonrpc":"2.0","id":1,"method":"nope"}'],
    ['POST', '/mcp', '['],
    ['POST', '/mcp', '{}', { origin: 'https://evil.example' }],
    ['GET', '/mcp'],
    ['GET', '/v1/tools'],
    ['GET', '/openapi.json'],
    ['GET', '/nothing'],
    ['POST', '/v1/tools/ductape_execute', JSON.stringify(EXECUTE)],
    ['POST', '/v1/tools/nope', '{}'],
  ]

  test('the same stages give the same answers', async () => {
    const service: TestApp = await startApp()
    // What differs from call to call: ids, and every value of a receipt.
    const steady = (text: string): Json =>
      JSON.parse(
        text === '' ? 'null' : text.replaceAll(/018f0000-0000-7000-8000-[0-9a-f]{12}/g, 'id'),
        (name, value: Json) => (name.startsWith('app.ductape/receipt') ? Object.keys(value ?? {}) : value),
      ) as Json
    try {
      for (const [method, path, body, headers] of requests) {
        const direct = await service.app.handle(plain(method, path, body, headers), '127.0.0.1')
        const response = await fetch(`${service.url}${path}`, {
          method,
          headers: { ...head, ...headers },
          ...(body !== undefined && { body }),
        })
        const what = `${method} ${path} ${body ?? ''}`
        assert.equal(direct.status, response.status, what)
        assert.deepEqual(steady(direct.body ?? ''), steady(await response.text()), what)
        for (const [name, value] of Object.entries(direct.headers)) {
          const sent = response.headers.get(name)
          if (name.startsWith('ductape-receipt')) assert.equal(sent === null, false, `${what}: ${name}`)
          else assert.equal(sent, value, `${what}: ${name}`)
        }
      }
      while (service.app.inFlight() > 0) await new Promise((resolve) => setImmediate(resolve))
    } finally {
      await service.close()
    }
  })
})
