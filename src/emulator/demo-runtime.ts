// What the demo workspaces hold beside definitions and tables: vectors, files and secrets.

import { emptyGraph, graphs } from './modules/graph.ts'
import { buckets } from './modules/storage.ts'
import { indexes, type Vector } from './modules/vector.ts'
import { keyOf, type Workspace } from './state.ts'
import type { JsonObject } from './values.ts'

const ARTICLES: [id: string, values: number[], title: string, lang: string][] = [
  ['reset-password', [0.1, 0.2, 0.3], 'Reset your password', 'en'],
  ['two-factor', [0.2, 0.1, 0.4], 'Turn on two-factor sign-in', 'en'],
  ['invoices', [0.9, 0.1, 0.1], 'Find your invoices', 'en'],
  ['refunds', [0.8, 0.3, 0.1], 'Ask for a refund', 'en'],
  ['passwort', [0.11, 0.22, 0.31], 'Passwort zurücksetzen', 'de'],
  ['shipping', [0.1, 0.9, 0.2], 'Where is my parcel', 'en'],
  ['api-keys', [0.3, 0.2, 0.9], 'Make an API key', 'en'],
  ['webhooks', [0.4, 0.1, 0.8], 'Receive webhooks', 'en'],
]

const FILES: [name: string, type: string, text: string][] = [
  ['reports/2026-01.csv', 'text/csv', 'day,orders\n2026-01-02,1\n2026-01-03,1\n'],
  ['reports/2025-12.csv', 'text/csv', 'day,orders\n2025-12-30,4\n'],
  ['welcome.txt', 'text/plain', 'Hello\n'],
]

export function seedRuntime(
  workspace: Workspace,
  product: string,
  name: 'demo' | 'other',
  stamp: string,
  fixedId: (...parts: string[]) => string,
): void {
  const articles = name === 'demo' ? ARTICLES : ARTICLES.slice(0, 2)
  const vectors = articles.map(([id, values, title, lang]): [string, Vector] => {
    const own = name === 'demo' ? id : `other-${id}`
    return [own, { id: own, values: [...values], metadata: { title, lang } }]
  })
  indexes({ workspace }).set(
    keyOf(product, 'prd', 'embeddings-index'),
    new Map([['default', new Map(vectors)]]),
  )

  const files = FILES.map(
    ([file, mimeType, text]) =>
      [
        file,
        {
          bytes: Buffer.from(name === 'demo' ? text : `${name}: ${text}`),
          mimeType,
          modified: Date.parse(stamp),
        },
      ] as const,
  )
  buckets({ workspace }).set(keyOf(product, 'prd', 'main-storage'), new Map(files))

  const graph = emptyGraph()
  const people = name === 'demo' ? ['Ada', 'Bo', 'Chidi', 'Dana'] : ['Olga', 'Pavel']
  for (const person of people) {
    const id = `n_${person.toLowerCase()}`
    graph.nodes.set(id, { id, labels: ['Person'], properties: { name: person } })
  }
  for (const [index, person] of people.slice(1).entries()) {
    const [from, to] = [people[index] ?? '', person].map((one) => `n_${one.toLowerCase()}`) as [
      string,
      string,
    ]
    const id = `r_${index + 1}`
    const properties = { since: 2020 + index }
    graph.relationships.set(id, { id, type: 'KNOWS', startNodeId: from, endNodeId: to, properties })
  }
  graphs({ workspace }).set(keyOf(product, 'prd', 'people-graph'), graph)

  for (const [key, scope] of [
    ['STRIPE_KEY', ['stripe']],
    ['MAIN_DB_URL', []],
  ] as [string, string[]][]) {
    const secret: JsonObject = {
      _id: fixedId(workspace.workspaceId, 'secret', key),
      workspace_id: workspace.workspaceId,
      key,
      description: `The ${name} workspace's ${key}`,
      token_type: 'api',
      scope,
      envs: [],
      expires_at: null,
      value: `${name}-value-of-${key}`,
      createdAt: stamp,
      updatedAt: stamp,
    }
    workspace.secrets.set(key, secret)
  }
}
