// What the reference page says about each module's emulation, beside the table of its methods.

export const NOTES: Record<string, string> = {
  product:
    'Records, environments and connections are kept; webhook registration is recorded, nobody is called.',
  app: 'Records and their parts are kept; nothing is sent to the app.',
  databases:
    'Real rows on embedded SQLite, one database per workspace, product, environment and tag. Structured calls only: raw SQL, ' +
    'check constraints and partial indexes answer NOT_SUPPORTED, relations (`include`) NOT_EMULATED. NULL follows SQL: `$ne` and ' +
    '`$nin` leave it out. `schema.*` works on the database of the last `connect` of the same workspace.',
  graph:
    'Nodes and relationships in memory, one graph per workspace, product, environment and tag, on the graph of the last ' +
    '`connect`. Cypher answers NOT_SUPPORTED.',
  webhooks: 'The same records as `app.webhooks`; links are made, registration is recorded, nobody is called.',
  notifications: 'A send is checked against its template and recorded; nothing leaves the process.',
  messageBrokers: 'Published messages are kept and can be queried; there are no consumers.',
  storage: 'Files in memory; a buffer is base64, the JSON form of a Buffer, or plain text. Names are opaque.',
  vector: 'Exact search. Scores: cosine, dot product, 1/(1+distance) for euclidean and manhattan.',
  caches:
    "One key space per workspace; a value ends at its expiry by the emulator's clock. `ttl` is in seconds, -1 without expiry, -2 absent.",
  sessions: 'Tokens are HS256 JWTs under a key of the process; a refresh token works once.',
  quotas:
    'Usage per identifier and period (`total_quota`, default 100, per `period`, default a day); `check` never consumes.',
  actions:
    'A fixed table answers (below); an action defined over the API answers with the `response` of its definition.',
  features: 'Definitions and dispatch; steps are not run.',
  jobs: 'A dispatch leaves a job record. Jobs are never executed: their state changes only by a call.',
  logs: "What the workspace's own calls left, the last 1000.",
  resilience: 'The same quotas and fallbacks under other names.',
  health: 'Always available; nothing is probed.',
  fallback: 'Options are tried in order over the table of actions.',
  secrets:
    '`$Secret{key}` is resolved in `secrets.resolve`, action input and notification input, with scope, environment and expiry.',
}
