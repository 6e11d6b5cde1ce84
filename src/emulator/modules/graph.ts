// Graphs: definitions, connection context, nodes and relationships in memory (contract 10.6).

import { definitions, found } from '../collection.ts'
import { compileMatch } from '../match.ts'
import { failed, malformed, notFound } from '../refusal.ts'
import {
  CAPS,
  type Call,
  components,
  type Handlers,
  keyOf,
  locate,
  newId,
  productOf,
  put,
  store,
} from '../state.ts'
import {
  asObject,
  asText,
  flag,
  isObject,
  type Json,
  type JsonObject,
  list,
  optionalList,
  optionalObject,
  optionalText,
  pick,
  text,
  textList,
  wholeNumber,
} from '../values.ts'
import { allPaths, components as connectedParts, neighborhood, shortestPath, traverse } from './graph-walk.ts'

export interface Node {
  id: string
  labels: string[]
  properties: JsonObject
}
export interface Relationship {
  id: string
  type: string
  startNodeId: string
  endNodeId: string
  properties: JsonObject
}
export interface Graph {
  nodes: Map<string, Node>
  relationships: Map<string, Relationship>
  indexes: Map<string, JsonObject>
  constraints: Map<string, JsonObject>
}

const own = definitions({ kind: 'graph', what: 'graph' })

export const graphs = (call: Pick<Call, 'workspace'>) => store<Graph>(call.workspace, 'graphs')

export function emptyGraph(): Graph {
  return { nodes: new Map(), relationships: new Map(), indexes: new Map(), constraints: new Map() }
}

function connect(call: Call, [first]: Json[]) {
  const { product, env, tag } = locate(call, asObject(first, 'config'), 'graph', 'graph', 'graph')
  call.workspace.connection.set('graph', { product: product.tag, env, tag })
  return { connected: true, type: 'memory', latency: 0 }
}

// The graph of the workspace's last connect: the methods themselves name none.
function at(call: Call): Graph {
  const target = call.workspace.connection.get('graph')
  if (target === undefined) throw failed('CONNECTION_ERROR', 'not connected: call graph.connect first')
  const { product, env, tag } = target
  found(components(productOf(call.workspace, product), 'graph'), tag, 'graph')
  const key = keyOf(product, env, tag)
  let graph = graphs(call).get(key)
  if (graph === undefined) {
    graph = emptyGraph()
    put(graphs(call), key, graph, CAPS.items, 'graphs')
  }
  return graph
}

const data = (value: Json | undefined): JsonObject => asObject(value, 'data')
const labelsOf = (value: JsonObject): string[] =>
  textList(optionalList(value, 'labels') ?? [], 'labels').slice(0, 50)

function nodeOf(graph: Graph, id: string): Node {
  const node = graph.nodes.get(id)
  if (node === undefined) throw notFound('node')
  return node
}

function relationshipOf(graph: Graph, id: string): Relationship {
  const relationship = graph.relationships.get(id)
  if (relationship === undefined) throw notFound('relationship')
  return relationship
}

// {$INCREMENT: n} adds to a number; everything else replaces.
function merged(properties: JsonObject, changes: JsonObject): JsonObject {
  const entries = Object.entries(changes).map(([name, value]): [string, Json] => {
    const step = isObject(value) ? (value['$INCREMENT'] ?? value['$inc']) : undefined
    if (typeof step !== 'number') return [name, value]
    const before = Object.hasOwn(properties, name) ? properties[name] : 0
    return [name, (typeof before === 'number' ? before : 0) + step]
  })
  return { ...properties, ...Object.fromEntries(entries) }
}

function selectNodes(graph: Graph, labels: string[], where: Json | undefined): Node[] {
  const matches = compileMatch(where)
  return [...graph.nodes.values()].filter(
    (node) => labels.every((label) => node.labels.includes(label)) && matches(node.properties),
  )
}

function selectRelationships(graph: Graph, value: JsonObject): Relationship[] {
  const matches = compileMatch(pick(value, ['where']))
  const type = pick(value, ['type', 'types'])
  const types = type === undefined ? undefined : Array.isArray(type) ? type : [type]
  const [from, to] = [optionalText(value, 'startNodeId', 'fromId'), optionalText(value, 'endNodeId', 'toId')]
  return [...graph.relationships.values()].filter(
    (item) =>
      (types === undefined || types.includes(item.type)) &&
      (from === undefined || item.startNodeId === from) &&
      (to === undefined || item.endNodeId === to) &&
      matches(item.properties),
  )
}

function createNode(call: Call, graph: Graph, labels: string[], properties: JsonObject): Node {
  const node: Node = { id: newId(call, 'n_'), labels, properties }
  return put(graph.nodes, node.id, node, CAPS.graphItems, 'nodes')
}

function createRelationship(
  call: Call,
  graph: Graph,
  value: JsonObject,
  properties: JsonObject,
): Relationship {
  const relationship: Relationship = {
    id: newId(call, 'r_'),
    type: text(value, 'type'),
    startNodeId: nodeOf(graph, text(value, 'fromId', 'startNodeId')).id,
    endNodeId: nodeOf(graph, text(value, 'toId', 'endNodeId')).id,
    properties,
  }
  return put(graph.relationships, relationship.id, relationship, CAPS.graphItems, 'relationships')
}

