// The chart installs in a namespace that enforces Pod Security restricted, and `helm test` makes a real call through mutual TLS.
import { NAMESPACE, RELEASE, serverPods, tryHelm } from '../lib/kube.ts'
import { check, type Proof } from '../lib/proof.ts'
import { settled, upgrade } from '../lib/release.ts'

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

export const helmTest: Proof = {
  name: 'helm-test',
  what: '`helm test`: a tool call through mutual TLS, from a pod under the same rules',
  run: async () => {
    const { code, stdout, stderr } = await tryHelm(['test', RELEASE, '-n', NAMESPACE, '--timeout=3m'])
    check(code === 0, `helm test: ${stderr}`)
    check(/Phase:\s+Succeeded/.test(stdout), `helm test ran nothing: ${stdout}`)
    return { figure: 'the call of the test pod succeeded' }
  },
}
