// Decides what a call does where its arguments decide (ductape-backend.md 9.3): effects only ever rise above the catalogue's.

import { isObject, type Json, member } from '../core/json.ts'
import type { Effect } from '../core/tool.ts'
import { isEveryRow } from './filters.ts'
import type { MethodEntry } from './index.ts'
import { listOf, type RawText, stepModule, TEXTS } from './texts.ts'

/** One argument-dependent case. */
export interface EffectRow {
  readonly id: string
  /** `module.method`; `*.dispatch` stands for every method of that last name. */
  readonly methods: readonly string[]
  readonly looksAt: string
  readonly because: string
  /** What `raise` can answer, for the listing of tools. */
  readonly gives: readonly Effect[]
  /** The effect that the arguments show, raw texts aside, or undefined where they show nothing. */
  raise?(params: readonly Json[], entry: MethodEntry): Effect | undefined
  /** The raw texts among them: where `gives` has destructive, each makes the call that until a guard has shown it to be harmless. */
  texts?(params: readonly Json[], module: string): readonly RawText[]
}

const RANK: Readonly<Record<Effect, number>> = { read: 0, write: 1, destructive: 2, admin: 3 }

const stronger = (a: Effect, b: Effect | undefined): Effect => (b !== undefined && RANK[b] > RANK[a] ? b : a)

const ALL: readonly Effect[] = ['read', 'write', 'destructive', 'admin']

