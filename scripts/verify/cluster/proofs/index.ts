// The proofs in the order in which they run: each leaves the release as it found it, with three ready pods.
import type { Proof } from '../lib/proof.ts'
import { registry, uninstall, upgradeFixture } from './delivery.ts'
import { certificates, policy, redis, revocation } from './hot.ts'
import { helmTest, install } from './install.ts'
import { drain, killed, restarts } from './lifecycle.ts'
import { egress, ingress } from './network.ts'
import { autoscaling, userNamespaces } from './scaling.ts'
import { podSecurity, seccomp } from './security.ts'

export const PROOFS: readonly Proof[] = [
  install,
  helmTest,
  podSecurity,
  seccomp,
  ingress,
  egress,
  policy,
  revocation,
  certificates,
  redis,
  killed,
  drain,
  autoscaling,
  userNamespaces,
  registry,
  restarts,
  upgradeFixture,
  uninstall,
]