function deleteNode(call: Call, [first]: Json[]) {
  const graph = at(call)
  const value = data(first)
  const id = optionalText(value, 'id')
  const bulk = pick(value, ['labels', 'where']) !== undefined
  if (id === undefined && !bulk) throw malformed('id is required')
  const nodes = id === undefined ? selectNodes(graph, labelsOf(value), value['where']) : [nodeOf(graph, id)]
  const gone = new Set(nodes.map((node) => node.id))
  const tied = [...graph.relationships.values()].filter(
    (r) => gone.has(r.startNodeId) || gone.has(r.endNodeId),
  )
  if (tied.length > 0 && !flag(value, 'detach')) {
    throw failed('CONSTRAINT_ERROR', 'the node still has relationships; pass detach: true')
  }
  for (const { id: relationship } of tied) graph.relationships.delete(relationship)
  for (const node of gone) graph.nodes.delete(node)
  return { deleted: gone.size > 0, deletedCount: gone.size }
}

function changeLabels(call: Call, [first]: Json[], change: (now: string[], given: string[]) => string[]) {
  const value = data(first)
  const node = nodeOf(at(call), text(value, 'id'))
  node.labels = [...new Set(change(node.labels, textList(list(value, 'labels'), 'labels')))].slice(0, 50)
  return { node }
}

const counts = (groups: Iterable<string>): JsonObject => {
  const tally = new Map<string, number>()
  for (const name of groups) tally.set(name, (tally.get(name) ?? 0) + 1)
  return Object.fromEntries(tally)
}

function schemaItem(kind: 'indexes' | 'constraints', target: 'label' | 'type') {
  return (call: Call, [first]: Json[]) => {
    const value = data(first)
    const fields = optionalList(value, 'properties') ?? [text(value, 'field')]
    const owner = text(value, target, 'label')
    const name = optionalText(value, 'name') ?? `${owner}_${fields.map(String).join('_')}`.slice(0, 100)
    const record = { name, [target]: owner, properties: fields, kind: optionalText(value, 'type') ?? 'btree' }
    const all = at(call)[kind]
    if (all.has(name)) throw failed('SCHEMA_ERROR', 'the name is taken')
    put(all, name, record, CAPS.items, kind)
    return { created: true, name }
  }
}

const dropItem = (kind: 'indexes' | 'constraints') => (call: Call, args: Json[]) => {
  const dropped = at(call)[kind].delete(asText(args[0], 'name'))
  if (!dropped) throw notFound(kind === 'indexes' ? 'index' : 'constraint')
  return { dropped }
}