export const EFFECT_ROWS: readonly EffectRow[] = [
  {
    id: 'database-raw-query',
    methods: ['databases.query'],
    looksAt: 'members query and sql of an argument, or a first argument that is no object',
    gives: ['destructive'],
    because: 'Raw text can do anything; only the structured form reads.',
    raise: ([first]) => (isObject(first) || typeof first === 'string' ? undefined : 'destructive'),
    texts: TEXTS.inQuery,
  },
  {
    id: 'database-definition-update',
    methods: ['databases.update'],
    looksAt: 'the type of the arguments',
    gives: ['admin'],
    because: 'An object updates rows; strings (product_tag, database_tag, data) change the definition.',
    raise: (params) =>
      isObject(params[0]) && !params.some((item) => typeof item === 'string') ? undefined : 'admin',
  },
  {
    id: 'rows-without-where',
    methods: ['databases.update', 'databases.updateRecords'],
    looksAt: 'where: absent, empty, or one that every row fits',
    gives: ['destructive'],
    because: 'It may change every row.',
    raise: (params) => (isEveryRow(member(params[0], 'where')) ? 'destructive' : undefined),
  },
  {
    id: 'database-delete',
    methods: ['databases.delete'],
    looksAt: 'nothing: rows (an object) and the whole definition (strings) weigh the same',
    gives: ['destructive'],
    because: 'Both are destructive.',
    raise: () => 'destructive',
  },
  {
    id: 'graph-bulk-update',
    methods: ['graph.updateNode', 'graph.updateRelationship'],
    looksAt: 'id absent, and where absent, empty, or one that everything fits',
    gives: ['destructive'],
    because: 'Without an id it is an update in bulk.',
    raise: ([first]) =>
      typeof member(first, 'id') === 'string' || !isEveryRow(member(first, 'where'))
        ? undefined
        : 'destructive',
  },
  {
    id: 'graph-raw-query',
    methods: ['graph.query'],
    looksAt: 'nothing: the text at /0, /0/query or /0/cypher is raw Cypher',
    gives: ['destructive'],
    because: 'Raw text can do anything.',
    raise: () => 'destructive',
    texts: TEXTS.inQuery,
  },
  {
    id: 'graph-transaction',
    methods: ['graph.executeTransaction'],
    looksAt: 'nothing: each operation may be raw Cypher',
    gives: ['destructive'],
    because: 'Raw text can do anything.',
    raise: () => 'destructive',
    texts: TEXTS.inTransaction,
  },
  {
    id: 'definition-update',
    methods: ['graph.update', 'vector.update'],
    looksAt: 'nothing',
    gives: ['admin'],
    because: 'The short names mean the definition of the store, never its nodes or vectors.',
    raise: () => 'admin',
  },
  {
    id: 'definition-delete',
    methods: ['graph.delete', 'vector.delete'],
    looksAt: 'nothing',
    gives: ['destructive'],
    because: 'The short names mean the definition of the store, never its nodes or vectors.',
    raise: () => 'destructive',
  },
  {
    id: 'dispatch-operation',
    methods: ['*.dispatch', 'graph.execute', 'vector.actions.execute'],
    looksAt: 'operation, and in input what the operation would be judged by',
    gives: ALL,
    because: 'The real operation is inside; a saved action (no operation to be seen) writes at least.',
    raise: (params, entry) => worst(params, entry.module, inside),
    texts: TEXTS.inDispatch,
  },
  {
    id: 'saved-action',
    methods: [
      'databases.action.create',
      'databases.action.update',
      'graph.action.create',
      'graph.action.update',
      'graph.createAction',
      'graph.updateAction',
      'vector.actions.create',
      'vector.actions.update',
    ],
    looksAt: 'operation, and raw text in query, sql or template, of the definition',
    gives: ALL,
    because: 'To run a saved action is a write, so what it does has to be allowed when it is saved.',
    raise: (params, entry) => worst(params, entry.module, saved),
    texts: TEXTS.inSavedAction,
  },
  {
    id: 'feature-steps',
    methods: ['features.create', 'features.update', 'features.define'],
    looksAt: 'type and operation of each step',
    gives: ALL,
    because: 'To run a feature is a write, so what its steps do has to be allowed when it is saved.',
    raise: (params, entry) => worst(params, entry.module, steps),
    texts: TEXTS.inSteps,
  },
  {
    id: 'cache-clear',
    methods: ['caches.clear', 'caches.clearAll'],
    looksAt: 'nothing: one key in one source, the whole cache in another',
    gives: ['destructive'],
    because: 'The worse of the two counts.',
    raise: () => 'destructive',
  },
  {
    id: 'quota-check-amount',
    methods: ['quotas.check', 'resilience.quotas.check'],
    looksAt: 'amount',
    gives: ['write'],
    because: 'With an amount, check may consume it.',
    raise: ([first]) => (member(first, 'amount') === undefined ? undefined : 'write'),
  },
  {
    id: 'expiring-index',
    methods: ['databases.schema.createIndex'],
    looksAt: 'expireAfterSeconds of the options',
    gives: ['destructive'],
    because: 'A TTL index deletes documents.',
    raise: (params) =>
      params.some((item) => holdsAny(item, ['expireAfterSeconds'])) ? 'destructive' : undefined,
  },
  {
    id: 'raw-predicate',
    methods: ['databases.schema.createIndex', 'databases.schema.addConstraint'],
    looksAt: 'where of the options, expression of the constraint',
    gives: ['destructive'],
    because: 'Both are raw text of the database.',
    texts: TEXTS.inPredicate,
  },
  {
    id: 'migration-text',
    methods: [
      'databases.migration.create',
      'databases.migration.update',
      'databases.migration.run',
      'databases.migration.rollback',
    ],
    looksAt: 'raw text in the operations up and down',
    gives: [],
    because: 'To run a migration is destructive as it is; what is saved does nothing until then.',
    texts: TEXTS.inMigration,
  },
  {
    id: 'runs-something-saved',
    methods: [
      'actions.run',
      'fallback.run',
      'features.run',
      'features.execute',
      'quotas.run',
      'resilience.fallbacks.execute',
    ],
    looksAt: 'nothing: the arguments do not show what the third party or the steps do',
    gives: ['write'],
    because: 'The true effect is that of the third-party call or of the steps; a write at least.',
    raise: () => 'write',
  },
]

const NONE: readonly EffectRow[] = []
const rowsOf = new Map<string, readonly EffectRow[]>()
// An entry of the catalogue is one object for ever, so its rows are found once.
const prepared = new WeakMap<MethodEntry, readonly EffectRow[]>()

for (const row of EFFECT_ROWS)
  for (const method of row.methods) rowsOf.set(method, [...(rowsOf.get(method) ?? NONE), row])

function prepare(entry: MethodEntry): readonly EffectRow[] {
  const exact = rowsOf.get(`${entry.module}.${entry.method}`) ?? NONE
  const general = rowsOf.get(`*.${entry.method.split('.').at(-1)}`) ?? NONE
  const rows = [...exact, ...general]
  prepared.set(entry, rows)
  return rows
}

export interface ShownEffect {
  /** The catalogue's, or a stronger one that the arguments show, raw texts aside. */
  readonly effect: Effect
  /** What the raw texts make of it; undefined = nothing stronger. */
  readonly unproven: Effect | undefined
}

