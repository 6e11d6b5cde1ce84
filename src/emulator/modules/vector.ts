// Vector stores: definitions, vectors by namespace, exact search with metadata filters (contract 10.11).

import { definitions, found } from '../collection.ts'
import { compileMatch } from '../match.ts'
import { failed, malformed, notFound, overLimit } from '../refusal.ts'
import { CAPS, type Call, components, type Handlers, locate, productOf, store } from '../state.ts'
import {
  asObject,
  asText,
  flag,
  type Json,
  type JsonObject,
  list,
  numberList,
  optionalList,
  optionalNumber,
  optionalObject,
  optionalText,
  pick,
  text,
  textList,
  wholeNumber,
} from '../values.ts'

export interface Vector {
  id: string
  values: number[]
  metadata: JsonObject
}
export type Namespaces = Map<string, Map<string, Vector>>

const METRICS = ['cosine', 'euclidean', 'dotproduct', 'manhattan'] as const

export const indexes = (call: Pick<Call, 'workspace'>) => store<Namespaces>(call.workspace, 'vectors')

const own = definitions({
  kind: 'vector',
  what: 'vector store',
  check(data) {
    const dimensions = optionalNumber(data, 'dimensions', 'dimension')
    if (
      dimensions === undefined ||
      !Number.isInteger(dimensions) ||
      dimensions < 1 ||
      dimensions > CAPS.dimensions
    ) {
      throw malformed(`dimensions must be a whole number of 1 to ${CAPS.dimensions}`)
    }
    const metric = optionalText(data, 'metric')
    if (metric !== undefined && !METRICS.some((name) => name === metric)) {
      throw malformed(`metric must be one of ${METRICS.join(', ')}`)
    }
  },
})

// "vector" names the store in most methods and is the embedding in query; the type tells which.
function at(call: Call, [first]: Json[]) {
  const given = asObject(first, 'data')
  const tag = typeof given['tag'] === 'string' ? given['tag'] : given['vector']
  const data: JsonObject = { ...given, tag: typeof tag === 'string' ? tag : '' }
  if (data['tag'] === '') throw malformed('vector is required')
  const { definition, key } = locate(call, data, 'vector', 'vector store', 'tag')
  let namespaces = indexes(call).get(key)
  if (namespaces === undefined) {
    namespaces = new Map()
    indexes(call).set(key, namespaces)
  }
  const space = optionalText(data, 'namespace') ?? 'default'
  return {
    data,
    namespaces,
    space,
    vectors: namespaces.get(space) ?? new Map<string, Vector>(),
    ...shape(definition),
  }
}

function shape(definition: JsonObject) {
  const dimensions = definition['dimensions'] ?? definition['dimension']
  const metric = METRICS.find((name) => name === definition['metric']) ?? 'cosine'
  return { dimension: typeof dimensions === 'number' ? dimensions : 0, metric }
}

type Place = ReturnType<typeof at>

function embedding({ dimension }: Place, value: Json[] | undefined): number[] {
  const values = numberList(value ?? [], 'values')
  if (values.length !== dimension) {
    throw failed(
      'DIMENSION_MISMATCH',
      `the store has ${dimension} dimensions, ${values.length} values were given`,
    )
  }
  return values
}

const dot = (a: number[], b: number[]): number =>
  a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0)
const norm = (a: number[]): number => Math.sqrt(dot(a, a))

// Distances are turned round, so that the nearest always has the highest score.
function score(metric: Place['metric'], a: number[], b: number[]): number {
  if (metric === 'dotproduct') return dot(a, b)
  if (metric === 'cosine') {
    const size = norm(a) * norm(b)
    return size === 0 ? 0 : dot(a, b) / size
  }
  const gaps = a.map((value, index) => Math.abs(value - (b[index] ?? 0)))
  const distance = metric === 'manhattan' ? gaps.reduce((sum, gap) => sum + gap, 0) : norm(gaps)
  return 1 / (1 + distance)
}