export const handlers: Handlers = {
  create: own.create,
  fetchAll: own.list,
  fetch: own.fetch,
  update: own.update,
  delete(call, [first, second]) {
    // The reference has (graph, product?), the web console (product, graph).
    const { products } = call.workspace
    const [graph, product] = products.has(asText(first, 'graph_tag')) ? [second, first] : [first, second]
    const owner = [...products.values()].find((item) =>
      components(item, 'graph').has(asText(graph, 'graph_tag')),
    )
    return own.delete(call, [product ?? owner?.tag ?? '', graph ?? null])
  },
  connect,
  testConnection(call, [first]) {
    locate(call, asObject(first, 'config'), 'graph', 'graph', 'graph')
    return { connected: true, type: 'memory', latency: 0 }
  },
  disconnect(call) {
    call.workspace.connection.delete('graph')
  },
  disconnectAll(call) {
    call.workspace.connection.delete('graph')
  },
  getCurrentContext(call) {
    const target = call.workspace.connection.get('graph')
    return target ? { product: target.product, env: target.env, graph: target.tag } : null
  },
  createNode(call, [first]) {
    const value = data(first)
    const node = createNode(call, at(call), labelsOf(value), optionalObject(value, 'properties') ?? {})
    return { node, created: true }
  },
  findNodes(call, [first]) {
    const value = data(first)
    const nodes = selectNodes(at(call), labelsOf(value), value['where'])
    const skip = wholeNumber(value, 'skip', 0, CAPS.graphItems)
    const limit = wholeNumber(value, 'limit', CAPS.graphItems, CAPS.graphItems)
    return { nodes: nodes.slice(skip, skip + limit), count: nodes.length }
  },
  findNodeById: (call, [id]) => at(call).nodes.get(asText(id, 'id')) ?? null,
  updateNode(call, [first]) {
    const value = data(first)
    const graph = at(call)
    const id = optionalText(value, 'id')
    const bulk = pick(value, ['labels', 'where']) !== undefined
    if (id === undefined && !bulk) throw malformed('id is required')
    const nodes = id === undefined ? selectNodes(graph, labelsOf(value), value['where']) : [nodeOf(graph, id)]
    const changes = asObject(value['properties'], 'properties')
    for (const node of nodes) node.properties = merged(node.properties, changes)
    return { ...(id === undefined ? { nodes } : { node: nodes[0] }), updatedCount: nodes.length }
  },
  deleteNode,
  mergeNode(call, [first]) {
    const value = data(first)
    const graph = at(call)
    const wanted = optionalObject(value, 'matchProps', 'matchProperties') ?? {}
    const [known] = selectNodes(graph, labelsOf(value), wanted)
    const changes = optionalObject(value, 'setProps', known ? 'onMatch' : 'onCreate') ?? {}
    if (known === undefined) {
      return { node: createNode(call, graph, labelsOf(value), { ...wanted, ...changes }), created: true }
    }
    known.properties = merged(known.properties, changes)
    return { node: known, created: false }
  },
  addLabels: (call, args) => changeLabels(call, args, (now, given) => [...now, ...given]),
  removeLabels: (call, args) =>
    changeLabels(call, args, (now, given) => now.filter((label) => !given.includes(label))),
  setLabels: (call, args) => changeLabels(call, args, (_now, given) => given),
  createRelationship(call, [first]) {
    const value = data(first)
    const properties = optionalObject(value, 'properties') ?? {}
    return { relationship: createRelationship(call, at(call), value, properties), created: true }
  },
  findRelationships(call, [first]) {
    const value = data(first)
    const relationships = selectRelationships(at(call), value)
    const limit = wholeNumber(value, 'limit', CAPS.graphItems, CAPS.graphItems)
    return { relationships: relationships.slice(0, limit), count: relationships.length }
  },
  findRelationshipById: (call, [id]) => at(call).relationships.get(asText(id, 'id')) ?? null,
  updateRelationship(call, [first]) {
    const value = data(first)
    const relationship = relationshipOf(at(call), text(value, 'id'))
    relationship.properties = merged(relationship.properties, asObject(value['properties'], 'properties'))
    return { relationship, updatedCount: 1 }
  },
  deleteRelationship(call, [first]) {
    const value = data(first)
    const graph = at(call)
    const id = optionalText(value, 'id')
    const bulk = pick(value, ['type', 'where', 'startNodeId', 'endNodeId']) !== undefined
    if (id === undefined && !bulk) throw malformed('id is required')
    const gone = id === undefined ? selectRelationships(graph, value) : [relationshipOf(graph, id)]
    for (const relationship of gone) graph.relationships.delete(relationship.id)
    return { deleted: gone.length > 0, deletedCount: gone.length }
  },
  mergeRelationship(call, [first]) {
    const value = data(first)
    const graph = at(call)
    const wanted = optionalObject(value, 'matchProps') ?? {}
    const [known] = selectRelationships(graph, { ...value, where: wanted })
    const changes = optionalObject(value, 'setProps') ?? {}
    if (known === undefined) {
      return {
        relationship: createRelationship(call, graph, value, { ...wanted, ...changes }),
        created: true,
      }
    }
    known.properties = merged(known.properties, changes)
    return { relationship: known, created: false }
  },
  traverse: (call, [first]) => traverse(at(call), data(first)),
  shortestPath: (call, [first]) => shortestPath(at(call), data(first)),
  allPaths: (call, [first]) => allPaths(at(call), data(first)),
  getNeighborhood: (call, [first]) => neighborhood(at(call), data(first)),
  findConnectedComponents(call, [first]) {
    const graph = at(call)
    return { components: connectedParts(graph, selectNodes(graph, labelsOf(data(first)), undefined)) }
  },
  countNodes(call, [labels, where]) {
    const wanted = Array.isArray(labels) ? textList(labels, 'labels') : []
    return { count: selectNodes(at(call), wanted, where).length }
  },
  countRelationships(call, [types, where]) {
    const value: JsonObject = {
      ...(Array.isArray(types) && types.length ? { types } : {}),
      where: where ?? {},
    }
    return { count: selectRelationships(at(call), value).length }
  },
  getStatistics(call) {
    const { nodes, relationships } = at(call)
    return {
      nodeCount: nodes.size,
      relationshipCount: relationships.size,
      labels: counts([...nodes.values()].flatMap((node) => node.labels)),
      relationshipTypes: counts([...relationships.values()].map(({ type }) => type)),
    }
  },
  'schema.createNodeIndex': schemaItem('indexes', 'label'),
  'schema.createRelationshipIndex': schemaItem('indexes', 'type'),
  'schema.createNodeConstraint': schemaItem('constraints', 'label'),
  'schema.listIndexes': (call) => ({ indexes: [...at(call).indexes.values()] }),
  'schema.listConstraints': (call) => ({ constraints: [...at(call).constraints.values()] }),
  'schema.dropIndex': dropItem('indexes'),
  'schema.dropConstraint': dropItem('constraints'),
  'schema.listLabels': (call) => ({
    labels: [...new Set([...at(call).nodes.values()].flatMap((n) => n.labels))],
  }),
  'schema.listRelationshipTypes': (call) => ({
    relationshipTypes: [...new Set([...at(call).relationships.values()].map(({ type }) => type))],
  }),
}
