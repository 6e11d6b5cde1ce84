// Walks over a graph, each bounded in depth, in paths and in steps (contract 10.6).

import { compileMatch } from '../match.ts'
import { failed, malformed, notFound } from '../refusal.ts'
import { type JsonObject, optionalText, pick, text, textList, wholeNumber } from '../values.ts'
import type { Graph, Node, Relationship } from './graph.ts'

const MAX_DEPTH = 10
const MAX_PATHS = 1000
const MAX_STEPS = 200_000

type Direction = 'OUTGOING' | 'INCOMING' | 'BOTH'

interface Step {
  relationship: Relationship
  node: Node
}
type Steps = (id: string) => Step[]

function directionOf(data: JsonObject, fallback: Direction): Direction {
  const given = optionalText(data, 'direction')?.toUpperCase()
  if (given === undefined) return fallback
  if (given === 'OUT' || given === 'OUTGOING') return 'OUTGOING'
  if (given === 'IN' || given === 'INCOMING') return 'INCOMING'
  if (given === 'BOTH') return 'BOTH'
  throw malformed('direction must be one of OUTGOING, INCOMING, BOTH')
}

// Neighbours by node, made once per call, so that a walk costs what it visits.
function neighbours(graph: Graph, direction: Direction, types: string[] | undefined): Steps {
  const map = new Map<string, Step[]>()
  const add = (from: string, relationship: Relationship, to: string): void => {
    const node = graph.nodes.get(to)
    if (node === undefined) return
    const steps = map.get(from)
    if (steps) steps.push({ relationship, node })
    else map.set(from, [{ relationship, node }])
  }
  for (const relationship of graph.relationships.values()) {
    if (types !== undefined && !types.includes(relationship.type)) continue
    if (direction !== 'INCOMING') add(relationship.startNodeId, relationship, relationship.endNodeId)
    if (direction !== 'OUTGOING') add(relationship.endNodeId, relationship, relationship.startNodeId)
  }
  return (id) => map.get(id) ?? []
}

function typesOf(data: JsonObject): string[] | undefined {
  const given = pick(data, ['relationshipTypes', 'relationshipType'])
  if (given === undefined) return undefined
  const types = textList(Array.isArray(given) ? given : [given], 'relationshipTypes')
  return types.length > 0 ? types : undefined
}

function nodeOf(graph: Graph, id: string): Node {
  const node = graph.nodes.get(id)
  if (node === undefined) throw notFound('node')
  return node
}

interface Path {
  nodes: Node[]
  relationships: Relationship[]
}

// Simple paths (no node twice), shortest first.
function* paths(start: Node, steps: Steps, maxDepth: number): Generator<Path> {
  let level: Path[] = [{ nodes: [start], relationships: [] }]
  let spent = 0
  for (let depth = 1; depth <= maxDepth && level.length > 0; depth++) {
    const next: Path[] = []
    for (const path of level) {
      const last = path.nodes.at(-1)
      for (const { relationship, node } of last ? steps(last.id) : []) {
        if (++spent > MAX_STEPS) throw failed('QUERY_ERROR', 'the walk is too large; lower maxDepth')
        if (path.nodes.includes(node)) continue
        const longer = { nodes: [...path.nodes, node], relationships: [...path.relationships, relationship] }
        yield longer
        next.push(longer)
      }
    }
    level = next
  }
}

const depthOf = (data: JsonObject, name: string, fallback: number): number =>
  Math.max(1, wholeNumber(data, name, fallback, MAX_DEPTH))

export function traverse(graph: Graph, data: JsonObject) {
  const start = nodeOf(graph, text(data, 'startId', 'startNodeId'))
  const steps = neighbours(graph, directionOf(data, 'OUTGOING'), typesOf(data))
  const matches = compileMatch(pick(data, ['where', 'nodeFilter']))
  const found: Path[] = []
  for (const path of paths(start, steps, depthOf(data, 'maxDepth', 3))) {
    if (matches(path.nodes.at(-1)?.properties ?? {})) found.push(path)
    if (found.length >= MAX_PATHS) break
  }
  return { paths: found }
}

function ends(graph: Graph, data: JsonObject) {
  const from = nodeOf(graph, text(data, 'fromId', 'startNodeId'))
  const to = nodeOf(graph, text(data, 'toId', 'endNodeId'))
  const directed = data['directed'] === true ? 'OUTGOING' : 'BOTH'
  return { from, to, steps: neighbours(graph, directionOf(data, directed), typesOf(data)) }
}

// Breadth first over nodes, so it stays linear where the number of paths would not.
export function shortestPath(graph: Graph, data: JsonObject) {
  const { from, to, steps } = ends(graph, data)
  const maxDepth = depthOf(data, 'maxDepth', MAX_DEPTH)
  const back = new Map<string, { from: Node; relationship: Relationship }>()
  let level = [from]
  for (let depth = 0; depth < maxDepth && level.length > 0 && !back.has(to.id); depth++) {
    const next: Node[] = []
    for (const node of level) {
      for (const step of steps(node.id)) {
        if (step.node.id === from.id || back.has(step.node.id)) continue
        back.set(step.node.id, { from: node, relationship: step.relationship })
        next.push(step.node)
      }
    }
    level = next
  }
  if (from.id !== to.id && !back.has(to.id)) return { path: null }
  const nodes = [to]
  const relationships: Relationship[] = []
  for (let step = back.get(to.id); step !== undefined && nodes[0] !== from; step = back.get(step.from.id)) {
    nodes.unshift(step.from)
    relationships.unshift(step.relationship)
  }
  return { path: { nodes, relationships, length: relationships.length } }
}

export function allPaths(graph: Graph, data: JsonObject) {
  const { from, to, steps } = ends(graph, data)
  const least = wholeNumber(data, 'minDepth', 1, MAX_DEPTH)
  const limit = Math.max(1, wholeNumber(data, 'limit', 100, MAX_PATHS))
  const found: Path[] = []
  for (const path of paths(from, steps, depthOf(data, 'maxDepth', 5))) {
    if (path.nodes.at(-1) === to && path.relationships.length >= least) found.push(path)
    if (found.length >= limit) break
  }
  return { paths: found }
}

export function neighborhood(graph: Graph, data: JsonObject) {
  const start = nodeOf(graph, text(data, 'id', 'nodeId'))
  const steps = neighbours(graph, directionOf(data, 'BOTH'), typesOf(data))
  const distance = new Map<Node, number>([[start, 0]])
  const relationships = new Set<Relationship>()
  let level = [start]
  for (let depth = 1; depth <= depthOf(data, 'depth', 1); depth++) {
    const next: Node[] = []
    for (const node of level) {
      for (const step of steps(node.id)) {
        relationships.add(step.relationship)
        if (distance.has(step.node)) continue
        distance.set(step.node, depth)
        next.push(step.node)
      }
    }
    level = next
  }
  const nodes = [...distance]
    .filter(([node]) => node !== start)
    .map(([node, far]) => ({ ...node, distance: far }))
  return { nodes, relationships: [...relationships] }
}

export function components(graph: Graph, among: Node[]) {
  const steps = neighbours(graph, 'BOTH', undefined)
  const left = new Set(among)
  const found: { nodes: Node[] }[] = []
  for (const start of among) {
    if (!left.delete(start)) continue
    const nodes = [start]
    for (let i = 0; i < nodes.length; i++) {
      for (const { node } of steps(nodes[i]?.id ?? '')) if (left.delete(node)) nodes.push(node)
    }
    found.push({ nodes })
  }
  return found
}
