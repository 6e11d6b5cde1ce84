// The chart installs in a namespace that enforces Pod Security restricted, and `helm test` makes a real call through mutual TLS.
import { NAMESPACE, RELEASE, serverPods, tryHelm } from '../lib/kube.ts'
import { check, type Proof } from '../lib/proof.ts'
import { settled, upgrade, type Values } from '../lib/release.ts'

export const install: Proof = {
  name: 'install',
  what: '`helm install --wait` in a namespace that enforces Pod Security restricted',
  run: async (context) => {
    const started = performance.now()
    const { code, stderr } = await upgrade(context)
    check(code === 0, `helm: ${stderr}`)
    const seconds = (performance.now() - started) / 1_000
    await settled()
    return { figure: `${(await serverPods()).length} ready pods in ${seconds.toFixed(1)} s` }
  },
}

async function runTest(): Promise<void> {
  const { code, stdout, stderr } = await tryHelm(['test', RELEASE, '-n', NAMESPACE, '--timeout=3m'])
  check(code === 0, `helm test: ${stderr}`)
  check(/Phase:\s+Succeeded/.test(stdout), `helm test ran nothing: ${stdout}`)
}

export const helmTest: Proof = {
  name: 'helm-test',
  what: '`helm test`: a tool call through mutual TLS, from a pod under the same rules, and its receipt verified',
  run: async () => {
    await runTest()
    return { figure: 'the call of the test pod succeeded, and its receipt is by the key of the release' }
  },
}

/** A backend that nobody reaches: the test executes nothing. */
const PRODUCTION: Values = {
  tryout: { enabled: false },
  // What the try-out leaves out, for nodes without AppArmor such as this one.
  appArmorProfile: null,
  live: {
    policy: {
      version: 1,
      roles: { tryout: { allow: [{ name: 'look', tool: 'ductape_*', effect: 'read' }] } },
    },
  },
  networkPolicy: { egress: { backend: { cidrs: ['192.0.2.0/24'] } } },
  test: { receipt: true },
}

export const helmTestProduction: Proof = {
  name: 'helm-test-production',
  what: '`helm test` without the emulator: a call that executes nothing, and its receipt verified',
  run: async (context) => {
    const { code, stderr } = await upgrade(context, PRODUCTION)
    check(code === 0, `helm: ${stderr}`)
    await runTest()
    const back = await upgrade(context)
    check(back.code === 0, `helm: ${back.stderr}`)
    await settled()
    return { figure: 'refused for want of arguments, with a receipt by the key of the release' }
  },
}