/** What this call does. Any arguments are answered. */
export function shownEffect(entry: MethodEntry, params: readonly Json[]): ShownEffect {
  const rows = prepared.get(entry) ?? prepare(entry)
  let effect = entry.effect
  let most = effect
  for (const row of rows) {
    effect = stronger(effect, row.raise?.(params, entry))
    if (
      row.texts !== undefined &&
      row.gives.includes('destructive') &&
      row.texts(params, entry.module).length > 0
    )
      most = stronger(most, 'destructive')
  }
  return { effect, unproven: RANK[most] > RANK[effect] ? most : undefined }
}

/** The same with every raw text taken for the worst. */
export function effectOf(entry: MethodEntry, params: readonly Json[]): Effect {
  const { effect, unproven } = shownEffect(entry, params)
  return unproven ?? effect
}

/** True where `rawTexts` could find one. */
export const hasRawTexts = (entry: MethodEntry): boolean =>
  (prepared.get(entry) ?? prepare(entry)).some((row) => row.texts !== undefined)

/** Every raw text among the arguments: what guards look at. */
export function rawTexts(entry: MethodEntry, params: readonly Json[]): readonly RawText[] {
  let found: readonly RawText[] = []
  for (const row of prepared.get(entry) ?? prepare(entry)) {
    const texts = row.texts?.(params, entry.module)
    if (texts !== undefined && texts.length > 0) found = [...found, ...texts]
  }
  return found
}

function holdsAny(value: Json | undefined, names: readonly string[]): boolean {
  if (!isObject(value)) return false
  for (const name of names) if (Object.hasOwn(value, name)) return true
  return false
}

/** Names of operations as the sources write them, in lower case and without `_` and `-`; every other one is taken for the worst. */
const OPERATIONS: ReadonlyMap<string, Effect> = new Map([
  ...words(
    'read',
    'find findOne findMany findAll findById findSimilar findNodes findNodeById findRelationships',
  ),
  ...words(
    'read',
    'findRelationshipById query select get fetch fetchOne list listFiles download stats count sum',
  ),
  ...words('read', 'avg min max aggregate exists has search traverse shortestPath allPaths'),
  ...words(
    'write',
    'insert insertOne insertMany create add set upsert upsertOne update updateOne updateMany',
  ),
  ...words('write', 'updateRecords updateNode updateRelationship updateVector updateMetadata createNode'),
  ...words(
    'write',
    'createRelationship mergeNode mergeRelationship upload getSignedUrl publish send run execute',
  ),
  ...words(
    'destructive',
    'delete deleteOne deleteMany deleteAll deleteNode deleteRelationship deleteVectors',
  ),
  ...words(
    'destructive',
    'deleteByIds remove del drop clear clearAll reset revoke cancel raw rawSql sql cypher',
  ),
])

function words(effect: Effect, names: string): [string, Effect][] {
  return names.split(' ').map((name) => [name.toLowerCase(), effect])
}

/** Longer than every known name: what is beyond it need not be looked at. */
const LONGEST = 40

function operationEffect(module: string, operation: Json, input: Json | undefined): Effect {
  if (typeof operation !== 'string' || operation.length > LONGEST) return 'admin'
  const name = operation.toLowerCase().replace(/[_-]/g, '')
  const effect = OPERATIONS.get(name) ?? 'admin'
  if (module === 'graph' && name === 'query') return stronger(effect, 'destructive')
  // `where` decides for rows and nodes; the other modules name what they change.
  if (/^update(one|many|records)?$/.test(name) && isEveryRow(member(input, 'where')))
    return stronger(effect, 'destructive')
  return effect
}

type Judge = (found: Effect, module: string, item: Json) => Effect

/** The strongest effect that one of the arguments shows, a write at least. */
function worst(params: readonly Json[], module: string, judge: Judge): Effect {
  let effect: Effect = 'write'
  for (const item of params) effect = judge(effect, module, item)
  return effect
}

/** What a dispatch carries. */
function inside(found: Effect, module: string, item: Json): Effect {
  const operation = member(item, 'operation')
  if (operation === undefined) return found
  return stronger(found, operationEffect(module, operation, member(item, 'input')))
}

/** What a saved action would do: the definition stands in the argument itself or in its `data`. */
function saved(found: Effect, module: string, item: Json): Effect {
  let effect = found
  for (const definition of [item, member(item, 'data')]) {
    const template = member(definition, 'template')
    const operation = member(definition, 'operation')
    if (operation !== undefined) effect = stronger(effect, operationEffect(module, operation, template))
  }
  return effect
}

function steps(found: Effect, _module: string, item: Json): Effect {
  let effect = found
  for (const step of listOf(member(item, 'steps'))) {
    effect = inside(effect, stepModule(step) ?? '', step)
  }
  return effect
}
