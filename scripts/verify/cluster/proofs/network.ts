// The network policy in both directions: what it names passes, what it does not name is refused, and each refused way is open to somebody else.
import { inNamespace, NAMESPACE, pods, serverPods } from '../lib/kube.ts'
import { check, type Proof } from '../lib/proof.ts'
import { HOST, MONITORING, OUTSIDE, probe, URL } from '../lib/setup.ts'

/** Connects from the app's own container, which has no probe mounted. */
async function fromApp(pod: string, targets: readonly string[]): Promise<Record<string, string>> {
  const script = `
    const net=require('net');
    const one=(target)=>new Promise((resolve)=>{
      const [,host,port]=/^(.*):(\\d+)$/.exec(target);
      const socket=net.connect({host,port:Number(port),timeout:2000});
      const end=(how)=>{socket.destroy();resolve([target,how])};
      socket.on('connect',()=>end('open'));socket.on('timeout',()=>end('timeout'));socket.on('error',(e)=>end(e.code))});
    Promise.all(${JSON.stringify(targets)}.map(one)).then((all)=>console.log(JSON.stringify(Object.fromEntries(all))))`
  return JSON.parse(
    await inNamespace(['exec', pod, '-c', 'app', '--', '/nodejs/bin/node', '-e', script]),
  ) as Record<string, string>
}

const from = async (
  pod: string,
  targets: readonly string[],
  where = NAMESPACE,
): Promise<Record<string, unknown>> => (await probe(pod, ['connect', ...targets], where))[0] ?? {}

export const ingress: Proof = {
  name: 'network-ingress',
  what: 'Into the pods: agents to the TLS port, monitoring to the metrics, nobody else and nowhere else',
  run: async () => {
    const address = (await serverPods())[0]?.status.podIP ?? ''
    const peer = (await pods('app=peer', OUTSIDE))[0]?.status.podIP ?? ''
    const [tls, health, ops] = [8443, 18081, 9464].map((port) => `${address}:${port}`) as [
      string,
      string,
      string,
    ]
    const control = `${peer}:9000`
    // Pod, where it runs, what must be open to it, what must not.
    const cases: readonly (readonly [string, string, readonly string[], readonly string[]])[] = [
      ['agent', NAMESPACE, [tls, `${HOST}:443`], [health, ops]],
      ['stranger', NAMESPACE, [control], [tls, `${HOST}:443`, health, ops]],
      ['scraper', MONITORING, [health, ops], [tls, `${HOST}:443`]],
      ['peer', OUTSIDE, [control], [tls, health, ops]],
    ]
    let refused = 0
    let open = 0
    for (const [pod, where, wanted, unwanted] of cases) {
      const seen = await from(pod, [...wanted, ...unwanted], where)
      for (const target of wanted) check(seen[target] === 'open', `${pod} to ${target}: ${seen[target]}`)
      for (const target of unwanted) check(seen[target] !== 'open', `${pod} to ${target} is open`)
      open += wanted.length
      refused += unwanted.length
    }
    const [answer] = await probe('agent', ['call', URL])
    check(answer?.['code'] === 'ok', `the agent's call: ${JSON.stringify(answer)}`)
    return {
      figure: `${open} ways open as named, ${refused} refused, each to a port that another pod reaches`,
    }
  },
}

export const egress: Proof = {
  name: 'network-egress',
  what: 'Out of the pods: the store and the DNS, not its port elsewhere, not the API server, not other pods',
  run: async () => {
    const pod = (await serverPods())[0]?.metadata.name ?? ''
    const peer = (await pods('app=peer', OUTSIDE))[0]?.status.podIP ?? ''
    const stranger = (await pods('app=stranger'))[0]?.status.podIP ?? ''
    const dns = await inNamespace([
      'get',
      'service',
      'kube-dns',
      '-n',
      'kube-system',
      '-o',
      'jsonpath={.spec.clusterIP}',
    ])
    const api = await inNamespace([
      'get',
      'service',
      'kubernetes',
      '-n',
      'default',
      '-o',
      'jsonpath={.spec.clusterIP}',
    ])
    const wanted = [`redis.${OUTSIDE}.svc.cluster.local:6379`, `${dns}:53`]
    const unwanted = [`${peer}:6379`, `${peer}:9000`, `${peer}:53`, `${stranger}:9000`, `${api}:443`]
    const seen = await fromApp(pod, [...wanted, ...unwanted])
    for (const target of wanted) check(seen[target] === 'open', `the app to ${target}: ${seen[target]}`)
    for (const target of unwanted) check(seen[target] !== 'open', `the app to ${target} is open`)
    const control = await from('agent', unwanted)
    for (const target of unwanted)
      check(control[target] === 'open', `without a policy ${target} is not open either: ${control[target]}`)
    // Over UDP: getaddrinfo in the app has just done it for the store; the name of a Service shows the answer.
    const lookup = await inNamespace([
      'exec',
      pod,
      '-c',
      'app',
      '--',
      '/nodejs/bin/node',
      '-e',
      `require('dns').lookup(${JSON.stringify(HOST)},(e,a)=>console.log(e?e.code:a))`,
    ])
    check(/^\d+\.\d+\.\d+\.\d+$/.test(lookup.trim()), `DNS over UDP: ${lookup}`)
    return {
      figure: `store and DNS (UDP and TCP) open; ${unwanted.length} other ways refused, all open to a pod without the policy`,
    }
  },
}
