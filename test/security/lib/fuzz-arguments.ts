// Arguments of the three tools for fuzzing: around calls that succeed, with anything in any place.
import * as fc from 'fast-check'
import { MODULES } from '../../../src/catalogue/index.ts'
import { DEMO } from '../../../src/emulator/index.ts'
import { mostly, object, rarely, rawValue } from './raw-json.ts'

/** Planted wherever a caller's text can stand; no answer may show it. */
export const PLANTED = 'pk_live_fuzz9f8e7d6c5b4a3210'

const { main } = DEMO
export const text = (value: unknown): string => JSON.stringify(value)

// Forwarded values may come back in the backend's words, which is what the backend is asked for; only the call's own key may not.
export const dirty = rawValue([
  PLANTED,
  `x ${PLANTED}`,
  encodeURIComponent(`${PLANTED}/+`),
  Buffer.from(PLANTED).toString('base64'),
])
const forwarded = (key: string): fc.Arbitrary<string> => rawValue([key, `${key}=`, `<${key}>`])

const PLACE = { product: main.product, env: 'prd' }
const GOOD_CALLS: readonly (readonly [module: string, method: string, params: unknown[]])[] = [
  ['product', 'fetch', [main.product]],
  ['product', 'environments.list', [main.product]],
  ['databases', 'query', [{ ...PLACE, database: 'main-db', entity: 'users', where: {}, limit: 2 }]],
  ['databases', 'count', [{ ...PLACE, database: 'main-db', entity: 'users', where: { id: { $eq: '123' } } }]],
  ['databases', 'insert', [{ ...PLACE, database: 'main-db', entity: 'users', data: { name: 'x' } }]],
  ['vector', 'findSimilar', [{ ...PLACE, vector: 'embeddings-index', values: [0.1, 0.2, 0.3], topK: 2 }]],
  [
    'actions',
    'run',
    [{ ...PLACE, app: 'stripe', action: 'create-customer', input: { 'body:email': 'a@example.com' } }],
  ],
  ['secrets', 'fetch', ['STRIPE_KEY']],
]

const key = (good: string): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 24, arbitrary: fc.constant(text(good)) },
    { weight: 3, arbitrary: fc.constant(text(PLANTED)) },
    { weight: 1, arbitrary: fc.constantFrom('null', '""', '"  "', '"short"', '7', '["x"]') },
    { weight: 1, arbitrary: dirty },
  )

const stray = fc.oneof(
  { weight: 15, arbitrary: fc.constant<[string, string][]>([]) },
  fc.array(
    fc.tuple(fc.constantFrom<string[]>('extra', 'toString', '__proto__', PLANTED, `a${PLANTED}`), dirty),
    {
      maxLength: 2,
    },
  ),
)

const executeArguments = fc
  .tuple(
    key(main.publishableKey),
    fc.constantFrom(...GOOD_CALLS),
    rarely(fc.oneof(fc.constantFrom(...MODULES).map(text), dirty), 10),
    rarely(dirty, 15),
    rarely(forwarded(main.publishableKey), 2),
    fc.constantFrom('value', 'array', 'merged'),
    stray,
  )
  .map(([secret, [goodModule, goodMethod, goodParams], module, method, params, form, more]) => {
    const first = text(goodParams[0])
    const shaped =
      params === undefined
        ? text(goodParams)
        : form === 'value'
          ? params
          : form === 'array' || !first.startsWith('{')
            ? `[${params}]`
            : `[${first.slice(0, -1)},"where":${params},"limit":${params}}]`
    return object([
      ['publishable_key', secret],
      ['module', module ?? text(goodModule)],
      ['method', method ?? text(goodMethod)],
      ['params', shaped],
      ...more,
    ])
  })

const generateArguments = fc
  .tuple(
    key(main.publicKey),
    fc.record({
      workspace_id: mostly(fc.constant(text(main.workspaceId)), forwarded(main.publicKey), 20),
      user_id: mostly(fc.constant(text(main.userId)), forwarded(main.publicKey), 20),
      product_tag: mostly(fc.constant(text(main.product)), forwarded(main.publicKey), 20),
      env_slug: mostly(fc.constant('"prd"'), forwarded(main.publicKey), 20),
      operation_family: mostly(
        fc.constantFrom('"database"', '"action"', '"storage"', '"cache"', '"workflow"'),
        dirty,
        5,
      ),
      method: mostly(fc.constantFrom('"query"', '"run"', '"upload"', '"set"', '"dispatch"'), dirty, 5),
    }),
    fc.option(
      mostly(
        fc.constantFrom('{"database":"main-db"}', '{"app":"stripe","action":"create-customer"}'),
        forwarded(main.publicKey),
        2,
      ),
      { nil: undefined },
    ),
    fc.option(mostly(fc.constantFrom('"strict"', '"best_effort"'), dirty, 8), { nil: undefined }),
    fc.option(mostly(fc.constantFrom('true', 'false'), dirty, 8), { nil: undefined }),
    fc.option(forwarded(main.publicKey), { nil: undefined }),
    rarely(mostly(fc.constantFrom('"typescript"', '"python"'), dirty, 6), 4),
    stray,
  )
  .map(([secret, fixed, targets, mode, session, hint, language, more]) =>
    object([
      ...Object.entries(fixed),
      ['public_key', secret],
      ['targets', targets],
      ['schema_mode', mode],
      ['include_session', session],
      ['input_hint', hint],
      ['language', language],
      ...more,
    ]),
  )

export interface ToolArguments {
  tool: string
  raw: string
  credential: string
}

export const toolArguments: fc.Arbitrary<ToolArguments> = fc.oneof(
  {
    weight: 3,
    arbitrary: executeArguments.map((raw) => ({
      tool: 'ductape_execute',
      raw,
      credential: main.publishableKey,
    })),
  },
  fc
    .tuple(fc.constantFrom('ductape_generate_payload', 'ductape_generate_snippet'), generateArguments)
    .map(([tool, raw]) => ({ tool, raw, credential: main.publicKey })),
)
