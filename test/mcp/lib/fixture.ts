// The tools that the conformance suite asks a server for, on our codec and stages: what they answer is fixed, how it travels is the product's own.
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Call, Verdict } from '../../../src/core/call.ts'
import { deny } from '../../../src/core/denials.ts'
import type { Json, JsonObject } from '../../../src/core/json.ts'
import type { ContentBlock, ToolDefinition, ToolResult } from '../../../src/core/tool.ts'
import { STAGES, type StageRow } from '../../../src/pipeline.ts'
import { startApp, type TestApp } from '../../lib/app.ts'
import { temporary } from '../../lib/process.ts'

type Answer = ToolResult | ReturnType<typeof deny>

interface Fixture {
  run(call: Call): Answer
  inputSchema?: JsonObject
}

const text = (value: string): ContentBlock => ({ type: 'text', text: value })
const result = (...content: ContentBlock[]): ToolResult => ({ content, value: null })

// One red pixel, and a WAV file of no samples.
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=='
const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA='
const image: ContentBlock = { type: 'image', data: PNG, mimeType: 'image/png' }

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const form = (message: string, name: string, type: string): JsonObject => ({
  method: 'elicitation/create',
  params: {
    message,
    requestedSchema: { type: 'object', properties: { [name]: { type } }, required: [name] },
  },
})
const sample = (question: string): JsonObject => ({
  method: 'sampling/createMessage',
  params: { messages: [{ role: 'user', content: { type: 'text', text: question } }], maxTokens: 100 },
})
const ROOTS: JsonObject = { method: 'roots/list', params: {} }

/** Asks for input; what a client of the older era gets instead is a failed result. */
const ask = (inputRequests: JsonObject, requestState?: string): ToolResult => ({
  content: [text('This tool needs input, which this protocol revision cannot carry.')],
  value: null,
  isError: true,
  inputRequired: { inputRequests, ...(requestState !== undefined && { requestState }) },
})

const answered = (call: Call, name: string): JsonObject | undefined => {
  const responses = call.message?.inputResponses
  const response = responses !== undefined && Object.hasOwn(responses, name) ? responses[name] : undefined
  return isObject(response) ? response : undefined
}

/** Completes where every request has an answer, else asks for all of them (again). */
const once = (inputRequests: JsonObject, done: string) => ({
  run: (call: Call): Answer =>
    Object.keys(inputRequests).every((name) => answered(call, name) !== undefined)
      ? result(text(done))
      : ask(inputRequests),
})

// Whoever holds a state may change it: what is in it counts only under its MAC.
const KEY = 'key of the conformance fixture'
const mac = (value: string): Buffer => createHmac('sha256', KEY).update(value).digest()
const seal = (tool: string, step: string): string =>
  `${step}.${mac(`${tool}\n${step}`).toString('base64url')}`
function open(tool: string, state: string): string | undefined {
  const [step = '', sealed = '', ...rest] = state.split('.')
  const given = Buffer.from(sealed, 'base64url')
  const right = mac(`${tool}\n${step}`)
  return rest.length === 0 && given.length === right.length && timingSafeEqual(given, right)
    ? step
    : undefined
}

/** Asks step by step; each round is told from the sealed state of the one before. */
const steps = (rounds: readonly JsonObject[], done: string) => ({
  run(call: Call): Answer {
    const state = call.message?.requestState
    const at = state === undefined ? '-1' : open(call.toolName, state)
    if (at === undefined) return deny('params_invalid', 'requestState is not one of this service')
    const asked = rounds[Number(at)]
    const complete =
      asked === undefined || Object.keys(asked).every((name) => answered(call, name) !== undefined)
    const next = complete ? Number(at) + 1 : Number(at)
    const round = rounds[next]
    return round === undefined ? result(text(done)) : ask(round, seal(call.toolName, String(next)))
  },
})

const confirm = { confirm: form('Please confirm', 'ok', 'boolean') }

