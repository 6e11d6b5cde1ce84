// Lists the environments of a product and counts its users through a running service; `npm start` gives one with demo data.
//
//   DUCTAPE_PUBLISHABLE_KEY=... node examples/client/example.ts [URL]
import { createClient, ProblemError } from './client.ts'

const key = process.env['DUCTAPE_PUBLISHABLE_KEY']
if (key === undefined)
  throw new Error('Set DUCTAPE_PUBLISHABLE_KEY; `npm start` prints the key of its demo workspace.')

const client = createClient({ url: process.argv[2] ?? 'http://127.0.0.1:3001' })
const product = 'ductape:my-product'

const environments = (await client.call('ductape_execute', {
  publishable_key: key,
  module: 'product',
  method: 'environments.list',
  params: [product],
})) as { slug: string; env_name: string }[]
for (const { slug, env_name: name } of environments) console.log(`${slug}  ${name}`)

try {
  const users = await client.call('ductape_execute', {
    publishable_key: key,
    module: 'databases',
    method: 'count',
    params: [{ product, env: 'prd', database: 'main-db', table: 'users' }],
  })
  console.log('users:', users)
} catch (error) {
  if (!(error instanceof ProblemError)) throw error
  console.log(`refused: ${error.problem.code} (request ${error.problem.requestId})`)
}
