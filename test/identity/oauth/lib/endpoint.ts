// One issuer on paper whose endpoints answer what the test says, on a clock that the test moves.
import assert from 'node:assert/strict'
import { isDenial } from '../../../../src/identity/authenticator.ts'
import type { OauthPorts } from '../../../../src/identity/oauth/index.ts'
import {
  issuerOptions,
  oauthOptions,
  type Paper,
  type PaperKey,
  paperKey,
  presented,
  type Setup,
  setup,
  token,
} from './paper.ts'

export const URL_OF_ISSUER = 'https://issuer.example'
export const FIRST = paperKey('ec', 'first')
export const SECOND = paperKey('ec', 'second')
export const paper = (key: PaperKey): Paper => ({ url: URL_OF_ISSUER, key })

export type Answer = { status: number; body: Buffer }
export const json = (value: unknown): Answer => ({ status: 200, body: Buffer.from(JSON.stringify(value)) })
export const published = (...keys: PaperKey[]): Answer => json({ keys: keys.map(({ jwk }) => jwk) })

export interface World extends Setup {
  urls: string[]
  /** What the endpoint answers from now on. */
  answer: (url: string) => Answer | Promise<Answer>
  /** `accepted`, the code or the detail. */
  send(key: PaperKey, header?: Record<string, unknown>): Promise<string>
}

let sent = 0

export function world(changes: Parameters<typeof issuerOptions>[1] = {}): World {
  const urls: string[] = []
  const fetch: OauthPorts['fetch'] = async (url, issuer) => {
    urls.push(url)
    assert.equal(issuer, URL_OF_ISSUER)
    return made.answer(url)
  }
  const made: World = {
    ...setup(oauthOptions([issuerOptions(URL_OF_ISSUER, changes)]), { fetch }),
    urls,
    answer: () => published(FIRST),
    async send(key, header = {}) {
      // A token of its own each time, so that nothing is remembered.
      const verified = await made.oauth.authenticate(
        presented(token(paper(key), { jti: `t-${++sent}` }, header)),
      )
      if (!isDenial(verified)) return 'accepted'
      return verified.code === 'token_invalid' ? (verified.detail ?? '') : verified.code
    },
  }
  return made
}

export const down = (): Promise<Answer> => Promise.reject(new Error('connect ECONNREFUSED 10.0.0.1:443'))
