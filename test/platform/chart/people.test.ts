// What the chart refuses of the server for people, one sentence each, and which of its neighbours it takes.
import { test } from 'node:test'
import { HELM, unlessBuilt } from '../lib/helm.ts'
import { accepts, type Combination, ISSUER_WAY, refuses, STORE } from './lib/refusals.ts'
import { at, merge } from './lib/values.ts'

const skip = unlessBuilt(HELM)

const PEOPLE_URL = 'https://approvals.example.com'
const signIn = merge(
  at('config.auth.people', { issuer: 'https://id.example.com', clientId: 'approvals', tenant: 'acme' }),
  ISSUER_WAY,
)
const people = [
  at('config.peopleUrl', PEOPLE_URL),
  signIn,
  at('people.tls.existingSecret', 'people'),
  at('networkPolicy.ingress.peopleFrom', [{ cidr: '192.0.2.0/24' }]),
].reduce(merge)

const COMBINATIONS: readonly Combination[] = [
  [
    'people without a sign-in',
    merge(people, { config: { peopleUrl: PEOPLE_URL, auth: { people: undefined } } }),
    'config.peopleUrl needs config.auth.people',
  ],
  ['a sign-in without its page', signIn, 'config.auth.people needs config.peopleUrl'],
  [
    'people without a certificate',
    merge(people, at('people.tls.existingSecret', '')),
    'config.peopleUrl has no certificate',
  ],
  [
    'two certificates for people',
    merge(people, at('people.tls.certManager', { enabled: true, issuerRef: { name: 'ca' } })),
    'people.tls.existingSecret and people.tls.certManager.enabled are both set',
  ],
  [
    'cert-manager without issuer for people',
    merge(people, at('people.tls', { existingSecret: '', certManager: { enabled: true } })),
    'people.tls.certManager.enabled needs people.tls.certManager.issuerRef.name',
  ],
  [
    'people under the name of the agents',
    merge(people, at('config.publicUrl', `${PEOPLE_URL}:8443`)),
    'config.peopleUrl has the host approvals.example.com, which is that of the agents',
  ],
  [
    'people under the name of the Service',
    merge(people, at('config.peopleUrl', 'https://ductape-mcp.ductape.svc')),
    'which is that of the agents',
  ],
  [
    'people without TLS',
    merge(people, at('config.peopleUrl', 'http://approvals.example.com')),
    'config.peopleUrl must begin with https://',
  ],
  [
    'people whom no rule lets in',
    merge(people, at('networkPolicy.ingress.peopleFrom', [])),
    'networkPolicy.ingress.peopleFrom lets nobody in',
  ],
  [
    'a route for people without gateway',
    merge(people, at('people.tlsRoute.enabled', true)),
    'people.tlsRoute.enabled needs people.tlsRoute.parentRefs',
  ],
  [
    'a sign-in that no rule leads to',
    merge(people, at('networkPolicy.egress.issuer.cidrs', [])),
    'networkPolicy.egress.issuer names no way',
  ],
  [
    'approvals and two replicas without a store',
    merge(people, at('replicas', 2)),
    'Approvals (config.peopleUrl) with more than one replica need store.redis.url',
  ],
]

test('people: combinations that cannot work are refused in one sentence', { skip }, (t) =>
  refuses(t, COMBINATIONS),
)

test('people: their neighbours that do work are accepted', { skip }, (t) =>
  accepts(t, [
    ['approvals on one replica', people],
    [
      'approvals and replay on two replicas with a store',
      [people, STORE, at('replicas', 2), at('config.replay', {})].reduce(merge),
    ],
  ]),
)