const FIXTURES: Readonly<Record<string, Fixture>> = {
  test_simple_text: { run: () => result(text('This is a simple text response for testing.')) },
  test_image_content: { run: () => result(image) },
  test_audio_content: { run: () => result({ type: 'audio', data: WAV, mimeType: 'audio/wav' }) },
  test_embedded_resource: {
    run: () =>
      result({
        type: 'resource',
        resource: {
          uri: 'test://embedded-resource',
          mimeType: 'text/plain',
          text: 'This is an embedded resource content.',
        },
      }),
  },
  test_multiple_content_types: {
    run: () =>
      result(text('Multiple content types test:'), image, {
        type: 'resource',
        resource: {
          uri: 'test://mixed-content-resource',
          mimeType: 'application/json',
          text: '{"test":"data","value":123}',
        },
      }),
  },
  test_error_handling: {
    run: () => ({
      ...result(text('This tool intentionally returns an error for testing')),
      isError: true,
    }),
  },
  test_tool_with_progress: {
    run(call) {
      for (const progress of [0, 50, 100]) call.progress?.(call, progress, 100, `${progress} of 100`)
      return result(text('Done, with progress.'))
    },
  },
  // Logging is deprecated and never sent: the right answer to the check that no log comes unasked.
  test_logging_tool: { run: () => result(text('Done, without a log.')) },
  test_missing_capability: { run: () => ask({ question: sample('What can you do?') }) },
  test_streaming_elicitation: once({ user_name: form('What is your name?', 'name', 'string') }, 'Done.'),
  test_input_required_result_elicitation: once(
    { user_name: form('What is your name?', 'name', 'string') },
    'Hello!',
  ),
  test_input_required_result_sampling: once(
    { capital_question: sample('What is the capital of France?') },
    'The question was answered.',
  ),
  test_input_required_result_list_roots: once({ client_roots: ROOTS }, 'The roots have come.'),
  test_input_required_result_request_state: steps([confirm], 'state-ok'),
  test_input_required_result_tampered_state: steps([confirm], 'state-ok'),
  test_input_required_result_multiple_inputs: steps(
    [
      {
        user_name: form('What is your name?', 'name', 'string'),
        greeting: sample('Generate a greeting'),
        client_roots: ROOTS,
      },
    ],
    'All answers have come.',
  ),
  test_input_required_result_multi_round: steps(
    [
      { step1: form('Step 1: What is your name?', 'name', 'string') },
      { step2: form('Step 2: What is your favorite color?', 'color', 'string') },
    ],
    'Both steps are done.',
  ),
  test_input_required_result_capabilities: {
    run(call) {
      const capabilities = call.message?.capabilities ?? {}
      return ask({
        ...(isObject(capabilities['elicitation']) && confirm),
        ...(isObject(capabilities['sampling']) && { greeting: sample('Generate a greeting') }),
      })
    },
  },
  // Keywords of JSON Schema 2020-12 that have to come through tools/list as they are.
  json_schema_2020_12_tool: {
    run: () => result(text('Its schema is what counts.')),
    inputSchema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      $defs: { address: { $anchor: 'place', type: 'object', properties: { zip: { type: 'string' } } } },
      properties: {
        to: { $ref: '#/$defs/address' },
        kind: { enum: ['letter', 'parcel'] },
        grams: { type: 'integer' },
        sender: { type: 'string' },
      },
      allOf: [{ anyOf: [{ required: ['sender'] }, { properties: { kind: { const: 'letter' } } }] }],
      if: { properties: { kind: { const: 'parcel' } } },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: { required: ['grams'] },
      else: { properties: { grams: { maximum: 50 } } },
      additionalProperties: false,
    },
  },
}

const FIXTURE_TOOLS: readonly ToolDefinition[] = Object.entries(FIXTURES).map(([name, fixture]) => ({
  declaration: {
    name,
    title: name,
    description: `Conformance fixture ${name}`,
    inputSchema: fixture.inputSchema ?? { type: 'object', properties: {} },
    annotations: {
      title: name,
      readOnlyHint: true,
      destructiveHint: false,
      idempotentHint: true,
      openWorldHint: false,
    },
  },
  credentialArguments: [],
  validate: () => ({
    operation: { module: undefined, method: undefined, effect: 'read', env: [], product: [], path: [] },
    credentials: [],
    arguments: {},
    text: '{}',
    request: () => {
      throw new Error('a fixture asks no backend')
    },
    answer: () => {
      throw new Error('a fixture asks no backend')
    },
  }),
  failure: () => 'The fixture failed.',
}))

const runFixture = (call: Call): Verdict => {
  const fixture = FIXTURES[call.toolName]
  if (fixture === undefined) throw new Error('resolve let an unknown tool through')
  const answer = fixture.run(call)
  if ('code' in answer) return answer
  call.result = answer
  return undefined
}

/** The product's stages with the fixtures in the place of backend and shape. */
const FIXTURE_STAGES: readonly StageRow[] = STAGES.filter((row) => row.name !== 'shape').map((row) =>
  row.name === 'backend' ? { ...row, prepare: () => runFixture } : row,
)

/** The service with these tools, and a policy that allows them: the built-in one knows only the product's own. */
export async function startFixture(): Promise<TestApp> {
  const live = temporary()
  live.file('policy.yaml', JSON.stringify({ roles: { local: { allow: [{ tool: '*', approval: 'none' }] } } }))
  const service = await startApp({
    tools: FIXTURE_TOOLS,
    stages: FIXTURE_STAGES,
    config: { live: live.path },
  })
  return {
    ...service,
    async close() {
      await service.close()
      live.remove()
    },
  }
}
