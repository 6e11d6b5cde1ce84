// The approval page: signs a person in (OAuth 2.1, code with PKCE), lists the calls that wait, shows one whole, and sends the decision.

import { element, safe, shownJson } from './text.js'

const PAGE = '/approvals'
const API = '/v1/approvals'
const KEPT = 'ductape-mcp sign-in'
const POLL_MS = 4000

const at = (id) => document.getElementById(id)

/** In memory only: a reload signs out. */
let token
let signIn
/** Server time minus ours, in milliseconds. */
let skew = 0
let waiting = []
let shown
let timer
/** The last look at the list has failed, and says so. */
let troubled = false

const now = () => Date.now() + skew

function left(until) {
  const seconds = Math.max(0, Math.ceil((Date.parse(until) - now()) / 1000))
  if (seconds === 0) return 'expired'
  return `expires in ${seconds >= 60 ? `${Math.floor(seconds / 60)} min ` : ''}${seconds % 60} s`
}

const nameOf = ({ tool, module, method }) => (module === undefined ? tool : `${module}.${method ?? '?'}`)

function say(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text
}

async function ask(path, body) {
  const answer = await fetch(path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      accept: 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    body: body && JSON.stringify(body),
    cache: 'no-store',
    credentials: 'omit',
    redirect: 'error',
  })
  const value = await answer.json()
  if (answer.ok) {
    if (value.now !== undefined) skew = Date.parse(value.now) - Date.now()
    return value
  }
  if (answer.status === 401) signOut('Your sign-in has ended.')
  throw new Refused(value)
}

class Refused extends Error {
  constructor({ title, remedy, code }) {
    super(`${title} ${remedy}`)
    this.code = code
  }
}

const sentenceOf = (error) =>
  error instanceof Refused ? error.message : 'The service cannot be reached. This page tries again by itself.'

// --- Signing in ---

const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=/g, '')
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)))

async function startSignIn() {
  try {
    signIn ??= await ask(`${PAGE}/sign-in.json`)
  } catch {
    return say(
      'problem',
      'Nobody can sign in now: the issuer of the tokens cannot be reached. Try again later.',
    )
  }
  const verifier = random()
  const state = random()
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))
  sessionStorage.setItem(KEPT, JSON.stringify({ verifier, state, hash: location.hash }))
  const to = new URL(signIn.authorizationEndpoint)
  const query = {
    response_type: 'code',
    client_id: signIn.clientId,
    redirect_uri: signIn.redirectUri,
    scope: signIn.scope,
    state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: 'S256',
    ...(signIn.resource !== undefined && { resource: signIn.resource }),
  }
  for (const [name, value] of Object.entries(query)) to.searchParams.set(name, value)
  location.assign(to)
}

/** Where the issuer has sent the person back: the code for a token. A sentence where that fails. */
async function finishSignIn(query, kept) {
  // RFC 6749 10.12, RFC 9207 2.4.
  if (kept === undefined || kept.state !== query.get('state'))
    return 'This sign-in was not begun in this window. Sign in again.'
  const issuer = query.get('iss')
  try {
    signIn = await ask(`${PAGE}/sign-in.json`)
  } catch {
    return 'Nobody can sign in now: the issuer of the tokens cannot be reached. Try again later.'
  }
  if (issuer === null ? signIn.issParameter : issuer !== signIn.issuer)
    return 'The answer came from another issuer. Sign in again.'
  const code = query.get('code')
  if (code === null) return 'The issuer did not sign you in.'
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    code,
    redirect_uri: signIn.redirectUri,
    client_id: signIn.clientId,
    code_verifier: kept.verifier,
    ...(signIn.resource !== undefined && { resource: signIn.resource }),
  })
  try {
    const answer = await fetch(signIn.tokenEndpoint, {
      method: 'POST',
      body,
      headers: { accept: 'application/json' },
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
    })
    const given = await answer.json()
    if (!answer.ok || typeof given.access_token !== 'string' || given.token_type?.toLowerCase() !== 'bearer')
      return 'The issuer gave no token. Sign in again, or ask the operator.'
    token = given.access_token
    return undefined
  } catch {
    return 'The issuer could not be asked for a token; it has to allow this page (CORS). Ask the operator.'
  }
}

function signOut(why = '') {
  token = undefined
  clearTimeout(timer)
  show(undefined)
  at('waiting').hidden = true
  at('sign-in').hidden = false
  at('sign-out').hidden = true
  say('who', '')
  say('status', why)
  at('sign-in').focus()
}

// --- The list ---

function rowOf(one) {
  const button = element(
    'button',
    '',
    element('span', '', safe(nameOf(one))),
    element('span', 'quiet', 'by ', safe(one.requester.subject)),
    element('span', 'left'),
  )
  button.type = 'button'
  button.dataset.id = one.id
  button.addEventListener('click', () => open(one.id))
  return element('li', '', button)
}

function showList(approvals) {
  const list = at('list')
  const rows = new Map([...list.children].map((row) => [row.firstChild.dataset.id, row]))
  const isNew = approvals.some(({ id }) => !rows.has(id))
  const gone = waiting.length > approvals.length
  waiting = approvals
  for (const { id } of approvals) rows.delete(id)
  const focused = [...rows.values()].some((row) => row.contains(document.activeElement))
  for (const row of rows.values()) row.remove()
  if (focused) at('waiting-title').focus()
  // Rows that stay are the same elements, so that the focus stays.
  const there = new Set([...list.children].map((row) => row.firstChild.dataset.id))
  for (const one of approvals) if (!there.has(one.id)) list.append(rowOf(one))
  at('none').hidden = approvals.length > 0
  if (isNew || gone)
    say('status', approvals.length === 1 ? '1 call waits.' : `${approvals.length} calls wait.`)
  tick()
}

