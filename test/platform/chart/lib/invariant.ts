// What a row of the checklist is: a sentence, a check over the rendered objects, and changes that the check has to notice.
import type { Container, Item, PodSpec } from './kubernetes.ts'
import { container, containersOf, service, workloads } from './kubernetes.ts'

export interface Context {
  /** The platform gives the pods their user ids, as OpenShift does: the chart then names none. */
  readonly assignedUids: boolean
  /** The nodes have AppArmor. */
  readonly hasAppArmor: boolean
}

export interface Invariant {
  readonly id: string
  readonly says: string
  /** What is wrong, one line each. */
  readonly check: (items: Item[], context: Context) => string[]
  /** Changes of the rendered defaults, each of which the check has to notice. */
  readonly breaks: readonly ((items: Item[]) => void)[]
}

export interface ContainerAt {
  readonly where: string
  readonly one: Container
  readonly pod: PodSpec
}

export function allContainers(items: readonly Item[]): ContainerAt[] {
  return workloads(items).flatMap(({ where, pod }) =>
    containersOf(pod).map((one) => ({ where: `${where}, container ${one.name}`, one, pod })),
  )
}

/** One line for each pod that does not hold. */
export const eachPod =
  (holds: (pod: PodSpec, context: Context) => boolean) =>
  (items: Item[], context: Context): string[] =>
    workloads(items)
      .filter(({ pod }) => !holds(pod, context))
      .map(({ where }) => where)

/** One line for each container that does not hold. */
export const eachContainer =
  (holds: (one: Container, pod: PodSpec, context: Context) => boolean) =>
  (items: Item[], context: Context): string[] =>
    allContainers(items)
      .filter(({ one, pod }) => !holds(one, pod, context))
      .map(({ where }) => where)

/** One line where the pod of the service itself does not hold. */
export const theService =
  (holds: (pod: PodSpec, items: Item[]) => boolean) =>
  (items: Item[]): string[] =>
    holds(service(items).spec.template.spec, items) ? [] : [`Deployment ${service(items).metadata.name}`]

/** A change of the service's pod. */
export const inPod =
  (change: (pod: PodSpec) => void) =>
  (items: Item[]): void =>
    change(service(items).spec.template.spec)

/** A change of one of its containers. */
export const inContainer =
  (name: 'app' | 'proxy', change: (one: Container) => void) =>
  (items: Item[]): void =>
    change(container(service(items).spec.template.spec, name))
