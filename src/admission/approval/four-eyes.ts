// Decides who may approve whose calls: a person of the same tenant who has no part in the call.
import { type Denial, deny } from '../../core/denials.ts'
import { APPROVE_SCOPE, type Principal } from '../../core/principal.ts'

/** What is kept of who asks. */
export interface Requester {
  readonly id: string
  readonly method: Principal['method']
  readonly subject: string
  readonly issuer: string | undefined
  readonly client: string | undefined
  /** Person or team that answers for an API key. */
  readonly owner: string | undefined
  /** Subjects of the `act` chain, the newest first. */
  readonly actors: readonly string[]
}

export const requesterOf = (principal: Principal): Requester => ({
  id: principal.id,
  method: principal.method,
  subject: principal.subject,
  issuer: principal.issuer,
  client: principal.client,
  owner: principal.owner,
  actors: principal.actors,
})

/**
 * A person has signed in through one of the clients that are for people. Those are public clients, which cannot get a token for
 * themselves (RFC 6749 4.4). The subject is compared as well, for issuers that do not hold to that (RFC 9068 2.2), and nobody acts for
 * the person: an `act` claim names who does.
 */
const isPerson = ({ method, client, subject, actors }: Principal, clients: readonly string[]): boolean =>
  method === 'oauth' &&
  client !== undefined &&
  clients.includes(client) &&
  subject !== client &&
  actors.length === 0

/** Why this caller can decide nothing at all; undefined = it is an approver. */
export function unfit(approver: Principal, clients: readonly string[]): Denial | undefined {
  if (!approver.scopes.includes(APPROVE_SCOPE)) return deny('scope_insufficient', APPROVE_SCOPE)
  return isPerson(approver, clients)
    ? undefined
    : deny('approver_refused', 'it takes the token of a person who has signed in on the page for approvals')
}

/** Why this approver is too near to who asks; undefined = it is somebody else. The tenant is compared before. */
export function tooNear(requester: Requester, { id, subject }: Principal): string | undefined {
  // Subjects of different issuers too: two accounts of one name are more likely one person than two.
  if (requester.id === id || isSame(requester.subject, subject)) return 'you have asked for it yourself'
  if (requester.owner !== undefined && (isSame(requester.owner, subject) || isSame(requester.owner, id)))
    return 'you answer for the key that asked for it'
  if (requester.actors.some((actor) => isSame(actor, subject)))
    return 'you act for the caller who asked for it'
  return undefined
}

/** Owners are written by hand. */
const fold = (name: string): string => name.normalize('NFKC').trim().toLowerCase()
const isSame = (one: string, other: string): boolean => fold(one) === fold(other)
