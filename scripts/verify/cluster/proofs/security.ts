// Pod Security restricted refuses each weakening of the pod, and what it lets in runs under the filter, without capabilities and new privileges.
import { WEAKENINGS } from '../../chart/pod-security.ts'
import { inNamespace, NAME, NAMESPACE, serverPods, tryKubectl } from '../lib/kube.ts'
import { type Context, check, type Proof } from '../lib/proof.ts'

type Json = Record<string, unknown>

export const podSecurity: Proof = {
  name: 'pod-security',
  what: 'Each weakening of the pod is refused by Pod Security restricted, and the pod as rendered is not',
  run: async () => {
    const deployment = JSON.parse(await inNamespace(['get', 'deployment', NAME, '-o', 'json'])) as {
      spec: { template: { spec: Json } }
    }
    const create = async (weaken: (spec: Json) => void): Promise<string> => {
      const spec = structuredClone(deployment.spec.template.spec)
      weaken(spec)
      const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'weakened' }, spec }
      const { code, stderr } = await tryKubectl(['-n', NAMESPACE, 'create', '--dry-run=server', '-f', '-'], {
        input: JSON.stringify(pod),
      })
      return code === 0 ? '' : stderr
    }
    check((await create(() => undefined)) === '', 'the pod as rendered is refused as well')
    const weakenings = Object.entries(WEAKENINGS)
    for (const [name, weaken] of weakenings) {
      const refusal = await create(weaken)
      check(
        refusal.includes('violates PodSecurity "restricted'),
        `${name} is not refused by Pod Security: ${refusal || 'accepted'}`,
      )
    }
    return {
      figure: `${weakenings.length} of ${weakenings.length} weakenings refused; the pod as rendered accepted`,
    }
  },
}

const STATUS = 'process.stdout.write(require("fs").readFileSync("/proc/1/status","utf8"))'
/** A child process takes fork and exec; the answer is the error's code, or "ran". */
const SPAWN =
  'try{require("child_process").execFile(process.execPath,["-v"],e=>console.log(e?e.code:"ran"))}catch(e){console.log(e.code)}'

const field = (status: string, name: string): string =>
  new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? ''

const node = (pod: string, container: string, script: string): Promise<string> =>
  inNamespace(['exec', pod, '-c', container, '--', '/nodejs/bin/node', '-e', script])

export const seccomp: Proof = {
  name: 'seccomp',
  what: 'The filter is in force in each pod, with no-new-privileges and no capability; with our own profile a child process is refused',
  run: async ({ local }: Context) => {
    const pods = await serverPods()
    for (const { metadata } of pods) {
      const app = await node(metadata.name, 'app', STATUS)
      const proxy = await inNamespace(['exec', metadata.name, '-c', 'proxy', '--', 'cat', '/proc/1/status'])
      for (const [container, status] of [
        ['app', app],
        ['proxy', proxy],
      ] as const) {
        const seen = ['Seccomp', 'NoNewPrivs', 'CapEff', 'CapPrm', 'CapBnd'].map((name) =>
          field(status, name),
        )
        check(
          seen.join(' ') === `2 1 ${'0'.repeat(16)} ${'0'.repeat(16)} ${'0'.repeat(16)}`,
          `${metadata.name}/${container}: ${seen.join(' ')}`,
        )
        check(
          field(status, 'Uid') === (container === 'app' ? '10001' : '10101'),
          `${container} runs as ${field(status, 'Uid')}`,
        )
      }
    }
    const control = (await node('agent', 'probe', SPAWN)).trim()
    check(control === 'ran', `a child process fails under RuntimeDefault too: ${control}`)
    const figure = `Seccomp 2, NoNewPrivs 1, no capability in ${pods.length} x 2 containers`
    if (!local)
      return { figure: `${figure}; RuntimeDefault: the profiles are not on the nodes of this cluster` }
    const spawned = (await node(pods[0]?.metadata.name ?? '', 'app', SPAWN)).trim()
    check(spawned === 'EPERM', `a child process in the app: ${spawned}`)
    return { figure: `${figure}; child process in the app: EPERM, under RuntimeDefault it runs` }
  },
}