function search(call: Call, args: Json[]) {
  const place = at(call, args)
  const { data, vectors, metric } = place
  const wanted = embedding(
    place,
    optionalList(data, 'values') ?? (Array.isArray(data['vector']) ? data['vector'] : undefined),
  )
  const topK = Math.max(1, wholeNumber(data, 'topK', 10, 1000))
  const least = optionalNumber(data, 'minScore') ?? Number.NEGATIVE_INFINITY
  const matches = compileMatch(pick(data, ['filter']))
  return {
    matches: [...vectors.values()]
      .filter(({ metadata }) => matches(metadata))
      .map((vector) => ({ vector, score: score(metric, wanted, vector.values) }))
      .filter((item) => item.score >= least)
      .sort((a, b) => b.score - a.score || (a.vector.id < b.vector.id ? -1 : 1))
      .slice(0, topK)
      .map(({ vector, score: value }) => ({
        id: vector.id,
        score: Number.isFinite(value) ? Math.round(value * 1e9) / 1e9 : 0,
        ...(flag(data, 'includeMetadata') ? { metadata: vector.metadata } : {}),
        ...(flag(data, 'includeValues') ? { values: vector.values } : {}),
      })),
  }
}

function write(place: Place, items: JsonObject[]): void {
  const made = items.map((item): Vector => {
    const id = text(item, 'id')
    if (id.length > 512) throw malformed('id has at most 512 characters')
    return {
      id,
      values: embedding(place, list(item, 'values')),
      metadata: optionalObject(item, 'metadata') ?? {},
    }
  })
  const { namespaces, space, vectors } = place
  const fresh = new Set(made.filter(({ id }) => !vectors.has(id)).map(({ id }) => id)).size
  let total = fresh
  for (const held of namespaces.values()) total += held.size
  if (total > CAPS.vectors) throw overLimit(`a vector store has at most ${CAPS.vectors} vectors`)
  if (!namespaces.has(space) && namespaces.size >= CAPS.items)
    throw overLimit(`at most ${CAPS.items} namespaces`)
  for (const vector of made) vectors.set(vector.id, vector)
  namespaces.set(space, vectors)
}

function vectorOf({ data, vectors }: Place): Vector {
  const vector = vectors.get(text(data, 'id'))
  if (vector === undefined) throw notFound('vector')
  return vector
}

function removeIds({ vectors }: Place, ids: string[]) {
  return { deletedCount: ids.filter((id) => vectors.delete(id)).length }
}

function deleteVectors(call: Call, args: Json[]) {
  const place = at(call, args)
  const { data, vectors } = place
  if (flag(data, 'deleteAll')) return deleteAll(call, args)
  const ids = optionalList(data, 'ids')
  if (ids) return removeIds(place, textList(ids, 'ids'))
  const filter = optionalObject(data, 'filter')
  if (filter === undefined) throw malformed('ids is required')
  const matches = compileMatch(filter)
  return removeIds(
    place,
    [...vectors.values()].filter(({ metadata }) => matches(metadata)).map(({ id }) => id),
  )
}

function deleteAll(call: Call, args: Json[]) {
  const { data, namespaces, space, vectors } = at(call, args)
  if (optionalText(data, 'namespace') !== undefined) {
    namespaces.delete(space)
    return { deletedCount: vectors.size }
  }
  const count = [...namespaces.values()].reduce((sum, { size }) => sum + size, 0)
  namespaces.clear()
  return { deletedCount: count }
}

function listed({ data, vectors }: Place, limit: number) {
  const prefix = optionalText(data, 'prefix') ?? ''
  const after = optionalText(data, 'cursor')
  const all = [...vectors.keys()]
    .filter((id) => id.startsWith(prefix) && (after === undefined || id > after))
    .sort()
  const page = all.slice(0, limit)
  const last = page.at(-1)
  return {
    vectors: page.map((id) => ({ id })),
    ...(all.length > limit && last !== undefined ? { cursor: last } : {}),
  }
}

const counts = ({ namespaces }: Place) =>
  Object.fromEntries([...namespaces].map(([name, vectors]) => [name, { vectorCount: vectors.size }]))

