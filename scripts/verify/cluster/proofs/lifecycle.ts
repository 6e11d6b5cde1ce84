// What happens to a running service: rolling restarts, a node drain, a killed pod and a killed process, all under constant calls.

import {
  inNamespace,
  kubectl,
  NAME,
  NAMESPACE,
  rollout,
  serverPods,
  signalApp,
  tryKubectl,
} from '../lib/kube.ts'
import { failed, type LoadResult, underLoad } from '../lib/load.ts'
import { check, type Proof } from '../lib/proof.ts'
import { REPLICAS, settled } from '../lib/release.ts'

const PER_SECOND = 20

const summary = (load: LoadResult): string =>
  `${load.sent} calls, ${failed(load)} failed${failed(load) > 0 ? ` ${JSON.stringify(load.codes)}` : ''}, p50 ${load.p50} ms, p99 ${load.p99} ms`
const noneFailed = (what: string, load: LoadResult) =>
  ({ what, measured: failed(load), bound: 0, kind: 'ceiling' }) as const

export const restarts: Proof = {
  name: 'restarts',
  what: `Rolling restarts of ${REPLICAS} replicas under constant calls, half on kept connections, half on fresh ones`,
  run: async ({ restarts: count }) => {
    const load = await underLoad(PER_SECOND, async () => {
      for (let done = 0; done < count; done++) {
        await inNamespace(['rollout', 'restart', `deployment/${NAME}`])
        await rollout()
      }
    })
    await settled()
    return {
      figure: `${count} restarts: ${summary(load)}`,
      bounds: [noneFailed(`calls that failed in ${count} rolling restarts`, load)],
    }
  },
}

export const drain: Proof = {
  name: 'drain',
  what: 'Draining the node takes one pod and stops at the disruption budget; calls go on, and the pods come back after it',
  run: async ({ local }) => {
    // Draining the node of somebody's cluster would end more than the release.
    const node = (
      await kubectl([
        'get',
        'pods',
        '-n',
        NAMESPACE,
        '-l',
        'app.kubernetes.io/component=server',
        '-o',
        'jsonpath={.items[0].spec.nodeName}',
      ])
    ).trim()
    let said = ''
    const load = await underLoad(PER_SECOND, async () => {
      const selector = [
        '--pod-selector=app.kubernetes.io/component=server',
        '--ignore-daemonsets',
        '--delete-emptydir-data',
        '--timeout=40s',
      ]
      try {
        said = (await tryKubectl(['drain', node, ...selector])).stderr
        if (local) {
          const ready = (await serverPods()).length
          check(ready >= REPLICAS - 1, `only ${ready} pods left`)
        }
      } finally {
        await kubectl(['uncordon', node])
      }
      await settled()
    })
    if (local) check(/violate the pod's disruption budget/.test(said), `the budget held nothing up: ${said}`)
    return {
      figure: `${local ? 'one pod evicted, the next refused by the budget on the only node' : 'evicted within the budget'}; ${summary(load)}`,
      bounds: [noneFailed('calls that failed in a node drain', load)],
    }
  },
}

export const killed: Proof = {
  name: 'sigkill',
  what: 'A process ended by SIGKILL, and a pod deleted without grace: the others serve on and it comes back by itself',
  run: async ({ local }) => {
    let back = 0
    const load = await underLoad(PER_SECOND, async () => {
      const started = performance.now()
      const victim = (await serverPods())[0]
      check(victim !== undefined, 'there is no pod')
      if (local) {
        await signalApp(victim, 'SIGKILL')
        back = performance.now() - started
      }
      const next = (await serverPods())[1]
      check(next !== undefined, 'there is no second pod')
      await inNamespace(['delete', 'pod', next.metadata.name, '--grace-period=0', '--force'])
      await settled()
    })
    return {
      figure: `${local ? `restarted and ready ${(back / 1_000).toFixed(1)} s after SIGKILL; ` : ''}${summary(load)}`,
      bounds: [
        // Calls that the dead process was working on are lost; what it would have got is not.
        {
          what: 'calls that failed around a SIGKILL and a forced deletion, share',
          measured: (100 * failed(load)) / load.sent,
          bound: 5,
          kind: 'ceiling',
          unit: '%',
        },
      ],
    }
  },
}
