// The two workspaces that every emulator starts with: all that the documented examples name (seed 001).

import { createHash } from 'node:crypto'
import { DEFINITIONS, TABLES } from './demo-data.ts'
import { seedRuntime } from './demo-runtime.ts'
import { insert } from './sql/rows.ts'
import { createTable } from './sql/schema.ts'
import { type Database, tableOf } from './sql/store.ts'
import type { Target, Workspace } from './state.ts'
import { type App, type Collection, type Credentials, createWorkspace, type Product } from './state.ts'
import type { JsonObject } from './values.ts'

interface DemoWorkspace extends Credentials {
  product: string
}

export const DEMO: { main: DemoWorkspace; other: DemoWorkspace } = {
  main: {
    workspaceId: 'ws_demo_0123456789ab',
    userId: 'usr_demo_0123456789ab',
    publishableKey: 'pk_demo_0123456789ab',
    publicKey: 'pub_demo_0123456789ab',
    product: 'ductape:my-product',
  },
  other: {
    workspaceId: 'ws_other_0123456789ab',
    userId: 'usr_other_0123456789ab',
    publishableKey: 'pk_other_0123456789ab',
    publicKey: 'pub_other_0123456789ab',
    product: 'ductape:my-product',
  },
}

const DEMO_TIME = Date.parse('2026-01-15T09:00:00.000Z')
const STAMP = new Date(DEMO_TIME).toISOString()

// Ids of the demo are functions of what they name, so answers can be snapshots.
const fixedId = (...parts: string[]): string =>
  createHash('sha256').update(parts.join('/')).digest('hex').slice(0, 24)

const stamped = (workspace: string, kind: string, tag: string, fields: JsonObject): JsonObject => ({
  _id: fixedId(workspace, kind, tag),
  ...fields,
  tag,
  createdAt: STAMP,
  updatedAt: STAMP,
})

function collection(workspace: string, kind: string, items: JsonObject[], id = 'tag'): Collection {
  return new Map(
    items.map((fields) => {
      const tag = String(fields[id])
      const record = stamped(workspace, kind, tag, fields)
      if (id === 'tag') return [tag, record]
      const { tag: _tag, ...rest } = record
      return [tag, rest]
    }),
  )
}

function demoProduct(workspace: DemoWorkspace): Product {
  const tag = workspace.product
  const record: JsonObject = {
    ...stamped(workspace.workspaceId, 'product', tag, {
      name: 'My Product',
      description: 'The demo product',
    }),
    workspace_id: workspace.workspaceId,
    status: 'active',
    active: true,
    private_key: `demo-private-key-of-${workspace.workspaceId}`,
    public_key: `demo-public-key-of-${workspace.workspaceId}`,
  }
  const environments: Collection = new Map(
    DEFINITIONS.environments.map((env) => {
      const slug = String(env['slug'])
      return [slug, { _id: fixedId(workspace.workspaceId, 'env', slug), ...env, active: true }]
    }),
  )
  const connections: Collection = new Map(
    DEFINITIONS.apps.map(({ tag: app }) => {
      const access = `${tag.replace(':', '-')}:${app}`
      return [access, { access_tag: access, app_tag: app, envs: [], createdAt: STAMP, updatedAt: STAMP }]
    }),
  )
  const components = new Map(
    Object.entries(DEFINITIONS.components).map(([kind, items]) => [
      kind,
      collection(workspace.workspaceId, kind, items),
    ]),
  )
  return { record, tag, environments, connections, components }
}

function demoApps(workspace: DemoWorkspace): Map<string, App> {
  return new Map(
    DEFINITIONS.apps.map(({ tag, name, description, parts }) => {
      const record = {
        ...stamped(workspace.workspaceId, 'app', tag, { app_name: name, description }),
        workspace_id: workspace.workspaceId,
      }
      const kinds = Object.entries(parts).map(([kind, { id, items }]): [string, Collection] => [
        kind,
        collection(workspace.workspaceId, kind, items, id),
      ])
      return [tag, { record, tag, parts: new Map(kinds) }]
    }),
  )
}

// The tables exist in every environment; only "prd" has rows, and each workspace has its own.
function seedDatabase(workspace: DemoWorkspace): Workspace['seed'] {
  return (database: Database, target: Target) => {
    if (target.product !== workspace.product || target.tag !== 'main-db') return
    const clock = { now: () => DEMO_TIME, uuid: () => fixedId('uuid') }
    for (const { name, definition, options, rows } of TABLES) {
      createTable(database, name, definition, options)
      const data = target.env === 'prd' ? rows(workspace === DEMO.main ? 'demo' : 'other') : []
      if (data.length > 0) insert(database, tableOf(database, name), { data }, clock)
    }
  }
}

export function demoWorkspaces(): Workspace[] {
  return [DEMO.main, DEMO.other].map((credentials) => {
    const { product, ...rest } = credentials
    const workspace = createWorkspace(rest, seedDatabase(credentials))
    workspace.products.set(product, demoProduct(credentials))
    for (const [tag, app] of demoApps(credentials)) workspace.apps.set(tag, app)
    seedRuntime(workspace, product, credentials === DEMO.main ? 'demo' : 'other', STAMP, fixedId)
    return workspace
  })
}