function definitionOf(
  call: Call,
  [first]: Json[],
): { tag: string; all: Map<string, JsonObject>; data: JsonObject } {
  const data = asObject(first, 'data')
  const all = components(productOf(call.workspace, text(data, 'product')), 'vector')
  return { tag: asText(pick(data, ['tag', 'vector']), 'tag'), all, data }
}

export const handlers: Handlers = {
  ...own,
  fetch(call, args) {
    const { tag, all } = definitionOf(call, args)
    return found(all, tag, 'vector store')
  },
  connect(call, args) {
    at(call, args)
    return { connected: true, latency: 0 }
  },
  disconnect(call, args) {
    at(call, args)
  },
  disconnectAll() {},
  testConnection(call, args) {
    at(call, args)
    return { connected: true, latency: 0 }
  },
  query: search,
  findSimilar: search,
  upsert(call, args) {
    const place = at(call, args)
    const items = list(place.data, 'vectors').map((item) => asObject(item, 'every item of vectors'))
    if (items.length === 0 || items.length > 1000) throw malformed('vectors needs 1 to 1000 members')
    write(place, items)
    return { upsertedCount: items.length }
  },
  upsertOne(call, args) {
    const place = at(call, args)
    write(place, [place.data])
    return { upsertedCount: 1 }
  },
  fetchVectors(call, args) {
    const { data, vectors } = at(call, args)
    const ids = textList(list(data, 'ids'), 'ids').slice(0, 1000)
    return {
      vectors: Object.fromEntries(ids.flatMap((id) => (vectors.has(id) ? [[id, vectors.get(id)]] : []))),
    }
  },
  fetchOne(call, args) {
    const { data, vectors } = at(call, args)
    return vectors.get(text(data, 'id')) ?? null
  },
  deleteVectors,
  deleteByIds: deleteVectors,
  deleteAll,
  updateVector(call, args) {
    const place = at(call, args)
    const vector = vectorOf(place)
    const values = optionalList(place.data, 'values')
    if (values) vector.values = embedding(place, values)
    const set = optionalObject(place.data, 'setMetadata')
    if (set) vector.metadata = set
    vector.metadata = { ...vector.metadata, ...optionalObject(place.data, 'mergeMetadata') }
    return { updated: true }
  },
  updateMetadata(call, args) {
    const place = at(call, args)
    const vector = vectorOf(place)
    const metadata = asObject(place.data['metadata'], 'metadata')
    vector.metadata = flag(place.data, 'merge') ? { ...vector.metadata, ...metadata } : metadata
    return { updated: true }
  },
  listVectors(call, args) {
    const place = at(call, args)
    return listed(place, Math.max(1, wholeNumber(place.data, 'limit', 100, 1000)))
  },
  listAllVectors: (call, args) => listed(at(call, args), CAPS.vectors),
  listNamespaces: (call, args) => ({ namespaces: [...at(call, args).namespaces.keys()] }),
  deleteNamespace(call, args) {
    const { data, namespaces } = at(call, args)
    return { deleted: namespaces.delete(text(data, 'namespace')) }
  },
  describeIndex(call, args) {
    const { dimension, metric } = at(call, args)
    return { dimension, metric, provider: 'memory', status: 'ready' }
  },
  getStats(call, args) {
    const place = at(call, args)
    const total = [...place.namespaces.values()].reduce((sum, { size }) => sum + size, 0)
    return { totalVectorCount: total, dimension: place.dimension, namespaces: counts(place) }
  },
  listIndexes(call, args) {
    const { data, dimension, metric } = at(call, args)
    return { indexes: [{ name: data['tag'], dimension, metric }] }
  },
  count(call, args) {
    const { data, namespaces, vectors } = at(call, args)
    if (optionalText(data, 'namespace') !== undefined) return vectors.size
    return [...namespaces.values()].reduce((sum, { size }) => sum + size, 0)
  },
  exists(call, args) {
    const { data, vectors } = at(call, args)
    return vectors.has(text(data, 'id'))
  },
  supportsFeature(call, args) {
    const { data } = at(call, args)
    return ['metadata-filter', 'namespaces', 'fetch', 'list'].includes(text(data, 'feature'))
  },
}