/** Every second: what is left of each. Not announced. */
function tick() {
  for (const row of at('list').children) {
    const one = waiting.find(({ id }) => id === row.firstChild.dataset.id)
    if (one !== undefined) row.querySelector('.left').textContent = left(one.expiresAt)
    row.firstChild.setAttribute('aria-current', String(row.firstChild.dataset.id === shown?.id))
  }
  if (shown?.state !== 'pending') return
  const rest = left(shown.expiresAt)
  say('left', rest)
  if (rest === 'expired') close('This approval has expired. The caller has to ask again.')
}

async function poll() {
  clearTimeout(timer)
  if (token === undefined) return
  const asked = token
  try {
    const { approvals, approver } = await ask(API)
    if (asked !== token) return
    say(
      'who',
      `Signed in as ${approver.subject}${approver.tenant === undefined ? '' : `, tenant ${approver.tenant}`}`,
    )
    at('waiting').hidden = false
    showList(approvals)
    if (troubled) say('problem', '')
    troubled = false
  } catch (error) {
    if (token === undefined) return
    troubled = true
    say('problem', sentenceOf(error))
  }
  clearTimeout(timer)
  timer = setTimeout(poll, POLL_MS)
}

// --- One call ---

function fact(name, value, className = '') {
  if (value === undefined || value === '') return
  const made = element('dd', className, typeof value === 'string' ? safe(value) : value)
  at('facts').append(element('dt', '', name), made)
}

const time = (text) => {
  const made = element('time', '', new Date(text).toLocaleString())
  made.dateTime = text
  return made
}

function show(one) {
  shown = one
  at('call').hidden = one === undefined
  for (const id of ['call-title', 'risks', 'facts', 'arguments', 'outcome']) at(id).replaceChildren()
  at('reason').value = ''
  if (one === undefined) return
  const { requester } = one
  at('call-title').append(safe(nameOf(one)))
  at('risks').append(...one.risks.map((risk) => element('li', '', risk)))
  fact('Who asks', requester.subject)
  fact('As', requester.id)
  fact('Program', requester.client)
  fact('Owner of its key', requester.owner)
  fact('Acting through', requester.actors.join(', '))
  fact('Tenant', one.tenant)
  fact('Tool', one.tool)
  fact('Operation', one.module === undefined ? undefined : nameOf(one))
  fact('Effect', one.effect)
  fact('Rule', one.rule)
  fact('Ductape key', one.credentialId, 'digest')
  fact('Digest', one.requestDigest, 'digest')
  fact('Asked', time(one.askedAt))
  const rest = element('span', '', left(one.expiresAt))
  rest.id = 'left'
  fact('Time', rest)
  at('arguments').append(shownJson(one.arguments ?? ''))
  const open = one.state === 'pending' && one.mayDecide
  for (const id of ['approve', 'deny', 'reason']) at(id).disabled = !open
  at('decision').hidden = one.state !== 'pending'
  if (one.state !== 'pending') say('outcome', `This call has been ${one.state}.`)
  else if (!one.mayDecide)
    say('outcome', 'You cannot decide this call: it is your own, or was made for you. Another person has to.')
}

/** Nothing can be decided any more; what was shown stays to be read. */
function close(sentence) {
  shown = { ...shown, state: 'over' }
  at('decision').hidden = true
  say('outcome', sentence)
  say('status', sentence)
}

async function open(id) {
  say('problem', '')
  try {
    show(await ask(`${API}/${encodeURIComponent(id)}`))
    history.replaceState(null, '', `${PAGE}#${id}`)
    at('call-title').focus()
  } catch (error) {
    if (token === undefined) return
    show(undefined)
    say('problem', sentenceOf(error))
  }
  tick()
}

async function decide(decision) {
  const { id } = shown
  const reason = at('reason').value.trim()
  for (const name of ['approve', 'deny']) at(name).disabled = true
  say('problem', '')
  try {
    await ask(`${API}/${encodeURIComponent(id)}`, { decision, ...(reason !== '' && { reason }) })
    close(decision === 'approve' ? 'Approved: the caller can make this call once.' : 'Denied.')
    at('waiting-title').focus()
  } catch (error) {
    if (token === undefined) return
    say('problem', sentenceOf(error))
    if (error instanceof Refused && error.code !== 'store_unavailable')
      close('This call cannot be decided here.')
    else for (const name of ['approve', 'deny']) at(name).disabled = false
  }
  poll()
}

// --- Beginning ---

async function start() {
  const query = new URLSearchParams(location.search)
  const text = sessionStorage.getItem(KEPT)
  sessionStorage.removeItem(KEPT)
  const kept = text === null ? undefined : JSON.parse(text)
  // A link from a message names the call; the answer of the issuer must not stay in the history.
  const hash = kept !== undefined && query.has('state') ? kept.hash : location.hash
  history.replaceState(null, '', PAGE + hash)
  at('sign-in').addEventListener('click', startSignIn)
  at('sign-out').addEventListener('click', () => signOut('Signed out of this page.'))
  at('approve').addEventListener('click', () => decide('approve'))
  at('deny').addEventListener('click', () => decide('deny'))
  addEventListener(
    'hashchange',
    () => token !== undefined && location.hash !== '' && open(location.hash.slice(1)),
  )
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && poll())
  setInterval(tick, 1000)
  if (query.has('state')) {
    const failed = await finishSignIn(query, kept)
    if (failed !== undefined) say('problem', failed)
  }
  at('sign-in').hidden = token !== undefined
  at('sign-out').hidden = token === undefined
  if (token === undefined) return
  await poll()
  if (hash !== '' && token !== undefined) await open(hash.slice(1))
}

start()
