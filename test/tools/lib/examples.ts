// The examples of the two documents that describe the tools, letter for letter; only keys, ids and "..." become those of the demo workspace.
import { DEMO } from '../../../src/emulator/index.ts'

const { publishableKey: publishable_key, publicKey: public_key, workspaceId, userId } = DEMO.main

export interface Example {
  /** Name of the snapshot. */
  name: string
  tool: string
  arguments: Record<string, unknown>
}

export const EXAMPLES: readonly Example[] = [
  {
    name: 'fetch-a-product',
    tool: 'ductape_execute',
    arguments: { publishable_key, module: 'product', method: 'fetch', params: ['ductape:my-product'] },
  },
  {
    name: 'query-a-database',
    tool: 'ductape_execute',
    arguments: {
      publishable_key,
      module: 'databases',
      method: 'query',
      params: [
        {
          product: 'ductape:my-product',
          env: 'prd',
          database: 'main-db',
          entity: 'users',
          where: { status: { $eq: 'active' } },
          limit: 10,
        },
      ],
    },
  },
  {
    name: 'run-an-app-action',
    tool: 'ductape_execute',
    arguments: {
      publishable_key,
      module: 'actions',
      method: 'run',
      params: [
        {
          product: 'ductape:my-product',
          env: 'prd',
          app: 'stripe',
          action: 'create-customer',
          input: { 'body:email': 'user@example.com', 'body:name': 'Jane Doe' },
        },
      ],
    },
  },
  {
    name: 'vector-similarity-search',
    tool: 'ductape_execute',
    arguments: {
      publishable_key,
      module: 'vector',
      method: 'findSimilar',
      params: [
        {
          product: 'ductape:my-product',
          env: 'prd',
          vector: 'embeddings-index',
          values: [0.1, 0.2, 0.3],
          topK: 5,
        },
      ],
    },
  },
  {
    name: 'list-product-environments',
    tool: 'ductape_execute',
    arguments: {
      publishable_key,
      module: 'product',
      method: 'environments.list',
      params: ['ductape:my-product'],
    },
  },
  {
    name: 'parameter-order-of-databases-update',
    tool: 'ductape_execute',
    arguments: {
      publishable_key,
      module: 'databases',
      method: 'update',
      params: [
        {
          product: 'ductape:my-product',
          env: 'prd',
          database: 'main-db',
          entity: 'users',
          data: { name: 'Updated' },
          where: { id: { $eq: '123' } },
        },
      ],
    },
  },
  {
    name: 'generate-a-payload',
    tool: 'ductape_generate_payload',
    arguments: {
      workspace_id: workspaceId,
      user_id: userId,
      public_key,
      product_tag: 'ductape:my-product',
      env_slug: 'prd',
      operation_family: 'database',
      method: 'query',
      targets: { database: 'main-db' },
      input_hint: { entity: 'orders', limit: 10 },
    },
  },
  {
    name: 'generate-a-snippet',
    tool: 'ductape_generate_snippet',
    arguments: {
      workspace_id: workspaceId,
      user_id: userId,
      public_key,
      product_tag: 'ductape:my-product',
      env_slug: 'prd',
      operation_family: 'action',
      method: 'run',
      targets: { app: 'stripe', action: 'create-customer' },
      language: 'typescript',
    },
  },
  // The security page: a key with every call. Its params are left open there; these are the ones of the query above.
  {
    name: 'a-key-with-every-call',
    tool: 'ductape_execute',
    arguments: {
      publishable_key,
      module: 'databases',
      method: 'query',
      params: [{ product: 'ductape:my-product', env: 'prd', database: 'main-db', entity: 'users' }],
    },
  },
]
