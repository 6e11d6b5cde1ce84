// The section auth.people: its defaults, and what it must not share with the agents.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { loadConfig } from '../../src/config/index.ts'

const load = async (sections: object) => {
  const text = JSON.stringify({ live: '/live', ...sections })
  return loadConfig({ path: '/config.yaml', env: {}, readFile: () => text })
}
const urls = { publicUrl: 'https://mcp.example.com', peopleUrl: 'https://approve.example.com' }
const people = { issuer: 'https://login.example.com', clientId: 'approvals' }
const oauth = { issuers: [{ issuer: 'https://login.example.com' }] }

describe('auth.people', () => {
  test('needs an issuer and a client; the rest has defaults', async () => {
    const loaded = await load({ ...urls, auth: { oauth, people } })
    assert.ok(loaded.ok, JSON.stringify(loaded))
    const { auth } = loaded.config
    assert.deepEqual(
      [auth?.people?.clients, auth?.people?.requestScopes, auth?.people?.resource, auth?.people?.tokenType],
      [[], ['openid', 'ductape:approve'], true, 'at+jwt'],
    )
    for (const missing of ['issuer', 'clientId'])
      assert.ok(!(await load({ ...urls, auth: { oauth, people: { ...people, [missing]: undefined } } })).ok)
  })

  const { publicUrl, peopleUrl } = urls
  const shared = /auth\.people shares an audience with the agents/
  const bad: [what: string, config: object, finding: RegExp][] = [
    ['auth.people without peopleUrl', { publicUrl, auth: { oauth, people } }, /auth\.people needs peopleUrl/],
    ['peopleUrl without auth.people', { ...urls, auth: { oauth } }, /peopleUrl needs auth\.people/],
    ['peopleUrl without auth', { peopleUrl }, /peopleUrl needs auth\.people/],
    [
      'one origin for both',
      { publicUrl, peopleUrl: publicUrl, auth: { oauth, people } },
      /peopleUrl is publicUrl/,
    ],
    [
      'an audience of the agents for the people',
      { ...urls, auth: { oauth, people: { ...people, audience: [`${publicUrl}/mcp`] } } },
      shared,
    ],
    [
      'an audience of an issuer of the agents for the people',
      {
        ...urls,
        auth: {
          oauth: { issuers: [{ issuer: people.issuer, audience: ['api://x'] }] },
          people: { ...people, audience: ['api://x'] },
        },
      },
      shared,
    ],
    [
      'peopleUrl as audience of the agents',
      {
        ...urls,
        auth: { oauth: { issuers: [{ issuer: people.issuer, audience: [peopleUrl] }] }, people },
      },
      shared,
    ],
    [
      'two sources of the tenant',
      { ...urls, auth: { oauth, people: { ...people, tenant: 'acme', claims: { tenant: 'org' } } } },
      /names a tenant, and claims\.tenant says where to read one/,
    ],
    ['people alone: agents would be nobody', { ...urls, auth: { people } }, /auth names no authenticator/],
    [
      'a scope with a space',
      { ...urls, auth: { oauth, people: { ...people, requestScopes: ['a b'] } } },
      /auth\.people\.requestScopes/,
    ],
  ]
  for (const [what, config, finding] of bad) {
    test(`refused: ${what}`, async () => {
      const loaded = await load(config)
      assert.ok(!loaded.ok)
      const found = loaded.problems.map(({ path, message }) => `${path} ${message}`).join('\n')
      assert.match(found, finding)
    })
  }
})
