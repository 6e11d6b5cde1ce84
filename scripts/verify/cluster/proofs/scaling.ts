// The autoscaler adds replicas under load and takes them away again, and pods run in a user namespace where the runtime has it.
import { until } from '../../../cluster/lib/wait.ts'
import { inNamespace, NAME, serverPods, tryKubectl } from '../lib/kube.ts'
import { failed, underLoad } from '../lib/load.ts'
import { check, type Proof } from '../lib/proof.ts'
import { settled, upgrade } from '../lib/release.ts'

const MIN = 2
const MAX = 4

const replicas = async (): Promise<number> =>
  Number(await inNamespace(['get', 'deployment', NAME, '-o', 'jsonpath={.spec.replicas}']))

export const autoscaling: Proof = {
  name: 'autoscaling',
  what: 'The autoscaler goes up under load and down after it, and no call fails on the way',
  run: async (context) => {
    const { code, stderr } = await tryKubectl(['get', 'apiservice', 'v1beta1.metrics.k8s.io'])
    if (code !== 0) return { cannotRun: stderr.trim() }
    const on = await upgrade(context, {
      autoscaling: {
        enabled: true,
        minReplicas: MIN,
        maxReplicas: MAX,
        targetCPUUtilization: 40,
        scaleDownStabilizationSeconds: 10,
      },
      // A CPU request that a small machine can hold four times.
      resources: { requests: { cpu: '100m' } },
    })
    check(on.code === 0, on.stderr)
    await settled(MIN, 240)
    let up = 0
    let down = 0
    const load = await underLoad(150, async () => {
      const started = performance.now()
      await until(`more than ${MIN} replicas`, 180, async () => ((await replicas()) > MIN ? true : undefined))
      up = performance.now() - started
    })
    const ended = performance.now()
    const light = await underLoad(2, async () => {
      await until(`${MIN} replicas again`, 300, async () => ((await replicas()) === MIN ? true : undefined))
      down = performance.now() - ended
      await settled(MIN, 120)
    })
    const off = await upgrade(context)
    check(off.code === 0, off.stderr)
    await settled()
    const lost = failed(load) + failed(light)
    return {
      figure: `${MIN} -> more after ${(up / 1_000).toFixed(0)} s, back to ${MIN} ${(down / 1_000).toFixed(0)} s after the load; ${load.sent + light.sent} calls, ${lost} failed`,
      bounds: [
        { what: 'calls that failed while replicas came and went', measured: lost, bound: 0, kind: 'ceiling' },
      ],
    }
  },
}

export const userNamespaces: Proof = {
  name: 'user-namespaces',
  what: '`pod.hostUsers: false`: root in the pod is nobody on the node',
  run: async (context) => {
    const { code, stderr } = await upgrade(context, { pod: { hostUsers: false } })
    if (code !== 0) {
      const events = await inNamespace([
        'get',
        'events',
        '--field-selector=type=Warning',
        '-o',
        'jsonpath={range .items[*]}{.message}{"\\n"}{end}',
      ])
      const back = await upgrade(context)
      check(back.code === 0, back.stderr)
      const reason = events
        .split('\n')
        .findLast((line) => /user namespace|userns|uid|idmap|mount/i.test(line))
      if (reason !== undefined) return { cannotRun: reason }
      throw new Error(stderr)
    }
    await settled()
    const pod = (await serverPods())[0]?.metadata.name ?? ''
    const map = (await inNamespace(['exec', pod, '-c', 'proxy', '--', 'cat', '/proc/self/uid_map']))
      .trim()
      .split(/\s+/)
      .map(Number)
    const [inside, outside, length] = map
    check(
      inside === 0 && outside !== undefined && outside > 0 && length === 65_536,
      `uid_map is ${map.join(' ')}`,
    )
    // The control: without the value a pod's users are those of the node.
    const probe = (
      await inNamespace([
        'exec',
        'agent',
        '--',
        '/nodejs/bin/node',
        '-e',
        'process.stdout.write(require("fs").readFileSync("/proc/self/uid_map","utf8"))',
      ])
    )
      .trim()
      .split(/\s+/)
    check(probe[1] === '0', `a pod without it has its own users too: ${probe.join(' ')}`)
    const back = await upgrade(context)
    check(back.code === 0, back.stderr)
    await settled()
    return { figure: `user 0 of the pod is user ${outside} of the node, ${length} users` }
  },
}
