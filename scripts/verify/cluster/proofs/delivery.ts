// The way of image and chart: pushed, signed, verified and pulled by digest; an upgrade from the packaged chart; and an uninstall that leaves nothing.
import { existsSync, globSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { REGISTRY, ROOT } from '../../../cluster/lib/paths.ts'
import { run } from '../../../cluster/lib/wait.ts'
import { helm, inNamespace, kubectl, NAME, NAMESPACE, RELEASE, rollout, serverPods } from '../lib/kube.ts'
import { failed, underLoad } from '../lib/load.ts'
import { check, type Proof } from '../lib/proof.ts'
import { CHART, settled, upgrade } from '../lib/release.ts'

/** Packages of charts that have been released, or stand for one. */
const FIXTURES = join(ROOT, 'scripts/verify/cluster/fixtures')

export const registry: Proof = {
  name: 'registry',
  what: 'Image and chart are pushed, signed, verified and pulled by digest; another key and another image are refused',
  run: async ({ local, folder, images }) => {
    if (!local) return { cannotRun: 'the registry of this cluster is not ours to write to' }
    const work = join(folder, 'oci')
    mkdirSync(join(work, 'pulled'), { recursive: true })
    await helm(['package', CHART, '-d', work])
    const [packed = ''] = globSync('*.tgz', { cwd: work })
    await helm(['push', join(work, packed), `oci://${REGISTRY}/charts`, '--plain-http'])
    const version = /-(\d.*)\.tgz$/.exec(packed)?.[1] ?? ''
    const chart = `${REGISTRY}/charts/ductape-mcp`
    const digest = (await run('crane', ['digest', `${chart}:${version}`])).stdout.trim()
    check(digest.startsWith('sha256:'), 'the chart is not in the registry')
    await helm(['pull', `oci://${chart}@${digest}`, '--plain-http', '-d', join(work, 'pulled')])
    check(globSync('*.tgz', { cwd: join(work, 'pulled') }).length === 1, 'the chart was not pulled')
    const running = await inNamespace([
      'get',
      'pods',
      '-l',
      'app.kubernetes.io/component=server',
      '-o',
      'jsonpath={.items[0].status.containerStatuses[0].imageID}',
    ])
    check(running === images.app, `the pod runs ${running}, not ${images.app}`)
    const figure = 'pulled by digest: the image by the kubelet, the chart by helm'
    if (!existsSync(join(ROOT, '.cache/cluster/bin/cosign')))
      return { cannotRun: `${figure}; not signed: cosign is not built (npm run cluster -- build)` }

    const env = { ...process.env, COSIGN_PASSWORD: '', HOME: work }
    const cosign = (...args: string[]): ReturnType<typeof run> => run('cosign', args, { env, cwd: work })
    const must = async (...args: string[]): Promise<void> => {
      const { code, stderr } = await cosign(...args)
      check(code === 0, `cosign ${args.join(' ')}: ${stderr}`)
    }
    await must('generate-key-pair')
    await must('generate-key-pair', '--output-key-prefix', 'other')
    const signed = [images.app, images.proxy, `${chart}@${digest}`]
    // Without a transparency log: there is none here. A release uses the public one.
    for (const reference of signed)
      await must(
        'sign',
        '--yes',
        '--key',
        'cosign.key',
        '--use-signing-config=false',
        '--tlog-upload=false',
        '--allow-http-registry',
        reference,
      )
    const verify = ['verify', '--insecure-ignore-tlog=true', '--allow-http-registry', '--key']
    for (const reference of signed) {
      await must(...verify, 'cosign.pub', reference)
      check(
        (await cosign(...verify, 'other.pub', reference)).code !== 0,
        `${reference} passes with another key`,
      )
    }
    check(
      (await cosign(...verify, 'cosign.pub', images.emulator)).code !== 0,
      'an image that is not signed passes',
    )
    return {
      figure: `${figure}; ${signed.length} signatures verified, another key and an unsigned image refused`,
    }
  },
}

export const upgradeFixture: Proof = {
  name: 'upgrade',
  what: '`helm upgrade` from the packaged chart to this one, under constant calls',
  run: async (context) => {
    const [fixture] = globSync('*.tgz', { cwd: FIXTURES }).sort()
    if (fixture === undefined) return { cannotRun: `no packaged chart in ${FIXTURES.slice(ROOT.length + 1)}` }
    await helm(['uninstall', RELEASE, '-n', NAMESPACE, '--wait'])
    const old = await upgrade(context, {}, { chart: join(FIXTURES, fixture) })
    check(old.code === 0, `${fixture}: ${old.stderr}`)
    await settled()
    const before = new Set((await serverPods()).map(({ metadata }) => metadata.uid))
    const load = await underLoad(20, async () => {
      const { code, stderr } = await upgrade(context, { pod: { annotations: { upgraded: 'yes' } } })
      check(code === 0, stderr)
      await rollout()
    })
    const after = await serverPods()
    check(
      after.every(({ metadata }) => !before.has(metadata.uid)),
      'the upgrade changed no pod',
    )
    await upgrade(context)
    await settled()
    return {
      figure: `${fixture} -> this chart; ${load.sent} calls, ${failed(load)} failed`,
      bounds: [
        {
          what: 'calls that failed in an upgrade of the chart',
          measured: failed(load),
          bound: 0,
          kind: 'ceiling',
        },
      ],
    }
  },
}

export const uninstall: Proof = {
  name: 'uninstall',
  what: '`helm uninstall` leaves nothing of the release',
  run: async () => {
    const kinds = (await kubectl(['api-resources', '--verbs=list', '--namespaced', '-o', 'name']))
      .trim()
      .split('\n')
    const left = async (): Promise<string[]> => {
      const all = await inNamespace([
        'get',
        kinds.filter((kind) => !kind.startsWith('events')).join(','),
        '--ignore-not-found',
        '-o',
        'name',
      ])
      return all
        .split('\n')
        .filter(
          (line) => line.includes(NAME) || line.includes(`/${RELEASE}.`) || line.includes(`.${RELEASE}.`),
        )
    }
    const before = (await left()).filter((name) => !name.includes('metrics.k8s.io'))
    check(before.length > 5, `the search finds only ${before.join(' ')}`)
    await helm(['uninstall', RELEASE, '-n', NAMESPACE, '--wait', '--timeout=2m'])
    await inNamespace([
      'wait',
      '--for=delete',
      'pod',
      '-l',
      'app.kubernetes.io/component=server',
      '--timeout=120s',
    ])
    // Made by whoever installed it, not by the chart.
    const after = (await left()).filter(
      (name) => name !== `secret/${NAME}-fleet` && !name.includes('metrics.k8s.io'),
    )
    check(after.length === 0, `left: ${after.join(' ')}`)
    return { figure: `${before.length} objects before, 0 after` }
  },
}
