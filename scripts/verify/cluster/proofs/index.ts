// The proofs in the order in which they run: each leaves the release as it found it, with three ready pods.
import type { Proof } from '../lib/proof.ts'
import { registry, uninstall, upgradeFixture } from './delivery.ts'
import { evidence, receiptKeys } from './evidence.ts'
import { certificates, policy, redis, revocation } from './hot.ts'
import { helmTest, helmTestProduction, install } from './install.ts'
import { drain, killed, restarts } from './lifecycle.ts'
import { egress, ingress } from './network.ts'
import { approvals, kill } from './people.ts'
import { autoscaling, userNamespaces } from './scaling.ts'
import { podSecurity, seccomp } from './security.ts'

export const PROOFS: readonly Proof[] = [
  install,
  helmTest,
  // Before anything that takes pods away, and their logs with them.
  evidence,
  receiptKeys,
  podSecurity,
  seccomp,
  ingress,
  egress,
  policy,
  revocation,
  certificates,
  redis,
  kill,
  approvals,
  killed,
  drain,
  autoscaling,
  userNamespaces,
  helmTestProduction,
  registry,
  restarts,
  upgradeFixture,
  uninstall,
]
